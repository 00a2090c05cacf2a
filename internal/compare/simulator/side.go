package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// side is what runs the floods.
type side struct {
	name string
	// pushOnly sides run no other flood, onceOnly ones are never run again in one process;
	// large ones take part in the try with the most peers.
	pushOnly, onceOnly, large bool
	// run is one run in this program; nil: it is PeerSim.
	run func(ctx context.Context, f flood, peers int, seed uint64) (outcome, error)
}

// sides in the order of the table's lines. Ratios are to the last.
var sides []side

func init() { // child asks for the sides, and sides for what child runs
	sides = []side{
		{name: "lightcone", run: runLightcone(1)},
		{name: "lightcone-2", run: runLightcone(2), onceOnly: true, large: true},
		{name: "engine", run: runBare, pushOnly: true, large: true},
		{name: "heap", pushOnly: true, onceOnly: true, run: func(_ context.Context, f flood, peers int, seed uint64) (outcome, error) {
			return runHeap(f, peers, seed), nil
		}},
		{name: peerSim, large: true},
	}
}

// peerSim is the name of the side that is PeerSim.
const peerSim = "peersim"

// usage is what a process used from its start to its end.
type usage struct {
	Wall, CPU float64 // seconds
	RSS       float64 // bytes at the greatest
}

// process starts a side in a process of its own and reads what its runs showed.
func process(ctx context.Context, sd side, j *javaSide, f flood, peers int, seed uint64, runs int) ([]outcome, usage, error) {
	var c *exec.Cmd
	if sd.run != nil {
		self, err := os.Executable()
		if err != nil {
			return nil, usage{}, err
		}
		c = exec.CommandContext(ctx, self, childArgs(sd, f, peers, seed, runs)...)
	} else {
		var err error
		if c, err = j.command(ctx, f, peers, seed, runs); err != nil {
			return nil, usage{}, err
		}
	}
	var out, faults bytes.Buffer
	c.Stdout, c.Stderr = &out, &faults
	begun := time.Now()
	err := c.Run()
	wall := time.Since(begun)
	if err != nil {
		return nil, usage{}, fmt.Errorf("%s, %d peers: %w: %s", sd.name, peers, err, tail(faults.Bytes()))
	}
	u := usage{Wall: wall.Seconds(), CPU: (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()}
	if r, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.RSS = float64(r.Maxrss) * 1024 // Linux counts in KiB
	}
	all, err := outcomes(out.Bytes())
	if err == nil && len(all) != runs {
		err = errors.New(tail(faults.Bytes()))
	}
	if err != nil {
		return nil, usage{}, fmt.Errorf("%s, %d peers: %d of %d runs told what they did: %w", sd.name, peers, len(all), runs, err)
	}
	return all, u, nil
}

func childArgs(sd side, f flood, peers int, seed uint64, runs int) []string {
	return []string{childCommand, sd.name, f.name, strconv.Itoa(peers), strconv.FormatUint(seed, 10), strconv.Itoa(runs)}
}

// childCommand is the first argument of this program as a child of its own.
const childCommand = "child"

// outcomes reads the lines that are JSON; PeerSim prints others.
func outcomes(text []byte) (all []outcome, err error) {
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var one outcome
		if err := json.Unmarshal(line, &one); err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// tail is the end of what a process said: why it failed.
func tail(text []byte) string {
	const most = 2000
	return string(bytes.TrimSpace(text[max(0, len(text)-most):]))
}
