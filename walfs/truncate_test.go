package walfs

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

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

// TestTruncateLargeSegment: what the index knew of the records cut off is gone.
func TestTruncateLargeSegment(t *testing.T) {
	l := mustOpen(t, t.TempDir(), Options{SegmentSize: 256 << 10})
	all := numbered(100, 1000)
	mustAppend(t, l, None, all[:5]...)
	mustAppend(t, l, None, all[5:]...)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	want := append(all[:5:5], numbered(150, 700)...)
	mustAppend(t, l, None, want[5:]...)
	wantKept(t, l, 1, want)
}

// TestTruncateWhileSyncing: a sync that began before the cut does not make what
// comes behind the cut durable, nor write another segment's mark.
func TestTruncateWhileSyncing(t *testing.T) {
	disk := newCrashFS()
	syncing, goOn := make(chan struct{}), make(chan struct{})
	var block atomic.Bool
	o := small
	o.FS = hookFS{disk, func(op, name string) error {
		if op == "sync" && block.CompareAndSwap(true, false) {
			close(syncing)
			<-goOn
		}
		return nil
	}}
	l, err := Open(crashDir, o)
	if err != nil {
		t.Fatal(err)
	}
	all := eight(t, l)
	var wg sync.WaitGroup
	block.Store(true)
	wg.Go(func() {
		if _, err := l.Append(Group, records("nine")...); err != nil {
			t.Error(err)
		}
	})
	<-syncing
	wg.Go(func() {
		if err := l.Truncate(3); err != nil {
			t.Error(err)
		}
	})
	for range 1000 {
		runtime.Gosched() // Truncate comes as far as it can
	}
	close(goOn)
	wg.Wait()
	if l.Durable() != 3 {
		t.Fatalf("durable %d behind a cut at 3", l.Durable())
	}
	if err := l.waitDurable(9); err != nil { // as an appender does who comes late
		t.Fatal(err)
	}
	wantKept(t, l, 1, all[:3])
	mustAppend(t, l, Group, "four")
	wantKept(t, reopen(t, "after a power cut", disk.powerCut(nothing)), 1, append(all[:3:3], "four"))
	mustClose(t, l)
}

// TestTruncateDiskFails fails each step of a Truncate in turn: either nothing is
// changed, or the log is stopped and holds the cut and more when opened again.
func TestTruncateDiskFails(t *testing.T) {
	for n := 1; ; n++ {
		disk, steps := newCrashFS(), 0
		armed := false
		o := inline(small)
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
