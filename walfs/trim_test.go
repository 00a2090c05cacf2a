package walfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// kept returns the records of a log with the LSN of the first, after checking that
// LSNs, positions and Seek agree.
func kept(l *Log) (first LSN, all []string, err error) {
	entries, err := read(l)
	first = l.First()
	for i, e := range entries {
		if e.LSN != first+LSN(i) {
			return first, nil, fmt.Errorf("record %d has LSN %d, the log begins at %d", i, e.LSN, first)
		}
		if p, err := l.Seek(e.LSN); err != nil || p != e.Pos {
			return first, nil, fmt.Errorf("record %d at %v, Seek says %v, %v", e.LSN, e.Pos, p, err)
		}
		all = append(all, string(e.Data))
	}
	if err == nil && l.Last()+1 != first+LSN(len(all)) {
		err = fmt.Errorf("%d records from %d on, the last is said to be %d", len(all), first, l.Last())
	}
	return first, all, err
}

// wantKept fails unless l holds exactly these records.
func wantKept(t testing.TB, l *Log, first LSN, want []string) {
	t.Helper()
	got, all, err := kept(l)
	if err != nil || got != first || !slices.Equal(all, want) {
		t.Fatalf("%d records from %d on, %v; want %d from %d on", len(all), got, err, len(want), first)
	}
}

// eight makes a log of four segments with two records each.
func eight(t testing.TB, l *Log) []string {
	t.Helper()
	all := numbered(8, 1500)
	for _, s := range all {
		mustAppend(t, l, Group, s)
	}
	if n := len(*l.segs.Load()); n != 4 {
		t.Fatalf("%d segments, want 4", n)
	}
	return all
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	all := eight(t, l)
	prune := func(before, want LSN) {
		t.Helper()
		if first, err := l.Prune(before); err != nil || first != want {
			t.Fatalf("Prune(%d): %d, %v; want %d", before, first, err, want)
		}
		wantKept(t, l, want, all[want-1:])
	}
	e, err := l.ReadAt(Position{1, headerSize})
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
	r, err := l.Reader(Position{3, headerSize})
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
	if _, err := l.ReadAt(Position{1, headerSize}); !errors.Is(err, ErrBadPosition) || !errors.Is(err, ErrPruned) {
		t.Fatalf("ReadAt in a pruned segment: %v", err)
	}
	if _, err := l.Seek(6); !errors.Is(err, ErrNotFound) || !errors.Is(err, ErrPruned) {
		t.Fatalf("Seek to a pruned record: %v", err)
	}
	for _, lsn := range []LSN{0, 10} {
		if _, err := l.Seek(lsn); !errors.Is(err, ErrNotFound) || errors.Is(err, ErrPruned) {
			t.Fatalf("Seek(%d): %v", lsn, err)
		}
	}
	mustClose(t, l)
	if _, err := l.Prune(1); !errors.Is(err, ErrClosed) {
		t.Fatalf("Prune, closed: %v", err)
	}
	l = mustOpen(t, dir, small)
	wantKept(t, l, 7, all[6:])
	if got, want := l.Recovery(), (Report{Segments: 1, Records: 2}); !cmp.Equal(got, want) {
		t.Fatalf("report %+v, want %+v", got, want)
	}
}

// TestPruneRefusedByDisk: a file that cannot be removed stays part of the log.
func TestPruneRefusedByDisk(t *testing.T) {
	fails := true
	disk := newCrashFS()
	o := small
	o.FS = removeFS{disk, &fails}
	l, err := Open(crashDir, o)
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
	mustClose(t, l)
}

// removeFS refuses to remove files while fails is set.
type removeFS struct {
	FS
	fails *bool
}

func (f removeFS) Remove(name string) error {
	if *f.fails {
		return errors.New("operation not permitted")
	}
	return f.FS.Remove(name)
}

func TestTruncate(t *testing.T) {
	for last := LSN(0); last <= 8; last++ {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			dir := t.TempDir()
			l := mustOpen(t, dir, small)
			all := eight(t, l)
			entries, err := read(l)
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
			killed := copyDir(t, dir)
			if found := verified(t, killed, nil); len(found) > 0 {
				t.Fatalf("behind the cut: %v", found)
			}
			look, err := Open(killed, Options{Degraded: true})
			if err != nil {
				t.Fatal(err)
			}
			for s, err := range look.Segments() { // no damage to what stays may pass for a torn tail
				if err != nil || s.Marked != s.Records || s.Mark != s.End {
					t.Fatalf("behind the cut: %+v, %v", s, err)
				}
			}
			mustClose(t, look)
			wantKept(t, mustOpen(t, killed, small), 1, all[:last])
			fresh := []string{"first behind the cut", strings.Repeat("x", 1500)}
			for i, s := range fresh {
				if at := mustAppend(t, l, Group, s)[0]; at.LSN != last+1+LSN(i) {
					t.Fatalf("appended as %d behind %d", at.LSN, last)
				}
			}
			want := append(all[:last:last], fresh...)
			wantKept(t, l, 1, want)
			wantKept(t, mustOpen(t, copyDir(t, dir), small), 1, want)
			mustClose(t, l)
			wantKept(t, mustOpen(t, dir, small), 1, want)
			for i, e := range entries {
				if string(e.Data) != all[i] {
					t.Fatalf("entry %d changed", i)
				}
			}
		})
	}
}

func TestTruncateRefused(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	all := eight(t, l)
	mustAppend(t, l, None, "a", "b", "c")
	all = append(all, "a", "b", "c")
	refused := func(last LSN, want error) {
		t.Helper()
		if err := l.Truncate(last); !errors.Is(err, want) {
			t.Fatalf("Truncate(%d): %v, want %v", last, err, want)
		}
		wantKept(t, l, l.First(), all[l.First()-1:])
	}
	refused(12, ErrNotFound)
	refused(9, ErrCutsBatch)
	refused(10, ErrCutsBatch)
	l.Checkpoint(5)
	refused(4, ErrCheckpointed)
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	refused(6, ErrReaderAhead)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if first, err := l.Prune(6); err != nil || first != 5 {
		t.Fatalf("Prune: %d, %v", first, err)
	}
	refused(3, ErrPruned)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	wantKept(t, l, 5, all[4:5])
	mustClose(t, l)
	if err := l.Truncate(5); !errors.Is(err, ErrClosed) {
		t.Fatalf("Truncate, closed: %v", err)
	}
}

// TestTrimAgainstModel holds random appends, cuts, prunings and reopenings against
// a slice.
func TestTrimAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk := newCrashFS()
		var l *Log
		var model []string // the whole history, pruned or not
		first, checkpoint := LSN(1), LSN(0)
		ends := map[LSN]bool{0: true} // where batches end
		reopen := func(rt *rapid.T) {
			if l != nil {
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
			}
			var err error
			if l, err = Open(crashDir, Options{SegmentSize: MinSegmentSize, FS: disk}); err != nil {
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
				if _, err := l.Append(None, records(model[at:]...)...); err != nil {
					rt.Fatal(err)
				}
				ends[LSN(len(model))] = true
			},
			"truncate": func(rt *rapid.T) {
				last := rapid.Uint64Range(0, uint64(len(model))+1).Draw(rt, "last")
				allowed := last+1 >= first && (last == LSN(len(model)) ||
					last < LSN(len(model)) && last >= checkpoint && (ends[last] || last+1 == first))
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
