package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lightcone/internal/netlab"
	"lightcone/node/api"
)

// markName is the environment variable by which a process says that it is a node
// of a swarm, and which.
const markName = "LIGHTCONE_SWARM"

// gonePoll is how often it is looked whether a process is gone, killPatience how
// long one may take that was killed.
const gonePoll, killPatience = 20 * time.Millisecond, 10 * time.Second

// mark is what the environment of a node's process holds. The id is random, so
// nobody else's does. Nothing else tells that a process is the swarm's: process
// ids are used again, and none is written down.
func (s *swarm) mark(n int) string { return fmt.Sprintf("%s=%s/%d", markName, s.ID, n) }

// running finds the swarm's processes, by node.
func (s *swarm) running() (map[int][]int, error) {
	all, err := marks()
	if err != nil {
		return nil, err
	}
	out := map[int][]int{}
	for pid, mark := range all {
		id, n, _ := strings.Cut(mark, "/")
		node, err := strconv.Atoi(n)
		if id == s.ID && err == nil {
			out[node] = append(out[node], pid)
		}
	}
	return out, nil
}

// raise makes the network and the nodes, and lets them share a space.
func (s *swarm) raise(ctx context.Context, r netlab.Rules, tell func(format string, args ...any)) error {
	if s.Netns {
		if err := s.Lab.Create(ctx); err != nil {
			return err
		}
	}
	begun := time.Now()
	all := s.nodes()
	if err := s.launch(ctx, all); err != nil {
		return err
	}
	for _, p := range all {
		defer p.Close()
		s.Peers = append(s.Peers, p.id)
	}
	if err := s.save(); err != nil {
		return err
	}
	tell("%d processes after %.1f s", len(all), time.Since(begun).Seconds())
	if _, err := all[0].CreateSpace(ctx, api.NewSpace{Name: defaultSpace}); err != nil {
		return err
	}
	for _, p := range all[1:] {
		if _, err := p.enter(ctx, all[0]); err != nil {
			return err
		}
	}
	tell("all joined after %.1f s", time.Since(begun).Seconds())
	return s.apply(ctx, r)
}

// launch starts processes, and leaves nobody to wait for them in vain.
func (s *swarm) launch(ctx context.Context, nodes []*process) error {
	return each(nodes, func(p *process) error {
		err := p.start(ctx)
		if p.cmd != nil && p.cmd.Process != nil {
			go p.cmd.Wait() // as long as this process lives, it is the parent
		}
		return err
	})
}

// start starts nodes that do not run.
func (s *swarm) start(ctx context.Context, nodes []int) error {
	running, err := s.running()
	if err != nil {
		return err
	}
	var ps []*process
	for _, n := range nodes {
		if pids := running[n]; len(pids) > 0 {
			return fmt.Errorf("node %d runs, pid %d; nothing was started", n, pids[0])
		}
		ps = append(ps, s.node(n))
	}
	if err := s.launch(ctx, ps); err != nil {
		return err
	}
	for _, p := range ps {
		p.Close()
	}
	if s.Netns {
		return nil // the network did not change
	}
	return s.block(ctx, s.Rules.Groups)
}

// kill kills nodes that run.
func (s *swarm) kill(nodes []int) error {
	running, err := s.running()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if len(running[n]) == 0 {
			return fmt.Errorf("node %d does not run; nobody was killed", n)
		}
	}
	return s.end(nodes, syscall.SIGKILL, killPatience)
}

// end signals nodes and waits until they are gone.
func (s *swarm) end(nodes []int, signal syscall.Signal, patience time.Duration) error {
	for limit := time.Now().Add(patience); ; time.Sleep(gonePoll) {
		running, err := s.running()
		if err != nil {
			return err
		}
		var left []int
		for _, n := range nodes {
			for _, pid := range running[n] {
				left = append(left, pid)
				if signal != 0 {
					if err := signalMarked(pid, s.mark(n), signal); err != nil {
						return fmt.Errorf("node %d, pid %d: %w", n, pid, err)
					}
				}
			}
		}
		signal = 0
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("%w: processes %v", errStays, left)
		}
	}
}

// errStays reports processes that do not end.
var errStays = errors.New("still there after the signal")

// signalMarked signals a process if it has the mark. The handle is taken before
// the mark is read, so that a process which takes over the id is never hit.
func signalMarked(pid int, mark string, signal syscall.Signal) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer p.Release()
	if _, value, _ := strings.Cut(mark, "="); markOf(pid) != value {
		return nil
	}
	if err := p.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// down ends the swarm and removes what it made; the state file goes last.
func (s *swarm) down(ctx context.Context, keep bool) error {
	all := make([]int, s.Lab.Hosts)
	for i := range all {
		all[i] = i + 1
	}
	err := s.end(all, syscall.SIGTERM, stopPatience)
	if errors.Is(err, errStays) {
		err = s.end(all, syscall.SIGKILL, killPatience)
	}
	if err == nil && s.Netns {
		err = s.Lab.Remove(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; run `%s down` again", err, s.command())
	}
	var errs []error
	if !keep {
		for _, p := range s.nodes() {
			errs = append(errs, os.RemoveAll(p.dir), os.RemoveAll(p.logFile()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(s.dir, swarmFile)); err != nil {
		return err
	}
	if s.Made {
		os.Remove(s.dir) // stays if there is anything else
	}
	return nil
}

// firstPID returns the least process id of a node, 0 for none.
func firstPID(pids []int) int {
	if len(pids) == 0 {
		return 0
	}
	return slices.Min(pids)
}
