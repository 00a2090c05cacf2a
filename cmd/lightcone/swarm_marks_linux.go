package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// marks finds the processes of swarms, whoever's they are: the values of their
// marks by process id.
func marks() (map[int]string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	out := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if mark := markOf(pid); mark != "" {
			out[pid] = mark
		}
	}
	return out, nil
}

// markOf returns the value of a process's mark, "" if it has none, is gone, or is
// somebody else's.
func markOf(pid int) string {
	environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return ""
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte(markName+"=")); ok {
			return string(value)
		}
	}
	return ""
}
