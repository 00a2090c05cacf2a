package projection

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// edits is one memo that writes text into each of the rows.
func edits(at memo.Time, text string, rows ...string) Change {
	var out []memo.RowEdit
	for _, row := range rows {
		out = append(out, put(row, text))
	}
	return change(spaceA, at, 1, topic("t", out...))
}

func textOf(r merge.Row) string { return r.Cells[0].Register.Value.Text() }

// TestSnapshotsAreWhole reads while memos of several rows are applied and
// flushed all the time: every snapshot shows the rows of exactly one memo, the
// one of its LSN, and shows the same when read again. So does the file after a crash.
func TestSnapshotsAreWhole(t *testing.T) {
	const memos, readers = 1500, 3
	rows := []string{"a", "b", "c", "d", "e"}
	db := open(t, Options{FlushBytes: 1, MaxBytes: 1 << 14, FlushInterval: never})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for last := uint64(0); ; {
				s, err := db.Snapshot()
				if err != nil {
					t.Errorf("snapshot: %v", err)
					return
				}
				if s.LSN() < last {
					t.Errorf("a snapshot of LSN %d after one of %d", s.LSN(), last)
				}
				last = s.LSN()
				before := whole(t, s, rows)
				if !maps.Equal(before, states(t, s, spaceA)) {
					t.Errorf("the snapshot of LSN %d changed", s.LSN())
				}
				s.Close()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for lsn := uint64(1); lsn <= memos; lsn++ {
		must(t, db.Apply(lsn, []Change{edits(memo.Time(lsn), fmt.Sprint(lsn), rows...)}))
		if lsn%100 == 0 {
			afterCrash(t, db, rows)
		}
	}
	close(done)
	wg.Wait()
	must(t, db.Flush())
	if db.Applied() != memos {
		t.Errorf("Applied() = %d, want %d", db.Applied(), memos)
	}
}

// afterCrash checks that the file, as it is now, holds the memo of its LSN.
func afterCrash(t *testing.T, db *DB, rows []string) {
	path := filepath.Join(t.TempDir(), "after")
	crashCopy(t, db, path)
	after := mustOpen(t, path, Options{FlushInterval: never})
	whole(t, snapshot(t, after), rows)
	must(t, after.Close())
}

// whole checks that every row of s was written by the memo of its LSN.
func whole(t *testing.T, s *Snapshot, rows []string) map[string]string {
	got := states(t, s, spaceA)
	for _, row := range rows {
		r, live, err := s.Get(spaceA, "t", row)
		switch {
		case err != nil:
			t.Errorf("get: %v", err)
		case live != (s.LSN() > 0):
			t.Errorf("at LSN %d row %q is live: %v", s.LSN(), row, live)
		case live && textOf(r) != fmt.Sprint(s.LSN()):
			t.Errorf("at LSN %d row %q holds what memo %s wrote", s.LSN(), row, textOf(r))
		case live && got[merge.RowKey("t", row)] == "":
			t.Errorf("at LSN %d row %q can be got but is not among the states", s.LSN(), row)
		}
	}
	return got
}

// TestLongLivedSnapshot keeps a snapshot open while the file grows far beyond
// its first size: nobody waits for it, and it still shows what it showed.
func TestLongLivedSnapshot(t *testing.T) {
	db := open(t, Options{FlushBytes: 1 << 16, FlushInterval: never})
	must(t, db.Apply(1, []Change{edits(1, "old", "a", "b")}))
	must(t, db.Flush())
	s := snapshot(t, db)
	defer s.Close()
	want := states(t, s, spaceA)
	for lsn := uint64(2); lsn < 200; lsn++ {
		rows := []string{"a", "b"}
		for i := range 50 {
			rows = append(rows, fmt.Sprintf("row %d of %d", i, lsn))
		}
		must(t, db.Apply(lsn, []Change{edits(memo.Time(lsn), "new", rows...)}))
	}
	must(t, db.Flush())
	if !maps.Equal(states(t, s, spaceA), want) {
		t.Error("the snapshot changed")
	}
	if n, err := snapshot(t, db).Count(spaceA, Range{}); err != nil || n != 2+198*50 {
		t.Errorf("Count = %d, %v", n, err)
	}
}

// TestUseAfterClose: closed snapshots and projections say so, whichever layer
// they would have read.
func TestUseAfterClose(t *testing.T) {
	db := open(t, Options{})
	must(t, db.Apply(1, []Change{edits(1, "x", "in the file")}))
	must(t, db.Flush())
	must(t, db.Apply(2, []Change{edits(2, "x", "in memory")}))
	s, closed := snapshot(t, db), snapshot(t, db)
	closed.Close()
	closed.Close() // closing twice gives back one reference only
	if _, _, err := s.Get(spaceA, "t", "in the file"); err != nil {
		t.Errorf("a snapshot beside a closed one: %v", err)
	}
	next := func() error {
		for _, err := range closed.Scan(spaceA, Range{}) {
			return err
		}
		return nil
	}
	_, _, getErr := closed.Get(spaceA, "t", "in memory")
	_, countErr := closed.Count(spaceA, Range{})
	_, digestErr := closed.Digest(merge.DefaultParams(spaceA))
	must(t, db.Close())
	_, _, lostErr := s.Get(spaceA, "t", "in the file")
	_, snapErr := db.Snapshot()
	for what, err := range map[string]error{
		"Scan": next(), "Get": getErr, "Count": countErr, "Digest": digestErr,
		"Get of a closed DB": lostErr, "Snapshot": snapErr, "Apply": db.Apply(3, nil), "Flush": db.Flush(),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
	must(t, db.Close())
}

// TestBasesEnd: a generation of the file is let go with its last snapshot, or
// pages of the file would never be used again.
func TestBasesEnd(t *testing.T) {
	db := open(t, Options{FlushInterval: never})
	var snaps []*Snapshot
	for lsn := uint64(1); lsn <= 5; lsn++ {
		snaps = append(snaps, snapshot(t, db))
		must(t, db.Apply(lsn, []Change{edits(memo.Time(lsn), "x", "row")}))
		must(t, db.Flush())
	}
	open := func() int {
		db.file.mu.Lock()
		defer db.file.mu.Unlock()
		return len(db.file.bases)
	}
	if got := open(); got != 6 {
		t.Errorf("%d bases are open, want one for each of 5 snapshots and the newest", got)
	}
	for _, s := range snaps {
		s.Close()
	}
	if got := open(); got != 1 {
		t.Errorf("%d bases are open without a snapshot, want 1", got)
	}
}

// TestParallelReaders share one snapshot, as the Snapshot's contract allows.
func TestParallelReaders(t *testing.T) {
	db := open(t, Options{FlushInterval: never})
	var rows []string
	for i := range 400 {
		rows = append(rows, fmt.Sprintf("%03d", i))
	}
	must(t, db.Apply(1, []Change{edits(1, "x", rows...)}))
	must(t, db.Flush())
	s := snapshot(t, db)
	defer s.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if n := len(scanKeys(t, s, spaceA, Range{Topic: "t"})); n != len(rows) {
				t.Errorf("a scan of %d rows, want %d", n, len(rows))
			}
			for _, row := range rows {
				if _, live, err := s.Get(spaceA, "t", row); !live || err != nil {
					t.Errorf("row %s: %v, %v", row, live, err)
				}
			}
		})
	}
	wg.Wait()
}
