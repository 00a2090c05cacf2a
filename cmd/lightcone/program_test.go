package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node/api"
)

// program is a command line in a process of its own, as a user runs it: this test
// binary, told by the environment to be the program.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), childMark+"=1")
	return cmd
}

// exits runs a command that must end with this exit code, and returns what it said.
func exits(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := program(t, args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("%q ended with exit code %d, want %d\n%s%s", args, got, code, &out, &words)
	}
	return out.String(), words.String()
}

// says fails unless text holds every part.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("it does not say %q:\n%s", part, text)
		}
	}
}

// upNode is a node that runs: lightcone up.
type upNode struct {
	*api.Client
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	words bytes.Buffer
}

// startNode runs `up` on a directory and waits until it is ready.
func startNode(t *testing.T, dir string) *upNode {
	t.Helper()
	n := &upNode{t: t, dir: dir, cmd: program(t, "--dir", dir, "--json", "up", "--silent", "--listen", "/ip4/127.0.0.1/tcp/0")}
	n.cmd.Stderr = &n.words
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, `"ready":true`) {
		n.cmd.Wait()
		t.Fatalf("up %s: %q, %v; it said:\n%s", dir, line, err, &n.words)
	}
	if n.Client, err = api.Dial(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return n
}

// end sends a signal and waits for the process, which must not have ended by
// itself. A node that is asked to end must do so in time, with this exit code.
func (n *upNode) end(signal syscall.Signal, code int) {
	n.t.Helper()
	n.Close()
	if err := n.cmd.Process.Signal(signal); err != nil {
		n.t.Fatal(err)
	}
	stuck := time.AfterFunc(patience, func() { n.cmd.Process.Signal(syscall.SIGQUIT) })
	defer stuck.Stop()
	err := n.cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		n.t.Fatal(err)
	}
	state := n.cmd.ProcessState
	killed := state.Sys().(syscall.WaitStatus).Signaled() && signal == syscall.SIGKILL
	if !killed && (state.ExitCode() != code || signal == syscall.SIGKILL) {
		n.t.Fatalf("%s, sent %v, ended with %v, want exit code %d\n%s", n.dir, signal, state, code, &n.words)
	}
}

// put writes one field of a row.
func (n *upNode) put(ctx context.Context, row, value string) error {
	v, err := memo.Text(value)
	if err != nil {
		return err
	}
	_, err = n.Update(ctx, defaultSpace, api.Update{Edits: []api.Edit{{
		Topic: "t", Row: api.Name(row), Fields: api.Fields{"v": v},
	}}})
	return err
}

// digest of the node's space.
func (n *upNode) digest() string {
	n.t.Helper()
	d, err := n.Digest(n.t.Context(), defaultSpace)
	if err != nil {
		n.t.Fatal(err)
	}
	return d.Digest
}

// rows returns the values that put wrote.
func (n *upNode) rows() map[string]string {
	n.t.Helper()
	rows := map[string]string{}
	_, err := n.Scan(n.t.Context(), defaultSpace, api.Query{Topic: "t"}, api.Read{}, func(r api.Row) error {
		rows[string(r.Key)] = r.Fields["v"].Text()
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return rows
}

// eventually repeats cond until it holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// enter makes the node in dir a member of issuer's space and starts it.
func enter(t *testing.T, issuer *upNode, dir string) *upNode {
	t.Helper()
	n := startNode(t, dir)
	ticket, _ := exits(t, exitOK, "--dir", issuer.dir, "ticket")
	exits(t, exitOK, "--dir", dir, "join", strings.TrimSpace(ticket))
	return n
}
