package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"lightcone/node/api"
)

const (
	// startPatience bounds how long a node may take to become ready, and
	// stopPatience how long to stop before it is killed.
	startPatience = 60 * time.Second
	stopPatience  = 30 * time.Second
	// coverPatience bounds how long a node may take to cover a context.
	coverPatience = time.Minute
)

// childMark tells a test binary that it runs as this program.
const childMark = "LIGHTCONE_DEMO_CHILD"

// process is one peer: `lightcone up` in a process of its own, and a client of its
// API.
type process struct {
	*api.Client
	name   string
	number int // of a swarm's node
	dir    string
	space  string // what the node calls the shared space
	id     string
	spawn  spawn
	cmd    *exec.Cmd
}

// spawn is how a node is started, and reached.
type spawn struct {
	listen []string                       // addresses, if not any port on loopback
	env    []string                       // beside the environment that is there
	alone  bool                           // in a session of its own: it outlives its parent
	enter  func(start func() error) error // where it runs; nil: here
	dial   api.DialFunc                   // how to reach its API; nil: directly
}

// onLoopback is any port on loopback, over QUIC and TCP.
var onLoopback = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}

// logFile is where the node's log goes.
func (n *process) logFile() string { return n.dir + ".log" }

// start runs `lightcone up` on the node's directory and waits until it is ready.
func (n *process) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"--dir", n.dir, "--json", "up"}
	listen := n.spawn.listen
	if listen == nil {
		listen = onLoopback
	}
	for _, addr := range listen {
		args = append(args, "--listen", addr)
	}
	n.cmd = exec.Command(self, args...)
	n.cmd.Env = append(append(os.Environ(), childMark+"=1"), n.spawn.env...)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: n.spawn.alone}
	n.cmd.Stderr = log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	start := n.cmd.Start
	if n.spawn.enter != nil {
		start = func() error { return n.spawn.enter(n.cmd.Start) }
	}
	if err := start(); err != nil {
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
	return n.ready(ctx, line)
}

// ready waits until the node says that it is, and connects to its API.
func (n *process) ready(ctx context.Context, line <-chan ready) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	select {
	case r := <-line:
		if !r.Ready {
			text, _ := os.ReadFile(n.logFile())
			return fmt.Errorf("did not start: %s", text)
		}
		n.id = r.Peer
	case <-ctx.Done():
		return fmt.Errorf("did not become ready: %w", ctx.Err())
	}
	return n.connect(ctx)
}

// connect finds the API of the node, which runs.
func (n *process) connect(ctx context.Context) (err error) {
	if n.spawn.dial == nil {
		n.Client, err = api.Dial(ctx, n.dir)
	} else {
		n.Client, err = api.DialBy(ctx, n.dir, n.spawn.dial)
	}
	return err
}

// hangUp closes the connections to the API, if there are any.
func (n *process) hangUp() {
	if n.Client != nil {
		n.Close()
	}
}

// stop asks the node to end and waits; one that does not is killed.
func (n *process) stop() error {
	if n.cmd == nil || n.cmd.Process == nil || n.cmd.ProcessState != nil {
		return nil
	}
	n.cmd.Process.Signal(syscall.SIGTERM) // one that is gone needs no signal
	timer := time.AfterFunc(stopPatience, func() { n.cmd.Process.Kill() })
	defer timer.Stop()
	return n.cmd.Wait()
}

// kill ends the node the hard way.
func (n *process) kill() error {
	if err := n.cmd.Process.Kill(); err != nil {
		return err
	}
	n.cmd.Wait() // its error says that it was killed
	n.Client.Close()
	return nil
}

// cover waits until the node covers a context.
func (n *process) cover(ctx context.Context, token string) error {
	_, err := n.Count(ctx, n.space, api.Query{Topic: "none"}, api.Read{Context: token, Wait: coverPatience})
	if err != nil {
		return fmt.Errorf("%s: %w", n.name, err)
	}
	return nil
}

// untilUnheard returns a context that ends, too, when the terminal or the reader of
// the output is gone: what ends with the command must not outlive it.
func untilUnheard(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGPIPE)
}

// enter lets the node join the space that another one shares, with a ticket.
func (n *process) enter(ctx context.Context, issuer *process) (ticket string, err error) {
	t, err := issuer.Ticket(ctx, issuer.space, api.NewTicket{})
	if err != nil {
		return "", err
	}
	s, err := n.Join(ctx, t.Ticket)
	if err != nil {
		return "", fmt.Errorf("%s cannot join: %w", n.name, err)
	}
	n.space = s.Name
	return t.Ticket, nil
}

// each runs f for all processes at once and joins the errors.
func each(nodes []*process, f func(n *process) error) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			if err := f(n); err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
