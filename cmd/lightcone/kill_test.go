package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	killRounds  = 20 // each of ten moments twice
	killWriters = 4
)

// TestKillRounds kills a node again and again while four writers put rows as fast
// as they can. After each restart it has every row that was acknowledged, every row
// that its replica got, and nothing that nobody wrote. In the end both hold the same.
func TestKillRounds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	exits(t, exitOK, "--dir", dir, "init")
	a := startNode(t, dir)
	b := enter(t, a, filepath.Join(t.TempDir(), "b"))
	acked := map[string]string{} // in all rounds
	open := map[string]string{}  // put, and not answered
	for round := range killRounds {
		writeAndKill(t, a, round, acked, open)
		replica := b.rows()
		a = startNode(t, dir)
		rows := a.rows()
		for what, want := range map[string]map[string]string{"acknowledged": acked, "at the replica": replica} {
			for row, value := range want {
				if rows[row] != value {
					t.Fatalf("round %d: row %s was %s as %q, after the restart it is %q", round, row, what, value, rows[row])
				}
			}
		}
		for row, value := range rows {
			if acked[row] != value && open[row] != value {
				t.Fatalf("round %d: there is a row %s = %q, which nobody wrote", round, row, value)
			}
		}
	}
	t.Logf("%d rows acknowledged, %d left open", len(acked), len(open))
	eventually(t, "the replicas agree", func() bool { return a.digest() == b.digest() })
	a.end(syscall.SIGTERM, exitOK)
	b.end(syscall.SIGTERM, exitOK)
}

// writeAndKill puts rows from several writers, kills the node while they are at it,
// and notes what was acknowledged and what was not.
func writeAndKill(t *testing.T, n *upNode, round int, acked, open map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	var writers sync.WaitGroup
	var once sync.Once
	working := make(chan struct{}) // closed with the first acknowledgement
	for w := range killWriters {
		writers.Go(func() {
			for i := 0; ; i++ {
				row := fmt.Sprintf("round %02d writer %d row %05d", round, w, i)
				value := fmt.Sprintf("%d of %d", i, round)
				err := n.put(ctx, row, value)
				mu.Lock()
				if err != nil {
					open[row] = value
					mu.Unlock()
					return
				}
				acked[row] = value
				mu.Unlock()
				once.Do(func() { close(working) })
			}
		})
	}
	select {
	case <-working:
	case <-ctx.Done():
		t.Errorf("round %d: nothing was acknowledged", round)
	}
	// Early, amid and late in what the node does between two syncs of its own.
	time.Sleep(time.Duration(13*(round%10)) * time.Millisecond)
	if err := n.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	writers.Wait()
	n.end(syscall.SIGKILL, exitOK)
}
