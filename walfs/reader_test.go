package walfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestConcurrentReaders tails a log across segments while others append.
func TestConcurrentReaders(t *testing.T) {
	const readers, writers, each = 6, 3, 150
	l := mustOpen(t, t.TempDir(), small)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			r, err := l.Reader(Position{})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			next := map[byte]int{} // by writer: each one's records stay in order
			for want := LSN(1); want <= writers*each; {
				e, err := r.Next()
				if errors.Is(err, ErrNoNewData) {
					err = r.Wait(ctx)
				} else if err == nil {
					w := e.Data[0]
					if e.LSN != want || string(e.Data[1:]) != fmt.Sprintf("%0200d", next[w]) {
						t.Errorf("read LSN %d (want %d) of writer %d: %s", e.LSN, want, w, e.Data)
						return
					}
					next[w]++
					want++
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				data := append([]byte{byte(w)}, fmt.Sprintf("%0200d", i)...)
				if _, err := l.Append([]Durability{None, Group, Each, Interval(time.Millisecond)}[i%4], Record{KindBlock, data}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestWait(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	wait := func() <-chan error {
		done := make(chan error, 1)
		go func() { done <- r.Wait(ctx) }()
		return done
	}
	done := wait()
	mustAppend(t, l, None, "x")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(ctx); err != nil {
		t.Fatalf("Wait with a record ahead: %v", err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	done = wait()
	cancel(nil)
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait, cancelled: %v", err)
	}
	ctx = t.Context()
	done = wait()
	mustClose(t, l)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Fatalf("Wait on a log that closes: %v", err)
	}
}

// TestWaitAcrossSegments: an empty new segment is no news, a record in it is.
func TestWaitAcrossSegments(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	mustAppend(t, l, None, numbered(1, 3900)...)
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	err = l.rotate(0)
	l.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait before an empty segment: %v", err)
	}
	mustAppend(t, l, None, "x")
	if err := r.Wait(ctx); err != nil {
		t.Fatalf("Wait before a segment with a record: %v", err)
	}
	if e, err := r.Next(); err != nil || string(e.Data) != "x" {
		t.Fatalf("read %q, %v", e.Data, err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrNoNewData) {
		t.Fatalf("at the end: %v", err)
	}
}

// TestStartAnywhere reads from every position, every segment end, and from Seek.
func TestStartAnywhere(t *testing.T) {
	want := numbered(300, 100)
	l := mustOpen(t, t.TempDir(), Options{SegmentSize: 16 << 10})
	var at []Position
	for _, s := range want {
		at = append(at, mustAppend(t, l, None, s)[0].Pos)
	}
	readFrom := func(p Position) []string {
		r, err := l.Reader(p)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var got []string
		for {
			e, err := r.Next()
			if errors.Is(err, ErrNoNewData) {
				return got
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(e.Data))
		}
	}
	for i, p := range at {
		if diff := cmp.Diff(want[i:], readFrom(p)); diff != "" {
			t.Fatalf("from %v: %s", p, diff)
		}
	}
	for _, s := range *l.segs.Load() {
		var rest []string
		if next := s.next.Load(); next != nil {
			rest = want[next.first-1:]
		}
		if diff := cmp.Diff(rest, readFrom(Position{s.id, uint64(s.end.Load())})); diff != "" {
			t.Fatalf("from the end of segment %d: %s", s.id, diff)
		}
	}
	end, err := l.Seek(l.Last() + 1)
	if err != nil || len(readFrom(end)) != 0 {
		t.Fatalf("Seek to the live end: %v, %v", end, err)
	}
	if _, err := l.ReadAt(end); !errors.Is(err, ErrNoNewData) {
		t.Fatalf("ReadAt the live end: %v, want ErrNoNewData", err)
	}
	for _, lsn := range []LSN{0, l.Last() + 2} {
		if _, err := l.Seek(lsn); !errors.Is(err, ErrNotFound) {
			t.Fatalf("Seek(%d): %v, want ErrNotFound", lsn, err)
		}
	}
}

func TestBadPositions(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	mustAppend(t, l, None, "one", "two")
	end := uint64(l.Size())
	for _, p := range []Position{{0, 64}, {2, 64}, {1, 0}, {1, 65}, {1, end + 8}, {1, 1 << 63}} {
		if _, err := l.ReadAt(p); !errors.Is(err, ErrBadPosition) {
			t.Errorf("ReadAt(%v): %v, want ErrBadPosition", p, err)
		}
		if _, err := l.Reader(p); !errors.Is(err, ErrBadPosition) {
			t.Errorf("Reader(%v): %v, want ErrBadPosition", p, err)
		}
	}
	var damage *DamageError
	if e, err := l.ReadAt(Position{1, 72}); !errors.As(err, &damage) {
		t.Errorf("ReadAt in the middle of a frame: %+v, %v", e, err)
	}
}

// TestEntriesOutliveReader: slices handed out never change, whatever is read or
// appended later.
func TestEntriesOutliveReader(t *testing.T) {
	want := numbered(400, 300)
	l := mustOpen(t, t.TempDir(), Options{SegmentSize: 64 << 10})
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for _, s := range want {
		mustAppend(t, l, None, s)
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	for i, e := range entries {
		if string(e.Data) != want[i] {
			t.Fatalf("entry %d became %q", i, e.Data)
		}
	}
}

// TestUnreadable: a page that cannot be had is an error, not the end of the
// process, and no damage.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{SegmentSize: 64 << 10})
	mustAppend(t, l, Group, numbered(40, 1000)...)
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segmentPath(dir, 1), 8<<10); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, ErrUnreadable) || errors.As(err, new(*DamageError)) {
		t.Fatalf("read behind the end of the file: %v", err)
	}
}

// TestEntryOutlivesLog: what an Entry shows stays when the log is closed and its
// files are gone.
func TestEntryOutlivesLog(t *testing.T) {
	dir := t.TempDir()
	l, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	p := mustAppend(t, l, Group, "kept")[0].Pos
	e, err := l.ReadAt(p)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l = nil
	for range 3 {
		runtime.GC()
	}
	if string(e.Data) != "kept" {
		t.Fatalf("entry became %q", e.Data)
	}
	runtime.KeepAlive(e)
}
