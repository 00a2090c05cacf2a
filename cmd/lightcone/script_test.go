package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" { // this binary plays the program, see runDemo
		main()
	}
	testscript.Main(m, map[string]func(){"lightcone": main})
}

// TestScripts runs the sessions in testdata/script. Beside testscript's own
// commands there are those of this file, script_cmds_test.go and script_spawn_test.go.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_DATA_HOME", env.WorkDir)
			env.Values[nodesKey{}] = map[string]*exec.Cmd{}
			env.Values[stdinKey{}] = map[string]io.WriteCloser{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":     cmdExits,
			"lines":     cmdLines,
			"partition": cmdPartition,
			"heal":      cmdHeal,
			"up":        cmdUp,
			"signal":    cmdSignal,
			"until":     cmdUntil,
			"remember":  cmdRemember,
			"atleast":   cmdAtLeast,
			"gencsv":    cmdGenCSV,
			"fill":      cmdFill,
			"flip":      cmdFlip,
			"spawn":     cmdSpawn,
			"feed":      cmdFeed,
			"ends":      cmdEnds,
			"grows":     cmdGrows,
			"tear":      cmdTear,
			"cursor":    cmdCursor,
			"feedof":    cmdFeedOf,
			"join":      cmdJoin,
		},
	})
}

// nodesKey is where a script keeps its running nodes, by directory.
type nodesKey struct{}

// patience bounds what a script waits for; it is long, since only a failing
// test waits that long.
const patience = 60 * time.Second

// cmdUp starts a node on a directory and waits until it is ready: up DIR [pinging] FLAG….
// Without that word it writes no pings, so that scripts can count memos. It listens on
// loopback unless flags say otherwise.
func cmdUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: up DIR [pinging] FLAG…")
	}
	flags := args[1:]
	silent := len(flags) == 0 || flags[0] != "pinging"
	if !silent {
		flags = flags[1:]
	}
	if len(flags) == 0 {
		flags = []string{"--listen", "/ip4/127.0.0.1/tcp/0"}
	}
	flags = append([]string{"--dir", args[0], "--json", "up", fmt.Sprintf("--silent=%v", silent)}, flags...)
	cmd := exec.Command("lightcone", flags...)
	cmd.Path = lookPath(ts, "lightcone")
	cmd.Dir = ts.MkAbs(".")
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Value(nodesKey{}).(map[string]*exec.Cmd)[args[0]] = cmd
	ts.Defer(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, `"ready":true`) {
		cmd.Wait()
		ts.Fatalf("up %s: %q, %v; it said:\n%s", args[0], line, err, words.String())
	}
}

// cmdExits runs a command that must end with an exit code: exits CODE COMMAND….
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// cmdSignal ends a node started by up, or a command by spawn: signal KILL|TERM|INT
// DIR|NAME. After TERM or INT
// it must have exited with 0.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal KILL|TERM|INT DIR|NAME")
	}
	cmd := ts.Value(nodesKey{}).(map[string]*exec.Cmd)[args[1]]
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	if err := cmd.Wait(); err != nil && args[0] != "KILL" {
		ts.Fatalf("%s ended with %v:\n%s", args[1], err, cmd.Stderr)
	}
}

// cmdUntil repeats a command until it succeeds and its output matches: until
// PATTERN COMMAND….
func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	want := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		if err == nil && want.MatchString(out) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no output that matches %q; the last is %q, %v\n%s", args[0], out, err, ts.ReadFile("stderr"))
		}
	}
}

// cmdRemember sets a variable to what the first group of a pattern matches in
// the last output: remember NAME stdout|stderr PATTERN.
func cmdRemember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: remember NAME stdout|stderr PATTERN")
	}
	m := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(m) < 2 {
		ts.Fatalf("%s does not match %q:\n%s", args[1], args[2], ts.ReadFile(args[1]))
	}
	ts.Setenv(args[0], m[1])
}

// cmdAtLeast compares two numbers, thousands separated or not: atleast A B
// fails unless A ≥ B.
func cmdAtLeast(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: atleast A B")
	}
	var n [2]int
	for i := range n {
		var err error
		n[i], err = strconv.Atoi(strings.ReplaceAll(args[i], ",", ""))
		ts.Check(err)
	}
	if (n[0] >= n[1]) == neg {
		ts.Fatalf("%d ≥ %d is %v", n[0], n[1], !neg)
	}
}

// cmdGenCSV writes a file of generated rows: gencsv FILE ROWS.
func cmdGenCSV(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gencsv FILE ROWS")
	}
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("code,city,population\n")
	for i := range rows {
		fmt.Fprintf(&b, "%06d,\"City, the %dth\",%d\n", i, i, i*37%100_000)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// cmdFill replaces {BIG} in a file by a value of 1 MiB, and {BAD} by a byte that
// is not UTF-8: fill FILE.
func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: fill FILE")
	}
	text := strings.NewReplacer("{BIG}", strings.Repeat("x", 1<<20), "{BAD}", "\xff", "{BOM}", "\ufeff").
		Replace(ts.ReadFile(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// flipAt is a byte that every log and projection of a script has written.
const flipAt = 200

// cmdFlip changes one bit of a file: flip FILE.
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	data := []byte(ts.ReadFile(args[0]))
	data[flipAt] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// lookPath finds a command in the script's PATH.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator)) {
		if path := dir + "/" + name; isFile(path) {
			return path
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
