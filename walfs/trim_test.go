package walfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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
			wantKept(t, mustOpen(t, copyDir(t, dir), small), 1, all[:last]) // killed
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

// TestTruncateUnderReaders: readers at and before the cut, and one that waits in an
// empty segment behind it, read on as if nothing had been there.
func TestTruncateUnderReaders(t *testing.T) {
	for last := LSN(1); last <= 8; last++ {
		l := mustOpen(t, t.TempDir(), small)
		all := eight(t, l)
		var readers []*Reader
		for read := range int(last) + 1 {
			r, err := l.Reader(Position{})
			if err != nil {
				t.Fatal(err)
			}
			for range read {
				if _, err := r.Next(); err != nil {
					t.Fatal(err)
				}
			}
			readers = append(readers, r)
		}
		if last == 8 {
			l.mu.Lock()
			err := l.rotate(0)
			l.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readers[8].Next(); !errors.Is(err, ErrNoNewData) {
				t.Fatal(err)
			}
			mustAppend(t, l, None, "cut off")
		}
		if err := l.Truncate(last); err != nil {
			t.Fatal(err)
		}
		want := append(all[:last:last], "new", strings.Repeat("y", 3000))
		mustAppend(t, l, None, want[last:]...)
		for read, r := range readers {
			for _, s := range want[read:] {
				if e, err := r.Next(); err != nil || string(e.Data) != s {
					t.Fatalf("cut at %d, reader at %d: read %.10q, %v; want %.10q", last, read, e.Data, err, s)
				}
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestTruncateAmongAppenders: records are numbered without gap, whoever cuts while
// others append, and everything the log calls durable is there afterwards.
func TestTruncateAmongAppenders(t *testing.T) {
	disk := newCrashFS()
	l := reopen(t, "at first", disk)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 60 {
				if _, err := l.Append([]Durability{None, Group}[i%2], records(strings.Repeat("z", 300))...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 40 {
			last := l.Last()
			if err := l.Truncate(last - last/4); err != nil {
				t.Error(err)
			}
			if first, err := l.Prune(last / 8); err != nil || first != 1 {
				t.Error(first, err)
			}
		}
	})
	wg.Wait()
	durable := l.Durable()
	if _, _, err := kept(l); err != nil {
		t.Fatal(err)
	}
	after := reopen(t, "after a power cut", disk.powerCut(nothing))
	if _, all, err := kept(after); err != nil || LSN(len(all)) < durable {
		t.Fatalf("%d records after a power cut, %v; %d were durable", len(all), err, durable)
	}
	mustClose(t, l)
}

// TestTruncateDiskFails fails each step of a Truncate in turn: either nothing is
// changed, or the log is stopped and holds the cut and more when opened again.
func TestTruncateDiskFails(t *testing.T) {
	for n := 1; ; n++ {
		disk, steps := newCrashFS(), 0
		armed := false
		o := small
		o.FS = hookFS{disk, func(op, name string) error {
			if armed && op != "open" && op != "map" && op != "read" {
				if steps++; steps == n {
					return errors.New("input/output error")
				}
			}
			return nil
		}}
		l, err := Open(crashDir, o)
		if err != nil {
			t.Fatal(err)
		}
		all := eight(t, l)
		armed = true
		err = l.Truncate(3)
		armed = false
		if err == nil {
			if steps >= n {
				t.Fatalf("step %d failed and nobody said so", n)
			}
			return
		}
		if !errors.Is(err, ErrStopped) {
			wantKept(t, l, 1, all)
			mustAppend(t, l, Group, "goes on")
			all = append(all, "goes on")
		}
		l.Close()
		for _, pick := range []picker{nothing, everything} {
			after := reopen(t, fmt.Sprintf("step %d failed", n), disk.powerCut(pick))
			_, found, err := kept(after)
			if err != nil || len(found) < 3 || !slices.Equal(found, all[:len(found)]) || !errors.Is(l.group.err(), ErrStopped) && len(found) != len(all) {
				t.Fatalf("step %d failed: %d records, %v", n, len(found), err)
			}
		}
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
