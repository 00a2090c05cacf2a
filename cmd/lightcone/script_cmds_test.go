package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"lightcone/node/api"
)

// cmdLines runs a command that does not end by itself, reads its first lines,
// each of which must match, and interrupts it, which it must take for success:
// lines COUNT PATTERN COMMAND….
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: lines COUNT PATTERN COMMAND…")
	}
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	want := regexp.MustCompile("(?m)" + args[1])
	cmd := exec.Command(lookPath(ts, args[2]), args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "XDG_DATA_HOME="+ts.Getenv("XDG_DATA_HOME"))
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	in := bufio.NewReader(out)
	for range count {
		line, err := in.ReadString('\n')
		if err != nil || !want.MatchString(line) {
			cmd.Process.Kill()
			cmd.Wait()
			ts.Fatalf("got %q, %v; it said:\n%s", line, err, words.String())
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	in.WriteTo(bytes.NewBuffer(nil)) // what it says until it ends
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("interrupted, it ended with %v:\n%s", err, words.String())
	}
}

// cmdPartition cuts the node on a directory off from everybody, and cmdHeal lets
// it back in: partition DIR, heal DIR.
func cmdPartition(ts *testscript.TestScript, neg bool, args []string) {
	control(ts, neg, args, func(ctx context.Context, c *api.Client) error { return c.Block(ctx) })
}

func cmdHeal(ts *testscript.TestScript, neg bool, args []string) {
	control(ts, neg, args, func(ctx context.Context, c *api.Client) error { return c.Unblock(ctx) })
}

func control(ts *testscript.TestScript, neg bool, args []string, do func(context.Context, *api.Client) error) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: partition DIR, heal DIR")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := api.Dial(ctx, ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	ts.Check(do(ctx, c))
}
