package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lightcone/internal/netlab"
)

// swarmTest is a swarm in a directory of a test, taken down when the test ends.
type swarmTest struct {
	t   *testing.T
	dir string
}

// needsNamespaces skips a test that cannot make network namespaces.
func needsNamespaces(t *testing.T) {
	t.Helper()
	if err := netlab.Usable(t.Context()); err != nil {
		t.Skip(err)
	}
}

func newSwarmTest(t *testing.T) *swarmTest {
	t.Helper()
	s := &swarmTest{t: t, dir: filepath.Join(t.TempDir(), "swarm")}
	t.Cleanup(func() {
		if exists(filepath.Join(s.dir, swarmFile)) {
			exits(t, exitOK, s.args("down")...)
		}
	})
	return s
}

func (s *swarmTest) args(args ...string) []string {
	return append([]string{"--dir", s.dir, "--json", "swarm"}, args...)
}

// run runs a command of the swarm that must succeed.
func (s *swarmTest) run(args ...string) string {
	s.t.Helper()
	stdout, _ := exits(s.t, exitOK, s.args(args...)...)
	return stdout
}

// status runs a command that prints the swarm's status, with this exit code.
func (s *swarmTest) status(code int, args ...string) (st swarmStatus) {
	s.t.Helper()
	stdout, stderr := exits(s.t, code, s.args(args...)...)
	if err := json.Unmarshal([]byte(stdout), &st); err != nil {
		s.t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	return st
}

// lacks returns who has the memos of a node that this one lacks, nil if it lacks none.
func (n nodeStatus) lacks(author int) []int {
	for _, m := range n.Missing {
		if m.Node == author {
			return m.Holders
		}
	}
	return nil
}

// write puts a row at a node.
func (s *swarmTest) write(node, row string) {
	s.t.Helper()
	s.run("exec", node, "--", "put", "t/"+row, "at="+node)
}

// state reads the state file.
func (s *swarmTest) state() *swarm {
	s.t.Helper()
	state, err := readSwarm(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return state
}

// leavesNothing fails if there is a trace of the swarm that had this state, and
// removes it.
func (s *swarmTest) leavesNothing(of *swarm) {
	s.t.Helper()
	defer of.down(context.WithoutCancel(s.t.Context()), false)
	running, err := of.running()
	if err != nil || len(running) > 0 {
		s.t.Errorf("processes are left: %v, %v", running, err)
	}
	if names, _ := filepath.Glob("/run/netns/*" + of.Lab.ID + "*"); len(names) > 0 {
		s.t.Errorf("namespaces are left: %v", names)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("%s is left: %v", s.dir, err)
	}
}

// The scenario: a partition with writes on both sides, loss, and killed nodes. The
// demo fails unless all nodes are equal after each act.
func TestSwarmDemo(t *testing.T) {
	needsNamespaces(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	stdout, _ := exits(t, exitOK, "--json", "swarm", "demo", "--nodes", "6", "--writes", "1000", "--kill", "2")
	t.Log(stdout)
	var r swarmReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if !r.Equal || !r.Netns || !r.Parted || r.Nodes != 6 || r.Killed != 2 || r.LossEqual < 0 {
		t.Errorf("%+v", r)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v, %v", left, err)
	}
}

// A demo whose output nobody reads any more ends what it started.
func TestSwarmDemoUnread(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	demo := program(t, "swarm", "demo", "--nodes", "4", "--netns=false", "--writes", "100")
	out, err := demo.StdoutPipe()
	if err == nil {
		err = demo.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	states, err := filepath.Glob(tmp + "/*/" + swarmFile)
	if err != nil || len(states) != 1 {
		t.Fatalf("%v, %v", states, err)
	}
	state, err := readSwarm(filepath.Dir(states[0]))
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	if err := demo.Wait(); err == nil {
		t.Error("the demo ended well without a reader")
	}
	(&swarmTest{t: t, dir: state.dir}).leavesNothing(state)
}

func TestSwarmCommands(t *testing.T) {
	needsNamespaces(t)
	s := newSwarmTest(t)
	st := s.status(exitOK, "up", "--nodes", "4", "--detach", "--rate", "100mbit")
	if !st.Netns || len(st.Nodes) != 4 || st.Rules.Rate != 1e8 || st.Nodes[3].PID == 0 || st.Nodes[3].Addr == "" {
		t.Fatalf("%+v", st)
	}
	s.run("partition", "1-2/3-4")
	s.write("1", "a")
	s.write("3", "b")
	var held []int
	eventually(t, "node 3 says it has what node 1 lacks", func() bool { // nodes are asked one by one, and go on pinging
		st = s.status(exitStale, "status", "--wait", "0s")
		held = st.Nodes[0].lacks(3)
		return slices.Contains(held, 3)
	})
	if one := st.Nodes[0]; slices.Contains(held, 2) || one.Digest == st.Nodes[2].Digest {
		t.Errorf("node 1, apart from 3: %+v", one)
	}
	s.run("loss", "30%")
	s.run("heal")
	st = s.status(exitOK, "status", "--wait", patience.String())
	if st.Rules.Loss != 0.3 || len(st.Rules.Groups) > 0 {
		t.Errorf("rules after healing: %+v", st.Rules)
	}
	s.run("kill", "2,4")
	s.write("1", "c")
	st = s.status(exitOK, "status")
	if st.Equal || st.Nodes[1].PID != 0 || st.Nodes[3].PID != 0 || st.Nodes[0].PID == 0 || st.Nodes[2].PID == 0 {
		t.Errorf("2 and 4 are dead: %+v", st)
	}
	exits(t, exitFailed, s.args("kill", "1,4")...) // 4 does not run, so 1 lives on
	exits(t, exitFailed, s.args("start", "3")...)
	exits(t, exitUsage, s.args("kill", "5")...)
	exits(t, exitUsage, s.args("partition", "1-2/2-3")...)
	exits(t, exitFailed, s.args("up", "--nodes", "3")...)
	s.run("start", "2,4")
	s.status(exitOK, "status", "--wait", patience.String())
	was := s.state()
	s.run("down")
	s.leavesNothing(was)
	exits(t, exitNoNode, s.args("down")...)
}

// bystander runs a process that looks like a node of a swarm and is none.
func bystander(t *testing.T, env string) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Args[0] = "lightcone"
	cmd.Env = append(os.Environ(), env)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // unless something else came first
		cmd.Wait()
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != os.Interrupt {
			t.Errorf("a process of somebody else, %s, was ended: %v", env, cmd.ProcessState)
		}
	})
}

// A swarm whose process was killed, when it was up or half-way there, is taken down
// from its state file, and nothing else is.
func TestSwarmDownAfterCrash(t *testing.T) {
	needsNamespaces(t)
	other := newSwarmTest(t)
	other.run("up", "--nodes", "2", "--detach")
	for _, when := range []string{"swarm.json", "1", "3/control.json", ""} {
		s := newSwarmTest(t)
		up := program(t, s.args("up", "--nodes", "3")...)
		out, err := up.StdoutPipe()
		if err == nil {
			err = up.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if when == "" { // all of it
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Error(err)
			}
		} else {
			eventually(t, when+" is there", func() bool { return exists(filepath.Join(s.dir, when)) })
		}
		up.Process.Kill()
		up.Wait()
		state := s.state()
		bystander(t, markName+"="+state.ID[1:]+"/1")
		bystander(t, "OTHER_"+markName+"="+state.ID+"/1")
		s.run("down")
		s.leavesNothing(state)
	}
	if st := other.status(exitOK, "status", "--wait", patience.String()); !st.Equal {
		t.Errorf("another swarm: %+v", st)
	}
}

// Without namespaces the nodes make the partition themselves, and what they cannot
// make is refused. A swarm in the foreground ends with an interrupt.
func TestSwarmOnLoopback(t *testing.T) {
	s := newSwarmTest(t)
	up := program(t, s.args("up", "--nodes", "3", "--netns=false")...)
	var words strings.Builder
	up.Stderr = &words
	out, err := up.StdoutPipe()
	if err == nil {
		err = up.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var st swarmStatus
	if err := json.NewDecoder(out).Decode(&st); err != nil || st.Netns || len(st.Nodes) != 3 {
		t.Fatalf("%v, %+v, %s", err, st, &words)
	}
	s.run("partition", "3")
	s.write("1", "a")
	eventually(t, "2 has it", func() bool {
		st = s.status(exitOK, "status")
		return st.Nodes[0].Digest == st.Nodes[1].Digest
	})
	s.run("partition", "2/3")
	s.run("kill", "2-3")
	s.run("start", "2-3") // they stay apart, though neither remembers
	s.write("3", "b")
	st = s.status(exitOK, "status")
	if st.Nodes[2].lacks(1) == nil || st.Nodes[1].Peers+st.Nodes[2].Peers != 0 || st.Nodes[1].lacks(3) == nil {
		t.Errorf("2 and 3 are apart: %+v", st)
	}
	for _, rule := range []string{"loss", "rate"} {
		_, words := exits(t, exitFailed, s.args(rule, map[string]string{"loss": "0.3", "rate": "1mbit"}[rule])...)
		says(t, words, "not available on loopback")
	}
	s.run("heal")
	s.status(exitOK, "status", "--wait", patience.String())
	state := s.state()
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := up.Wait(); err != nil {
		t.Errorf("%v: %s", err, &words)
	}
	s.leavesNothing(state)
}
