package walfs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// refuses opens a damaged log, wants a DamageError that names file and offset
// (any offset when it is -1), and nothing changed on disk.
func refuses(t *testing.T, dir, file string, offset int64) {
	t.Helper()
	before := files(t, dir)
	l, err := Open(dir, small)
	if err == nil {
		all, readErr := texts(l)
		l.Close()
		t.Fatalf("opened a damaged log with %d records, %v", len(all), readErr)
	}
	var damage *DamageError
	if !errors.As(err, &damage) {
		t.Fatalf("%v: want a DamageError", err)
	}
	if damage.File != filepath.Join(dir, file) || (offset >= 0 && damage.Offset != offset) {
		t.Fatalf("%v: want file %s, offset %d", err, file, offset)
	}
	if !maps.Equal(before, files(t, dir)) {
		t.Fatalf("%v: the refused log was changed", err)
	}
}

// promised makes a log of two segments, closed properly: all of it lies below
// the durable marks.
func promised(t *testing.T) (dir string, placed []Placed) {
	t.Helper()
	dir = t.TempDir()
	l := mustOpen(t, dir, small)
	for _, s := range numbered(8, 800) {
		placed = append(placed, mustAppend(t, l, None, s)...)
	}
	mustClose(t, l)
	if last := placed[len(placed)-1].Pos.Segment; last != 2 {
		t.Fatalf("the log has %d segments, the test wants 2", last)
	}
	return dir, placed
}

// TestEveryBit flips every bit of the records of a sealed and of the active
// segment: each is noticed, at its frame, and nothing is overwritten.
func TestEveryBit(t *testing.T) {
	dir, placed := unsynced(t)
	l := mustOpen(t, dir, small)
	for _, s := range numbered(5, 20) {
		placed = append(placed, mustAppend(t, l, None, s)...)
	}
	end := l.Size()
	mustClose(t, l)
	name := segmentPath(dir, 1)
	whole := readFile(t, name)
	frame := 0
	for off := int64(0); off < end; off++ {
		for frame+1 < len(placed) && placed[frame+1].Pos.Offset <= uint64(off) {
			frame++
		}
		want := int64(placed[frame].Pos.Offset)
		if off < headerSize {
			want = 0
		}
		for bit := range 8 {
			b := []byte(whole)
			b[off] ^= 1 << bit
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, dir, segmentName(1), want)
		}
	}
}

func TestDamageBelowMark(t *testing.T) {
	t.Run("sealed segment", func(t *testing.T) {
		dir, placed := promised(t)
		off := int64(placed[2].Pos.Offset)
		patch(t, segmentPath(dir, 1), off+100, "X")
		refuses(t, dir, segmentName(1), off)
	})
	t.Run("length zeroed", func(t *testing.T) {
		dir, placed := promised(t)
		off := int64(placed[len(placed)-1].Pos.Offset)
		patch(t, segmentPath(dir, 2), off, "\x00\x00\x00\x00\x00\x00\x00\x00")
		refuses(t, dir, segmentName(2), off)
	})
	t.Run("frames exchanged", func(t *testing.T) {
		dir, placed := promised(t)
		name := segmentPath(dir, 1)
		b := readFile(t, name)
		one, two, three := placed[0].Pos.Offset, placed[1].Pos.Offset, placed[2].Pos.Offset
		patch(t, name, int64(one), b[two:three]+b[one:two])
		refuses(t, dir, segmentName(1), int64(one))
	})
	t.Run("truncated", func(t *testing.T) {
		dir, placed := promised(t)
		if err := os.Truncate(segmentPath(dir, 2), int64(placed[len(placed)-1].Pos.Offset)); err != nil {
			t.Fatal(err)
		}
		refuses(t, dir, segmentName(2), 0)
	})
	t.Run("first segment gone", func(t *testing.T) {
		dir, _ := promised(t)
		if err := os.Remove(segmentPath(dir, 1)); err != nil {
			t.Fatal(err)
		}
		refuses(t, dir, segmentName(1), 0)
	})
	t.Run("another log's segment", func(t *testing.T) {
		dir, _ := promised(t)
		if err := os.WriteFile(segmentPath(dir, 2), []byte(readFile(t, segmentPath(dir, 1))), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, dir, segmentName(2), 0)
	})
	t.Run("unsealed in the middle", func(t *testing.T) {
		dir, _ := promised(t)
		h, err := decodeHeader([]byte(readFile(t, segmentPath(dir, 1))[:headerSize]), MinSegmentSize)
		if err != nil {
			t.Fatal(err)
		}
		h.sealed = false
		patch(t, segmentPath(dir, 1), 0, string(h.encode()))
		refuses(t, dir, segmentName(1), 0)
	})
	t.Run("count", func(t *testing.T) {
		dir, _ := promised(t)
		h, err := decodeHeader([]byte(readFile(t, segmentPath(dir, 1))[:headerSize]), MinSegmentSize)
		if err != nil {
			t.Fatal(err)
		}
		h.count++
		patch(t, segmentPath(dir, 1), 0, string(h.encode()))
		refuses(t, dir, segmentName(1), 0)
	})
}

// TestStrayBytes: noise behind a sealed segment's end harms no record. It is
// reported and left alone.
func TestStrayBytes(t *testing.T) {
	dir, _ := promised(t)
	patch(t, segmentPath(dir, 1), MinSegmentSize-1, "X")
	before := readFile(t, segmentPath(dir, 1))
	l := mustOpen(t, dir, small)
	if got := len(mustTexts(t, l)); got != 8 || l.Recovery().Stray == 0 {
		t.Fatalf("%d records, report %+v", got, l.Recovery())
	}
	if readFile(t, segmentPath(dir, 1)) != before {
		t.Fatal("a sealed segment was changed")
	}
}

// TestDamageWhileOpen: damage that appears later is found by whoever reads it,
// every time, and the records beside it stay readable.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	placed := mustAppend(t, l, Group, numbered(3, 100)...)
	patch(t, segmentPath(dir, 1), int64(placed[1].Pos.Offset)+30, "X")
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	for range 2 {
		if _, err := r.Next(); !errors.As(err, &damage) || damage.Offset != int64(placed[1].Pos.Offset) {
			t.Fatalf("damaged record read as %v", err)
		}
	}
	if _, err := l.ReadAt(placed[1].Pos); !errors.As(err, &damage) {
		t.Fatalf("damaged record read as %v", err)
	}
	if e, err := l.ReadAt(placed[2].Pos); err != nil || e.LSN != 3 {
		t.Fatalf("the record behind the damage: %+v, %v", e, err)
	}
}

// TestMisplacedWhileOpen: sound frames in each other's place are damage too.
func TestMisplacedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	placed := mustAppend(t, l, Group, numbered(3, 100)...)
	b := readFile(t, segmentPath(dir, 1))
	two, three := placed[1].Pos.Offset, placed[2].Pos.Offset
	patch(t, segmentPath(dir, 1), int64(two), b[three:l.Size()]+b[two:three])
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if e, err := r.Next(); !errors.As(err, &damage) || damage.Offset != int64(two) {
		t.Fatalf("a frame in another's place read as %+v, %v", e, err)
	}
}
