package figure

import (
	"encoding/json"
	"os"
)

// MakeFolder makes the folder of a flag that was given.
func MakeFolder(name string) error {
	if name == "" {
		return nil
	}
	return os.MkdirAll(name, 0o755)
}

// WriteReport writes a report as JSON into the file of a flag that was given.
func WriteReport(name string, report any) error {
	if name == "" {
		return nil
	}
	b, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}
