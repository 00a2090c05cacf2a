package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// runDemo runs the demo in a process of its own, as a user does: this test
// binary, told by the environment to be the program.
func runDemo(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), childMark+"=1", "TMPDIR="+t.TempDir())
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestDemo(t *testing.T) {
	stdout, stderr, code := runDemo(t)
	if code != exitOK {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"C refuses to answer stale", "may have it   B", "digests of A, B and C: equal",
		"missing after it: 0", "A, B and C are equal",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the demo does not say %q:\n%s", want, stdout)
		}
	}
}

func TestDemoNoticesOneChangedByte(t *testing.T) {
	stdout, stderr, code := runDemo(t, "--tamper")
	if code != exitFailed || !strings.Contains(stdout, "DIFFERENT") {
		t.Fatalf("exit status %d after one byte of one row was changed on C\n%s%s", code, stdout, stderr)
	}
}

func TestDemoJSON(t *testing.T) {
	stdout, stderr, code := runDemo(t, "--json")
	var r demoReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
		t.Fatalf("exit status %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if !r.Equal || r.Rows != 3376 || len(r.Nodes) != 3 || r.CrashLost != 0 || r.CrashAcked < crashAcks {
		t.Errorf("%+v", r)
	}
	for _, n := range r.Nodes {
		if n.Digest != r.Nodes[0].Digest || n.LogPerRow <= 0 || n.IndexPerRow <= 0 {
			t.Errorf("%+v", n)
		}
	}
}

// More peers hold the same, another data set does as well, and what is kept is a
// directory that a node opens.
func TestDemoOwnData(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cities.csv")
	if err := os.WriteFile(file, []byte("name,code\nAachen,a\nBonn,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runDemo(t, "--nodes", "4", "--data", file, "--key", "code", "--keep")
	if code != exitOK {
		t.Fatalf("exit status %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"Four peers, four processes", "A imports 2 rows of cities.csv", "edit row cities/a", "seenByB=yes, seenByC=yes",
		"digests of A, B, C and D: equal", "A, B, C and D are equal",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the demo does not say %q:\n%s", want, stdout)
		}
	}
	start := regexp.MustCompile(`(?m)^  lightcone --dir (\S+) up$`).FindAllStringSubmatch(stderr, -1)
	if len(start) != 4 {
		t.Fatalf("%d directories to start again:\n%s", len(start), stderr)
	}
	var out, errs bytes.Buffer
	args := []string{"--dir", start[3][1], "get", "cities/b", "name"}
	if code := run(args, nil, &out, &errs); code != exitOK || out.String() != "name  Bonn\n" {
		t.Errorf("D, kept: exit status %d\n%s%s", code, &out, &errs)
	}
}
