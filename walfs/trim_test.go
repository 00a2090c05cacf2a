package walfs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// kept returns the records of a log with the LSN of the first, after checking that
// LSNs, positions and Seek agree.
func kept(l *walfs.Log) (first walfs.LSN, all []string, err error) {
	entries, err := walfs.Read(l)
	first = l.First()
	for i, e := range entries {
		if e.LSN != first+walfs.LSN(i) {
			return first, nil, fmt.Errorf("record %d has LSN %d, the log begins at %d", i, e.LSN, first)
		}
		if p, err := l.Seek(e.LSN); err != nil || p != e.Pos {
			return first, nil, fmt.Errorf("record %d at %v, Seek says %v, %v", e.LSN, e.Pos, p, err)
		}
		all = append(all, string(e.Data))
	}
	if err == nil && l.Last()+1 != first+walfs.LSN(len(all)) {
		err = fmt.Errorf("%d records from %d on, the last is said to be %d", len(all), first, l.Last())
	}
	return first, all, err
}

// wantKept fails unless l holds exactly these records.
func wantKept(t testing.TB, l *walfs.Log, first walfs.LSN, want []string) {
	t.Helper()
	got, all, err := kept(l)
	if err != nil || got != first || !slices.Equal(all, want) {
		t.Fatalf("%d records from %d on, %v; want %d from %d on", len(all), got, err, len(want), first)
	}
}

// eight makes a log of four segments with two records each.
func eight(t testing.TB, l *walfs.Log) []string {
	t.Helper()
	all := walfs.Numbered(8, 1500)
	for i, s := range all {
		if at := walfs.MustAppend(t, l, walfs.Group, s)[0].Pos.Segment; at != uint64(i/2+1) {
			t.Fatalf("record %d lies in segment %d, want %d", i+1, at, i/2+1)
		}
	}
	return all
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, walfs.Small)
	all := eight(t, l)
	prune := func(before, want walfs.LSN) {
		t.Helper()
		if first, err := l.Prune(before); err != nil || first != want {
			t.Fatalf("Prune(%d): %d, %v; want %d", before, first, err, want)
		}
		wantKept(t, l, want, all[want-1:])
	}
	e, err := l.ReadAt(walfs.Position{1, headerSize})
	if err != nil {
		t.Fatal(err)
	}
	prune(9, 1) // no checkpoint
	l.Checkpoint(4)
	l.Checkpoint(2) // goes back for nobody
	prune(2, 1)
	prune(3, 3)
	prune(9, 5) // the checkpoint
	l.Checkpoint(1 << 40)
	r, err := l.Reader(walfs.Position{3, headerSize})
	if err != nil {
		t.Fatal(err)
	}
	prune(9, 5) // the reader
	for range 3 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	prune(9, 7) // it went on
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	prune(1<<40, 7) // the last segment stays
	if string(e.Data) != all[0] {
		t.Fatal("an entry of a pruned segment changed")
	}
	if _, err := l.ReadAt(walfs.Position{1, headerSize}); !errors.Is(err, walfs.ErrBadPosition) || !errors.Is(err, walfs.ErrPruned) {
		t.Fatalf("ReadAt in a pruned segment: %v", err)
	}
	if _, err := l.Seek(6); !errors.Is(err, walfs.ErrNotFound) || !errors.Is(err, walfs.ErrPruned) {
		t.Fatalf("Seek to a pruned record: %v", err)
	}
	for _, lsn := range []walfs.LSN{0, 10} {
		if _, err := l.Seek(lsn); !errors.Is(err, walfs.ErrNotFound) || errors.Is(err, walfs.ErrPruned) {
			t.Fatalf("Seek(%d): %v", lsn, err)
		}
	}
	walfs.MustClose(t, l)
	if _, err := l.Prune(1); !errors.Is(err, walfs.ErrClosed) {
		t.Fatalf("Prune, closed: %v", err)
	}
	l = walfs.MustOpen(t, dir, walfs.Small)
	wantKept(t, l, 7, all[6:])
	if got, want := l.Recovery(), (walfs.Report{Segments: 1, Records: 2}); !cmp.Equal(got, want) {
		t.Fatalf("report %+v, want %+v", got, want)
	}
}

// TestPruneRefusedByDisk: a file that cannot be removed stays part of the log.
func TestPruneRefusedByDisk(t *testing.T) {
	fails := true
	o := walfs.Small
	o.FS = walfstest.Faults{FS: walfstest.NewDisk(), Decide: func(c walfstest.Call) walfstest.Fate {
		if fails && c.Op == walfstest.Remove {
			return walfstest.Fate{Err: errors.New("operation not permitted")}
		}
		return walfstest.Fate{}
	}}
	l, err := walfs.Open(crashDir, o)
	if err != nil {
		t.Fatal(err)
	}
	all := eight(t, l)
	l.Checkpoint(8)
	if first, err := l.Prune(9); err == nil || first != 1 {
		t.Fatalf("Prune: %d, %v", first, err)
	}
	wantKept(t, l, 1, all)
	fails = false
	if first, err := l.Prune(9); err != nil || first != 7 {
		t.Fatalf("Prune, again: %d, %v", first, err)
	}
	walfs.MustClose(t, l)
}

func TestTruncate(t *testing.T) {
	for last := walfs.LSN(0); last <= 8; last++ {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			dir := t.TempDir()
			l := walfs.MustOpen(t, dir, walfs.Small)
			all := eight(t, l)
			entries, err := walfs.Read(l)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Truncate(last); err != nil {
				t.Fatal(err)
			}
			wantKept(t, l, 1, all[:last])
			if l.Durable() != last {
				t.Fatalf("durable %d, want %d", l.Durable(), last)
			}
			killed := walfs.CopyDir(t, dir)
			if found := verified(t, killed, nil); len(found) > 0 {
				t.Fatalf("behind the cut: %v", found)
			}
			look, err := walfs.Open(killed, walfs.Options{Degraded: true})
			if err != nil {
				t.Fatal(err)
			}
			for s, err := range look.Segments() { // no damage to what stays may pass for a torn tail
				if err != nil || s.Marked != s.Records || s.Mark != s.End {
					t.Fatalf("behind the cut: %+v, %v", s, err)
				}
			}
			walfs.MustClose(t, look)
			wantKept(t, walfs.MustOpen(t, killed, walfs.Small), 1, all[:last])
			fresh := []string{"first behind the cut", strings.Repeat("x", 1500)}
			for i, s := range fresh {
				if at := walfs.MustAppend(t, l, walfs.Group, s)[0]; at.LSN != last+1+walfs.LSN(i) {
					t.Fatalf("appended as %d behind %d", at.LSN, last)
				}
			}
			want := append(all[:last:last], fresh...)
			wantKept(t, l, 1, want)
			wantKept(t, walfs.MustOpen(t, walfs.CopyDir(t, dir), walfs.Small), 1, want)
			walfs.MustClose(t, l)
			wantKept(t, walfs.MustOpen(t, dir, walfs.Small), 1, want)
			for i, e := range entries {
				if string(e.Data) != all[i] {
					t.Fatalf("entry %d changed", i)
				}
			}
		})
	}
}

func TestTruncateRefused(t *testing.T) {
	l := walfs.MustOpen(t, t.TempDir(), walfs.Small)
	all := eight(t, l)
	walfs.MustAppend(t, l, walfs.None, "a", "b", "c")
	all = append(all, "a", "b", "c")
	refused := func(last walfs.LSN, want error) {
		t.Helper()
		if err := l.Truncate(last); !errors.Is(err, want) {
			t.Fatalf("Truncate(%d): %v, want %v", last, err, want)
		}
		wantKept(t, l, l.First(), all[l.First()-1:])
	}
	refused(12, walfs.ErrNotFound)
	refused(9, walfs.ErrCutsBatch)
	refused(10, walfs.ErrCutsBatch)
	l.Checkpoint(5)
	refused(4, walfs.ErrCheckpointed)
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	refused(6, walfs.ErrReaderAhead)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if first, err := l.Prune(6); err != nil || first != 5 {
		t.Fatalf("Prune: %d, %v", first, err)
	}
	refused(3, walfs.ErrPruned)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	wantKept(t, l, 5, all[4:5])
	walfs.MustClose(t, l)
	if err := l.Truncate(5); !errors.Is(err, walfs.ErrClosed) {
		t.Fatalf("Truncate, closed: %v", err)
	}
}

// TestTrimAgainstModel holds random appends, cuts, prunings and reopenings against
// a slice.
func TestTrimAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := walfstest.NewDisk()
		var l *walfs.Log
		var model []string // the whole history, pruned or not
		first, checkpoint := walfs.LSN(1), walfs.LSN(0)
		ends := map[walfs.LSN]bool{0: true} // where batches end
		reopen := func(rt *rapid.T) {
			if l != nil {
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
			}
			var err error
			if l, err = walfs.Open(crashDir, walfs.Options{SegmentSize: walfs.MinSegmentSize, FS: disk}); err != nil {
				rt.Fatal(err)
			}
			checkpoint = 0
		}
		reopen(rt)
		defer func() { l.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				for i, n := range rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 5).Draw(rt, "lengths") {
					model = append(model, strings.Repeat(string(rune('a'+i)), n))
				}
				at := l.Last()
				if _, err := l.Append(walfs.None, walfs.Records(model[at:]...)...); err != nil {
					rt.Fatal(err)
				}
				ends[walfs.LSN(len(model))] = true
			},
			"truncate": func(rt *rapid.T) {
				last := rapid.Uint64Range(0, uint64(len(model))+1).Draw(rt, "last")
				allowed := last+1 >= first && (last == walfs.LSN(len(model)) ||
					last < walfs.LSN(len(model)) && last >= checkpoint && (ends[last] || last+1 == first))
				if err := l.Truncate(last); (err == nil) != allowed {
					rt.Fatalf("Truncate(%d) of %d to %d, checkpoint %d, batch ends there %v: %v",
						last, first, len(model), checkpoint, ends[last], err)
				}
				if allowed {
					model = model[:last]
					for lsn := range ends {
						if lsn > last {
							delete(ends, lsn)
						}
					}
				}
			},
			"prune": func(rt *rapid.T) {
				checkpoint = max(checkpoint, rapid.Uint64Range(0, uint64(len(model))).Draw(rt, "checkpoint"))
				before := rapid.Uint64Range(0, uint64(len(model))).Draw(rt, "before")
				l.Checkpoint(checkpoint)
				now, err := l.Prune(before)
				if err != nil || now < first || now > max(first, before) || now > max(first, checkpoint+1) {
					rt.Fatalf("Prune(%d) from %d on, checkpoint %d: %d, %v", before, first, checkpoint, now, err)
				}
				first = now
			},
			"reopen": reopen,
			"": func(rt *rapid.T) {
				got, all, err := kept(l)
				if err != nil || got != first || !slices.Equal(all, model[first-1:]) {
					rt.Fatalf("log has %d records from %d on, model %d from %d on: %v", len(all), got, len(model), first, err)
				}
			},
		})
	})
}
