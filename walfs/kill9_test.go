package walfs_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"lightcone/walfs"
)

const (
	// victimEnv makes this test binary the process that is killed: it holds the
	// directory of the log and the number of the round.
	victimEnv   = "WALFS_TEST_VICTIM"
	killRounds  = 30
	killWriters = 4
	// killWithin bounds the random time between the first acknowledgement and the kill.
	killWithin = 100 * time.Millisecond
)

func init() {
	if job := os.Getenv(victimEnv); job != "" {
		dir, round, _ := strings.Cut(job, "\n")
		fmt.Fprintln(os.Stderr, appendForEver(dir, round))
		os.Exit(1)
	}
}

// appendForEver appends from several goroutines and prints each record that was
// acknowledged, until it is killed.
func appendForEver(dir, round string) error {
	l, err := walfs.Open(dir, walfs.Options{SegmentSize: 4 * walfs.MinSegmentSize})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range killWriters {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s %d %d", round, w, i)
				text := name + " " + strings.Repeat("x", rand.IntN(600))
				if _, err := l.Append(walfs.Group, walfs.Records(text)...); err != nil {
					failed <- err
				}
				if _, err := os.Stdout.WriteString(name + "\n"); err != nil { // one write, so lines stay whole
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// TestKill9 kills a process that appends from four goroutines, thirty times over
// on one log of the real file system. Whatever it acknowledged is there, once, and
// each writer's records come back in order and without a gap.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for round := range killRounds {
		acknowledged = append(acknowledged, killed(t, dir, round)...)
		l, err := walfs.Open(dir, walfs.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		texts, err := readAll(l)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		found, next := map[string]bool{}, map[string]int{}
		for _, text := range texts {
			f := strings.Fields(text)
			writer := f[0] + " " + f[1]
			if f[2] != fmt.Sprint(next[writer]) {
				t.Fatalf("round %d: writer %s: record %s where %d was due", round, writer, f[2], next[writer])
			}
			next[writer]++
			found[writer+" "+f[2]] = true
		}
		for _, name := range acknowledged {
			if !found[name] {
				t.Fatalf("round %d: record %s was acknowledged and is gone", round, name)
			}
		}
	}
	t.Logf("%d records acknowledged in %d rounds", len(acknowledged), killRounds)
}

// killed runs one round and returns what was acknowledged in it.
func killed(t *testing.T, dir string, round int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s\n%d", victimEnv, dir, round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var kill sync.Once
	deadline := time.AfterFunc(hung, func() { cmd.Process.Kill() })
	defer deadline.Stop()
	var names []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		names = append(names, lines.Text())
		kill.Do(func() {
			time.AfterFunc(time.Duration(rand.Int64N(int64(killWithin))), func() { cmd.Process.Kill() })
		})
	}
	if err := cmd.Wait(); err == nil || len(names) == 0 {
		t.Fatalf("round %d: %d records acknowledged, the process ended with %v, want a kill", round, len(names), err)
	}
	return names
}
