package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDirectoryDeleted: a node whose directory somebody deletes ends when it is
// asked to, and says that it could not write everything.
func TestDirectoryDeleted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	exits(t, exitOK, "--dir", dir, "init")
	n := startNode(t, dir)
	if err := n.put(t.Context(), "row", "value"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if rows := n.rows(); rows["row"] != "value" {
		t.Errorf("it answers %v", rows)
	}
	n.end(syscall.SIGTERM, exitFailed)
	says(t, n.words.String(), "no such file or directory")
}
