//go:build !linux

package main

import "errors"

// errNoProc reports a system that does not show the environment of processes.
var errNoProc = errors.New("a swarm needs Linux: its processes are found in /proc; use `lightcone demo`")

func marks() (map[int]string, error) { return nil, errNoProc }

func markOf(int) string { return "" }
