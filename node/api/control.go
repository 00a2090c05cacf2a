package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// controlFile tells other processes of this user how to reach the node.
const controlFile = "control.json"

// control is the content of the control file.
type control struct {
	URL   string `json:"url"`
	Token string `json:"token"`
	PID   int    `json:"pid"`
}

// writeControl puts the control file in place as a whole, mode 0600.
func writeControl(dir string, c control) (path string, err error) {
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, controlFile+".*") // made with mode 0600
	if err != nil {
		return "", fmt.Errorf("write control file: %w", err)
	}
	path = filepath.Join(dir, controlFile)
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write control file: %w", err)
	}
	return path, nil
}

func readControl(path string) (c control, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s is damaged: %w; remove it and restart the node", path, err)
	}
	return c, nil
}

// removeControl removes the control file unless another server has replaced it.
func removeControl(path, token string) error {
	c, err := readControl(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && c.Token != token {
		return nil
	}
	return os.Remove(path)
}
