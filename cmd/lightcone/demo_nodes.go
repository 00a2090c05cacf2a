package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"lightcone/node/api"
)

const (
	// startPatience bounds how long a node may take to become ready, and
	// stopPatience how long to stop before it is killed.
	startPatience = 20 * time.Second
	stopPatience  = 10 * time.Second
	// coverPatience bounds how long a node may take to cover a context.
	coverPatience = 20 * time.Second
)

// demoNode is one peer: a child process of this program and a client of its API.
type demoNode struct {
	*api.Client
	name  string
	dir   string
	space string // what the node calls the shared space
	id    string
	cmd   *exec.Cmd
}

// start brings up all nodes and lets the others join A's space, with a ticket each.
func (d *demo) start() error {
	for i := range d.opts.nodes {
		name := string(rune('A' + i))
		d.nodes = append(d.nodes, &demoNode{name: name, dir: filepath.Join(d.dir, name), space: defaultSpace})
	}
	count := map[int]string{3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}[d.opts.nodes]
	d.tell("%s peers, %s processes, no server: %s on loopback, files under %s", count, strings.ToLower(count), d.names(), d.dir)
	if err := d.each(func(n *demoNode) error { return n.start(d.ctx) }); err != nil {
		return err
	}
	a := d.nodes[0]
	if _, err := a.CreateSpace(d.ctx, api.NewSpace{Name: defaultSpace}); err != nil {
		return err
	}
	for _, n := range d.nodes[1:] {
		ticket, err := a.Ticket(d.ctx, defaultSpace, api.NewTicket{})
		if err != nil {
			return err
		}
		start := time.Now()
		s, err := n.Join(d.ctx, ticket.Ticket)
		if err != nil {
			return fmt.Errorf("%s cannot join: %w", n.name, err)
		}
		n.space = s.Name
		d.tell("  %s joined with a ticket of %d characters in %s   %s", n.name, len(ticket.Ticket), millis(time.Since(start)), n.id)
	}
	return nil
}

// each runs f for all nodes at once and joins the errors.
func (d *demo) each(f func(n *demoNode) error) error {
	errs := make([]error, len(d.nodes))
	var wg sync.WaitGroup
	for i, n := range d.nodes {
		wg.Go(func() {
			if err := f(n); err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// start runs `lightcone up` on the node's directory and waits until it is ready.
func (n *demoNode) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(n.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(self, "--dir", n.dir, "--json", "up",
		"--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--listen", "/ip4/127.0.0.1/tcp/0")
	n.cmd.Env = append(os.Environ(), childMark+"=1")
	n.cmd.Stderr = log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	line := make(chan ready, 1)
	go func() {
		var r ready
		if s := bufio.NewScanner(out); s.Scan() {
			json.Unmarshal(s.Bytes(), &r) // not ready if it is no JSON
		}
		line <- r
	}()
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case r := <-line:
		if !r.Ready {
			text, _ := os.ReadFile(n.dir + ".log")
			return fmt.Errorf("did not start: %s", text)
		}
		n.id = r.Peer
	case <-ctx.Done():
		return fmt.Errorf("did not become ready: %w", ctx.Err())
	}
	n.Client, err = api.Dial(ctx, n.dir)
	return err
}

// childMark tells a test binary that it runs as a child of the demo.
const childMark = "LIGHTCONE_DEMO_CHILD"

// stop asks the node to end and waits; one that does not is killed.
func (n *demoNode) stop() error {
	if n.cmd == nil || n.cmd.Process == nil || n.cmd.ProcessState != nil {
		return nil
	}
	n.cmd.Process.Signal(syscall.SIGTERM) // one that is gone needs no signal
	timer := time.AfterFunc(stopPatience, func() { n.cmd.Process.Kill() })
	defer timer.Stop()
	return n.cmd.Wait()
}

// kill ends the node the hard way.
func (n *demoNode) kill() error {
	if err := n.cmd.Process.Kill(); err != nil {
		return err
	}
	n.cmd.Wait() // its error says that it was killed
	n.Client.Close()
	return nil
}

func (d *demo) stop() error { return d.each((*demoNode).stop) }

// cover waits until the node covers a context.
func (n *demoNode) cover(ctx context.Context, token string) error {
	_, err := n.Count(ctx, n.space, api.Query{Topic: "none"}, api.Read{Context: token, Wait: coverPatience})
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return nil
}

// traffic asks all nodes for their byte counts.
func (d *demo) traffic() ([]api.Traffic, error) {
	out := make([]api.Traffic, len(d.nodes))
	for i, n := range d.nodes {
		st, err := n.Status(d.ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.name, err)
		}
		out[i] = st.Traffic
	}
	return out, nil
}
