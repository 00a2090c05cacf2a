package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lightcone/internal/netlab"
	"lightcone/node/api"
)

const (
	// swarmDirName is the default directory of a swarm, beside the node's.
	swarmDirName = "lightcone-swarm"
	// swarmFile holds a swarm's state, within its directory.
	swarmFile = "swarm.json"
	// swarmVersion is that of the state file.
	swarmVersion = 1
	// swarmPort is where nodes in namespaces listen.
	swarmPort = 4001
)

// swarm is what is known of a swarm beside what runs: the state file, written
// before anything is made, so that it is known what to remove.
type swarm struct {
	Version int          `json:"version"`
	ID      string       `json:"id"`            // marks its processes, see mark
	Lab     netlab.Lab   `json:"lab"`           // its network; on loopback only the number of nodes
	Netns   bool         `json:"netns"`         // there are namespaces
	Why     string       `json:"why,omitempty"` // there are none
	Rules   netlab.Rules `json:"rules"`         // in force
	Peers   []string     `json:"peers"`         // ids of the nodes, once they started
	Made    bool         `json:"made"`          // the directory was

	dir string
}

// swarmDir gives --dir its default of swarms.
func (a *app) swarmDir(cmd *cobra.Command) {
	if !cmd.Flags().Changed("dir") {
		a.dir = defaultSwarmDir()
	}
}

func defaultSwarmDir() string { return filepath.Join(filepath.Dir(defaultDir()), swarmDirName) }

// command is how a user names the swarm.
func (s *swarm) command() string {
	if s.dir == defaultSwarmDir() {
		return "lightcone swarm"
	}
	return "lightcone --dir " + s.dir + " swarm"
}

// makeSwarm reserves the directory for a new swarm and locks it. Nothing of the
// swarm is there yet but its state file.
func (a *app) makeSwarm(ctx context.Context, o swarmOptions) (*swarm, func(), error) {
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return nil, nil, err
	}
	made := !exists(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("create %s: %w; name another --dir", dir, err)
	}
	unlock, err := lockSwarmDir(dir)
	if err != nil {
		return nil, nil, err
	}
	s := &swarm{
		Version: swarmVersion, ID: rand.Text(), Netns: o.netns, Why: "--netns=false",
		Lab: netlab.Lab{ID: netlab.NewID(), Hosts: o.nodes}, Made: made, dir: dir,
	}
	if err := s.vacant(); err != nil {
		unlock()
		return nil, nil, err
	}
	if s.Netns {
		s.Why = ""
		if err := netlab.Usable(ctx); err != nil {
			s.Netns, s.Why = false, err.Error()
			a.say("no network namespaces: %s\nthe nodes run on loopback: partitions are made by the nodes themselves, loss and rate are not available", s.Why)
		}
	}
	if err := s.save(); err != nil {
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

// vacant returns an error if the directory holds a swarm or its nodes.
func (s *swarm) vacant() error {
	if exists(filepath.Join(s.dir, swarmFile)) {
		return fmt.Errorf("there is a swarm in %s; end it with `%s down`, or name another --dir", s.dir, s.command())
	}
	for n := 1; n <= s.Lab.Hosts; n++ {
		if dir := s.node(n).dir; exists(dir) {
			return fmt.Errorf("%s is there already; remove it, or name another --dir", dir)
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// readSwarm reads the state of the swarm in a directory.
func readSwarm(dir string) (*swarm, error) {
	data, err := os.ReadFile(filepath.Join(dir, swarmFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, api.NewProblem(http.StatusServiceUnavailable, api.NoNode, "there is no swarm in "+dir,
			"start one with `lightcone swarm up`, or name another --dir")
	}
	if err != nil {
		return nil, err
	}
	s := new(swarm)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(dir, swarmFile), err)
	}
	if s.Version != swarmVersion {
		return nil, fmt.Errorf("%s is of version %d, this program writes %d; use the program that made it", filepath.Join(dir, swarmFile), s.Version, swarmVersion)
	}
	s.dir, err = filepath.Abs(dir)
	return s, err
}

// lockSwarm reads the swarm that a command is about, and keeps other commands
// from changing it until unlock is called.
func (a *app) lockSwarm(cmd *cobra.Command) (s *swarm, unlock func(), err error) {
	a.swarmDir(cmd)
	if _, err := readSwarm(a.dir); err != nil {
		return nil, nil, err
	}
	unlock, err = lockSwarmDir(a.dir)
	if err != nil {
		return nil, nil, err
	}
	if s, err = readSwarm(a.dir); err != nil { // it went meanwhile
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

// lockSwarmDir waits for the directory's lock, which the kernel drops with the
// process. unlock may be called twice.
func lockSwarmDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// save replaces the state file as a whole.
func (s *swarm) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, swarmFile)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// node returns what starts and reaches a node.
func (s *swarm) node(n int) *process {
	name := strconv.Itoa(n)
	p := &process{
		name: "node " + name, number: n, dir: filepath.Join(s.dir, name), space: defaultSpace,
		spawn: spawn{env: []string{s.mark(n)}, alone: true},
	}
	if s.Netns {
		addr := s.Lab.Addr(n)
		p.spawn.listen = []string{
			fmt.Sprintf("/ip4/%s/udp/%d/quic-v1", addr, swarmPort), fmt.Sprintf("/ip4/%s/tcp/%d", addr, swarmPort),
		}
		p.spawn.enter = func(start func() error) error { return s.Lab.Enter(n, start) }
		p.spawn.dial = s.Lab.Dial(n)
	}
	return p
}

// nodes returns all nodes.
func (s *swarm) nodes() (all []*process) {
	for n := 1; n <= s.Lab.Hosts; n++ {
		all = append(all, s.node(n))
	}
	return all
}

// onNodes runs f on the nodes that a command names, as 3,5-7.
func (s *swarm) onNodes(text string, f func(nodes []int) error) error {
	nodes, err := netlab.ParseHosts(text)
	if err != nil {
		return err
	}
	if last := nodes[len(nodes)-1]; last > s.Lab.Hosts {
		return fmt.Errorf("%w: no node %d; they are 1 to %d", netlab.ErrRules, last, s.Lab.Hosts)
	}
	return f(nodes)
}
