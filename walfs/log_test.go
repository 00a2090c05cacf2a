package walfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{})
	if l.Last() != 0 || l.Durable() != 0 || l.Size() != headerSize {
		t.Fatalf("empty log: last %d, durable %d, %d bytes", l.Last(), l.Durable(), l.Size())
	}
	var placed []Placed
	for _, d := range []Durability{None, Group} {
		p, err := l.Append(d, Record{KindRun, []byte("run")}, Record{KindOwnSeal, nil}, Record{99, []byte{0}})
		if err != nil {
			t.Fatal(err)
		}
		placed = append(placed, p...)
	}
	if l.Last() != 6 || l.Durable() != 6 {
		t.Fatalf("last %d, durable %d, want 6 and 6", l.Last(), l.Durable())
	}
	check := func(l *Log) {
		t.Helper()
		for i, p := range placed {
			e, err := l.ReadAt(p.Pos)
			want := [][]byte{[]byte("run"), {}, {0}}[i%3]
			if err != nil || e.LSN != LSN(i+1) || p.LSN != e.LSN || e.Pos != p.Pos ||
				e.Kind != []Kind{KindRun, KindOwnSeal, 99}[i%3] || string(e.Data) != string(want) {
				t.Fatalf("record %d: %+v, %v", i+1, e, err)
			}
		}
	}
	check(l)
	size := l.Size()
	mustClose(t, l)
	l = mustOpen(t, dir, Options{})
	check(l)
	if got, want := l.Recovery(), (Report{Segments: 1, Records: 6}); got != want || l.Size() != size {
		t.Fatalf("recovery %+v, want %+v; size %d, want %d", got, want, l.Size(), size)
	}
}

// TestSegmentSizeFromFile reopens with other sizes: what exists keeps its own.
func TestSegmentSizeFromFile(t *testing.T) {
	dir := t.TempDir()
	want := numbered(60, 500)
	l := mustOpen(t, dir, Options{SegmentSize: 64 << 10})
	mustAppend(t, l, None, want[:30]...)
	mustClose(t, l)
	l = mustOpen(t, dir, small)
	mustAppend(t, l, None, want[30:31]...)
	if segs := *l.segs.Load(); len(segs) != 1 || segs[0].size != 64<<10 {
		t.Fatalf("%d segments, the first of %d bytes", len(segs), segs[0].size)
	}
	for _, s := range want[31:] {
		mustAppend(t, l, None, s)
	}
	mustAppend(t, l, None, numbered(20, 3900)...) // more than the first has left
	want = append(want, numbered(20, 3900)...)
	mustClose(t, l)
	l = mustOpen(t, dir, Options{})
	if diff := cmp.Diff(want, mustTexts(t, l)); diff != "" {
		t.Fatal(diff)
	}
}

// TestBatchStaysTogether: a batch never straddles segments, however large.
func TestBatchStaysTogether(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	for _, batch := range [][]string{numbered(1, 2000), numbered(3, 1000), numbered(9, 3000), numbered(2, 10)} {
		placed := mustAppend(t, l, Group, batch...)
		for _, p := range placed {
			if p.Pos.Segment != placed[0].Pos.Segment {
				t.Fatalf("batch of %d lies in segments %d and %d", len(batch), placed[0].Pos.Segment, p.Pos.Segment)
			}
		}
	}
	if got := len(mustTexts(t, l)); got != 15 {
		t.Fatalf("%d records, want 15", got)
	}
	if n := len(*l.segs.Load()); n < 3 {
		t.Fatalf("%d segments: nothing was rotated", n)
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	limit := int(small.maxData())
	mustAppend(t, l, Group, strings.Repeat("x", limit))
	before := l.Size()
	_, err := l.Append(Group, records("fits", strings.Repeat("x", limit+1))...)
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprint(limit)) {
		t.Fatalf("oversized record: %v, want ErrTooLarge naming %d", err, limit)
	}
	if _, err := l.Append(None, Record{0, []byte("x")}); !errors.Is(err, ErrBadRecord) {
		t.Fatalf("kind 0: %v, want ErrBadRecord", err)
	}
	for _, d := range []Durability{-9, Interval(0), Interval(-1)} {
		if _, err := l.Append(d, records("x")...); !errors.Is(err, ErrBadOptions) {
			t.Fatalf("durability %v: %v, want ErrBadOptions", d, err)
		}
	}
	if p, err := l.Append(Group); p != nil || err != nil {
		t.Fatalf("empty batch: %v, %v", p, err)
	}
	if l.Size() != before || l.Last() != 1 {
		t.Fatalf("a refused append left %d bytes and LSN %d", l.Size()-before, l.Last())
	}
	for _, size := range []int64{-1, 1, MinSegmentSize - 8, MinSegmentSize + 1, MaxSegmentSize + 8} {
		if _, err := Open(dir, Options{SegmentSize: size}); !errors.Is(err, ErrBadOptions) {
			t.Fatalf("segment size %d: %v, want ErrBadOptions", size, err)
		}
	}
}

func TestClosed(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	placed := mustAppend(t, l, None, "x")
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, l) // does not wait for the reader
	calls := map[string]func() error{
		"Append": func() error { _, err := l.Append(None, records("x")...); return err },
		"Sync":   l.Sync,
		"ReadAt": func() error { _, err := l.ReadAt(placed[0].Pos); return err },
		"Reader": func() error { _, err := l.Reader(Position{}); return err },
		"Seek":   func() error { _, err := l.Seek(1); return err },
		"Close":  l.Close,
		"Next":   func() error { _, err := r.Next(); return err },
		"Wait":   func() error { return r.Wait(t.Context()) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestNewDirectory makes parents, and leaves files it does not know alone.
func TestNewDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	l := mustOpen(t, dir, small)
	mustAppend(t, l, Group, "x")
	mustClose(t, l)
	for _, name := range []string{"notes.txt", "1.wal", "00000000000000000002.wal.bak"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	temp := segmentPath(dir, 2) + tempSuffix
	if err := os.WriteFile(temp, []byte("cut short by a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, dir, small)
	if got := mustTexts(t, l); !cmp.Equal(got, []string{"x"}) {
		t.Fatalf("log has %q", got)
	}
	left := files(t, dir)
	if _, ok := left[filepath.Base(temp)]; ok || len(left) != 4 {
		t.Fatalf("directory holds %d files, the temporary one: %v", len(left), ok)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "file"), small); err == nil {
		t.Fatal("opened a log in a file")
	}
}
