package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// classPathVariable names PeerSim's class path: its jar or the folder of its classes, and
// those of the two libraries it needs, jep and djep.
const classPathVariable = "PEERSIM"

// errNoPeerSim reports that the side is left out; its text says why.
var errNoPeerSim = errors.New("PeerSim does not take part")

// Our protocol and controls for PeerSim; none of its code.
//
//go:embed java/flood/*.java
var sources embed.FS

// javaSide starts PeerSim.
type javaSide struct {
	dir       string // of our classes and of configurations
	classPath string
	flags     []string // of the virtual machine
}

// newJavaSide compiles our classes into dir.
func newJavaSide(ctx context.Context, dir string, flags []string) (*javaSide, error) {
	given := os.Getenv(classPathVariable)
	if given == "" {
		return nil, fmt.Errorf("%w: set %s to its class path, such as peersim-1.0.5.jar:jep-2.3.0.jar:djep-1.0.0.jar", errNoPeerSim, classPathVariable)
	}
	for _, tool := range []string{"java", "javac"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%w: %w; install a JDK of version 17 or newer", errNoPeerSim, err)
		}
	}
	if err := os.CopyFS(dir, sources); err != nil {
		return nil, err
	}
	files, err := fs.Glob(sources, "java/flood/*.java")
	if err != nil {
		return nil, err
	}
	// -implicit:none: nothing but our own classes is compiled.
	args := []string{"-implicit:none", "-proc:none", "-d", dir, "-cp", given}
	for _, f := range files {
		args = append(args, filepath.Join(dir, f))
	}
	if out, err := exec.CommandContext(ctx, "javac", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("our classes do not compile with the PeerSim of %s=%s: %w: %s", classPathVariable, given, err, tail(out))
	}
	return &javaSide{dir: dir, classPath: dir + string(os.PathListSeparator) + given, flags: flags}, nil
}

// command is a process that runs a flood some times in a row.
func (j *javaSide) command(ctx context.Context, f flood, peers int, seed uint64, runs int) (*exec.Cmd, error) {
	file := filepath.Join(j.dir, "flood.cfg")
	if err := os.WriteFile(file, []byte(f.config(peers, seed, runs)), 0o600); err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "java", slices.Concat(j.flags, []string{"-cp", j.classPath, "peersim.Simulator", file})...), nil
}

// flagsOf splits the flags of the virtual machine.
func flagsOf(text string) []string { return strings.Fields(text) }
