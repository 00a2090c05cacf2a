package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"lightcone/node/api"
)

// The commands of this file are for processes that are fed, killed and compared
// with what they left behind.

// cmdSpawn starts a command whose stdout goes to a file: spawn NAME FILE COMMAND….
// Signal and feed know it by its name.
func cmdSpawn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: spawn NAME FILE COMMAND…")
	}
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer out.Close()
	cmd := exec.Command(lookPath(ts, args[2]), args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "XDG_DATA_HOME="+ts.Getenv("XDG_DATA_HOME"))
	cmd.Stdout, cmd.Stderr = out, new(bytes.Buffer)
	in, err := cmd.StdinPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Value(nodesKey{}).(map[string]*exec.Cmd)[args[0]] = cmd
	ts.Value(stdinKey{}).(map[string]io.WriteCloser)[args[0]] = in
	ts.Defer(func() { cmd.Process.Kill() })
}

// stdinKey is where a script keeps what it feeds its spawned commands through.
type stdinKey struct{}

// cmdFeed writes lines of a file, counted from 1, to a spawned command: [!] feed NAME
// FILE FIRST LAST [&]. The command waits for more, and with & the script does not wait
// until it has taken these; with "end" for LAST it gets the rest, sees the end and
// must succeed or, with !, fail, as it may before it has taken all.
func cmdFeed(ts *testscript.TestScript, neg bool, args []string) {
	background := len(args) == 5 && args[4] == "&"
	if len(args) != 4 && !background || neg && args[3] != "end" {
		ts.Fatalf("usage: feed NAME FILE FIRST LAST [&], [!] feed NAME FILE FIRST end")
	}
	cmd := ts.Value(nodesKey{}).(map[string]*exec.Cmd)[args[0]]
	stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	lines := bytes.SplitAfter([]byte(ts.ReadFile(args[1])), []byte("\n"))
	first, err := strconv.Atoi(args[2])
	ts.Check(err)
	last := len(lines)
	if args[3] != "end" {
		last, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	in := ts.Value(stdinKey{}).(map[string]io.WriteCloser)[args[0]]
	text := bytes.Join(lines[first-1:last], nil)
	if background {
		go in.Write(text) // in order: the next feed waits for it
		return
	}
	if _, err := in.Write(text); !neg {
		ts.Check(err)
	}
	if args[3] == "end" {
		ts.Check(in.Close())
		cmdEnds(ts, neg, args[:1])
	}
}

// cmdEnds waits until a spawned command ends, which must succeed or, with !, fail: [!]
// ends NAME. What it said is in NAME.err then.
func cmdEnds(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: ends NAME")
	}
	cmd := ts.Value(nodesKey{}).(map[string]*exec.Cmd)[args[0]]
	stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	err := cmd.Wait()
	if (err != nil) != neg || err != nil && !cmd.ProcessState.Exited() {
		ts.Fatalf("%s ended with %v:\n%s", args[0], err, cmd.Stderr)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), cmd.Stderr.(*bytes.Buffer).Bytes(), 0o600))
}

// cmdGrows waits until files have so many whole lines together: grows LINES FILE….
func cmdGrows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: grows LINES FILE…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		lines := 0
		for _, f := range args[1:] {
			lines += bytes.Count([]byte(ts.ReadFile(f)), []byte("\n"))
		}
		if lines >= want {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%d lines after %v, want %d", lines, patience, want)
		}
	}
}

// cmdTear cuts a file in the middle of its last whole line, as a process does that
// dies while it writes: tear FILE.
func cmdTear(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tear FILE")
	}
	text := whole([]byte(ts.ReadFile(args[0])))
	last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text[:len(text)-len(last)/2], 0o600))
}

// whole returns the whole lines of a text.
func whole(text []byte) []byte { return text[:bytes.LastIndexByte(text, '\n')+1] }

// cmdCursor drops a torn last line from a file of changes and sets a variable to
// the cursor of the last one that is whole: cursor NAME FILE.
func cmdCursor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cursor NAME FILE")
	}
	text := whole([]byte(ts.ReadFile(args[1])))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
	seen := changes(ts, text)
	if len(seen) == 0 {
		ts.Fatalf("%s has no whole line", args[1])
	}
	ts.Setenv(args[0], seen[len(seen)-1].Cursor)
}

// cmdFeedOf checks files of changes, one behind the other: feedof ROWS FILE…. They
// must name so many rows of gencsv, each once; an import commits its memos side by
// side, so their order is the log's.
func cmdFeedOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: feedof ROWS FILE…")
	}
	rows, err := strconv.Atoi(args[0])
	ts.Check(err)
	seen := map[string]string{}
	for _, f := range args[1:] {
		for i, c := range changes(ts, []byte(ts.ReadFile(f))) {
			at := fmt.Sprintf("%s:%d", f, i+1)
			if before := seen[string(c.Key)]; before != "" {
				ts.Fatalf("%s has row %s again, which %s has", at, c.Key, before)
			}
			seen[string(c.Key)] = at
		}
	}
	for i := range rows {
		if key := fmt.Sprintf("%06d", i); seen[key] == "" {
			ts.Fatalf("nobody told of row %s", key)
		}
	}
	if len(seen) != rows {
		ts.Fatalf("%d rows, want %d", len(seen), rows)
	}
}

func changes(ts *testscript.TestScript, text []byte) (out []api.Change) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var c api.Change
		ts.Check(json.Unmarshal(lines.Bytes(), &c))
		out = append(out, c)
	}
	return out
}

// cmdJoin concatenates files: join TO FILE….
func cmdJoin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: join TO FILE…")
	}
	var all []byte
	for _, f := range args[1:] {
		all = append(all, ts.ReadFile(f)...)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), all, 0o600))
}
