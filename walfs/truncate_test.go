package walfs_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// TestTruncateUnderReaders: readers at and before the cut, and one that waits in an
// empty segment behind it, read on as if nothing had been there.
func TestTruncateUnderReaders(t *testing.T) {
	for last := walfs.LSN(1); last <= 8; last++ {
		l := walfs.MustOpen(t, t.TempDir(), walfs.Small)
		all := eight(t, l)
		var readers []*walfs.Reader
		for read := range int(last) + 1 {
			r, err := l.Reader(walfs.Position{})
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
			if err := l.RotateNow(); err != nil {
				t.Fatal(err)
			}
			if _, err := readers[8].Next(); !errors.Is(err, walfs.ErrNoNewData) {
				t.Fatal(err)
			}
			walfs.MustAppend(t, l, walfs.None, "cut off")
		}
		if err := l.Truncate(last); err != nil {
			t.Fatal(err)
		}
		want := append(all[:last:last], "new", strings.Repeat("y", 3000))
		walfs.MustAppend(t, l, walfs.None, want[last:]...)
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
	disk := walfstest.NewDisk()
	l := reopen(t, "at first", disk)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 60 {
				if _, err := l.Append([]walfs.Durability{walfs.None, walfs.Group}[i%2], walfs.Records(strings.Repeat("z", 300))...); err != nil {
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
	after := reopen(t, "after a power cut", disk.PowerCut(walfstest.Nothing))
	if _, all, err := kept(after); err != nil || walfs.LSN(len(all)) < durable {
		t.Fatalf("%d records after a power cut, %v; %d were durable", len(all), err, durable)
	}
	walfs.MustClose(t, l)
}

// TestTruncateLargeSegment: what the index knew of the records cut off is gone.
func TestTruncateLargeSegment(t *testing.T) {
	l := walfs.MustOpen(t, t.TempDir(), walfs.Options{SegmentSize: 256 << 10})
	all := walfs.Numbered(100, 1000)
	walfs.MustAppend(t, l, walfs.None, all[:5]...)
	walfs.MustAppend(t, l, walfs.None, all[5:]...)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	want := append(all[:5:5], walfs.Numbered(150, 700)...)
	walfs.MustAppend(t, l, walfs.None, want[5:]...)
	wantKept(t, l, 1, want)
}

// TestTruncateWhileSyncing: a sync that began before the cut does not make what
// comes behind the cut durable, nor write another segment's mark.
func TestTruncateWhileSyncing(t *testing.T) {
	disk := walfstest.NewDisk()
	syncing, goOn := make(chan struct{}), make(chan struct{})
	var block atomic.Bool
	o := walfs.Small
	o.FS = hookOn(disk, func(op walfstest.Op, _ string) error {
		if op == walfstest.Sync && block.CompareAndSwap(true, false) {
			close(syncing)
			<-goOn
		}
		return nil
	})
	l, err := walfs.Open(crashDir, o)
	if err != nil {
		t.Fatal(err)
	}
	all := eight(t, l)
	var wg sync.WaitGroup
	block.Store(true)
	wg.Go(func() {
		if _, err := l.Append(walfs.Group, walfs.Records("nine")...); err != nil {
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
	if err := walfs.WaitDurable(l, 9); err != nil { // as an appender does who comes late
		t.Fatal(err)
	}
	wantKept(t, l, 1, all[:3])
	walfs.MustAppend(t, l, walfs.Group, "four")
	wantKept(t, reopen(t, "after a power cut", disk.PowerCut(walfstest.Nothing)), 1, append(all[:3:3], "four"))
	walfs.MustClose(t, l)
}

// TestTruncateDiskFails fails each step of a Truncate in turn: either nothing is
// changed, or the log is stopped and holds the cut and more when opened again. A
// failed Close of the file that was cut comes too late to undo anything.
func TestTruncateDiskFails(t *testing.T) {
	harmless := []walfstest.Op{walfstest.Open, walfstest.Map, walfstest.Read, walfstest.Size, walfstest.Close}
	for n := 1; ; n++ {
		disk, steps := walfstest.NewDisk(), 0
		armed := false
		o := walfs.Inline(walfs.Small)
		o.FS = hookOn(disk, func(op walfstest.Op, _ string) error {
			if armed && !slices.Contains(harmless, op) {
				if steps++; steps == n {
					return errors.New("input/output error")
				}
			}
			return nil
		})
		l, err := walfs.Open(crashDir, o)
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
		if !errors.Is(err, walfs.ErrStopped) {
			wantKept(t, l, 1, all)
			walfs.MustAppend(t, l, walfs.Group, "goes on")
			all = append(all, "goes on")
		}
		l.Close()
		for _, pick := range []walfstest.Pick{walfstest.Nothing, walfstest.Everything} {
			after := reopen(t, fmt.Sprintf("step %d failed", n), disk.PowerCut(pick))
			_, found, err := kept(after)
			if err != nil || len(found) < 3 || !slices.Equal(found, all[:len(found)]) || !errors.Is(l.Stopped(), walfs.ErrStopped) && len(found) != len(all) {
				t.Fatalf("step %d failed: %d records, %v", n, len(found), err)
			}
		}
	}
}
