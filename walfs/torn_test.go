package walfs

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unsynced makes a log whose process died before anything was synced: its durable
// mark stands at the beginning, so every frame is fair game for a crash.
func unsynced(t *testing.T, batches ...[]string) (dir string, placed []Placed) {
	t.Helper()
	live := t.TempDir()
	l := mustOpen(t, live, small)
	for _, b := range batches {
		placed = append(placed, mustAppend(t, l, None, b...)...)
	}
	return copyDir(t, live), placed
}

// TestEveryTruncation cuts a small log at every length.
func TestEveryTruncation(t *testing.T) {
	want := numbered(6, 40)
	dir, placed := unsynced(t, want[:2], want[2:3], want[3:])
	whole := readFile(t, segmentPath(dir, 1))
	end := bytes.LastIndex([]byte(whole), []byte(frameTrailer)) + len(frameTrailer)
	for length := range end + 20 {
		cut := t.TempDir()
		if err := os.WriteFile(segmentPath(cut, 1), []byte(whole[:length]), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(cut, small)
		if length < headerSize {
			if err == nil {
				t.Fatalf("opened a file of %d bytes", length)
			}
			if got := readFile(t, segmentPath(cut, 1)); got != whole[:length] {
				t.Fatalf("%d bytes: refused, yet changed", length)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		n := 0 // frames that are whole
		for n < len(placed) && (n+1 == len(placed) || placed[n+1].Pos.Offset <= uint64(length)) && frameFits(whole, placed[n], length) {
			n++
		}
		n = []int{0, 0, 2, 3, 3, 3, 6}[n] // in batches that are whole
		if got := mustTexts(t, l); !slices.Equal(got, want[:n]) {
			t.Fatalf("%d bytes: recovered %q, want %q", length, got, want[:n])
		}
		checkTorn(t, l, whole[:length], n, placed)
		mustAppend(t, l, Group, "new")
		mustClose(t, l)
		l = mustOpen(t, cut, small)
		if got := mustTexts(t, l); !slices.Equal(got, append(slices.Clone(want[:n]), "new")) {
			t.Fatalf("%d bytes: after one more append: %q", length, got)
		}
		if torn := l.Recovery().Torn; torn != 0 {
			t.Fatalf("%d bytes: the second recovery found %d torn bytes", length, torn)
		}
	}
}

func frameFits(whole string, p Placed, length int) bool {
	n := binary.LittleEndian.Uint32([]byte(whole[p.Pos.Offset+4:]))
	return int64(p.Pos.Offset)+frameSize(int64(n)) <= int64(length)
}

// checkTorn wants what lies behind n whole frames, up to the last byte that is
// not zero, in the .torn file.
func checkTorn(t *testing.T, l *Log, file string, n int, placed []Placed) {
	t.Helper()
	end := len(file)
	if n < len(placed) {
		end = min(end, int(placed[n].Pos.Offset))
	}
	want := strings.TrimRight(file[end:], "\x00")
	if n == len(placed) {
		want = ""
	}
	report := l.Recovery()
	if report.Torn != int64(len(want)) {
		t.Fatalf("file of %d bytes: %d torn, want %d", len(file), report.Torn, len(want))
	}
	if want != "" && readFile(t, report.TornFile) != want {
		t.Fatalf("file of %d bytes: %s does not hold the tail", len(file), report.TornFile)
	}
}

// TestGarbageBehind: whatever lies behind the records is saved, wiped and never
// returned, whether it looks like a frame or not.
func TestGarbageBehind(t *testing.T) {
	frame := func(lsn LSN, data string) string {
		var e encoder
		e.reset()
		e.add(lsn, Record{KindBlock, []byte(data)}, 0)
		return string(e.frames)
	}
	next := frame(3, "next")
	// A LogRecord's length is a multiple of 8, so only one with a byte behind it
	// needs padding.
	padded := string(appendFrame(nil, []byte(next[frameHeaderSize:len(next)-len(frameTrailer)]+"\x00")))
	broken := func(at int, b string) string { return next[:at] + b + next[at+len(b):] }
	cases := map[string]string{
		"noise":                 strings.Repeat("\xa5\x5a\x01", 200),
		"length 0 with a CRC":   "\x01\x02\x03\x04" + strings.Repeat("\x00", 100) + "x",
		"length past the end":   "\x00\x00\x00\x00\xff\xff\xff\xff",
		"far behind":            strings.Repeat("\x00", 3000) + "x",
		"wrong CRC":             broken(0, "????"),
		"wrong trailer":         broken(len(next)-8, "????????"),
		"LSN from the past":     frame(1, "a dead record"),
		"LSN from the future":   frame(4, "another log's record"),
		"frame of no record":    string(appendFrame(nil, []byte("not a FlatBuffer"))),
		"frame behind a gap":    strings.Repeat("\x00", 8) + next,
		"padding that is noise": padded[:len(padded)-1] + "\x01",
	}
	for name, garbage := range cases {
		t.Run(name, func(t *testing.T) {
			dir, _ := unsynced(t, []string{"one", "two"})
			end := int64(headerSize + len(frame(1, "one")) + len(frame(2, "two")))
			patch(t, segmentPath(dir, 1), end, garbage)
			l := mustOpen(t, dir, small)
			if got := mustTexts(t, l); !cmp.Equal(got, []string{"one", "two"}) {
				t.Fatalf("recovered %q", got)
			}
			if got := readFile(t, l.Recovery().TornFile); got != strings.TrimRight(garbage, "\x00") {
				t.Fatalf("saved %q, want %q", got, garbage)
			}
			mustAppend(t, l, None, "three") // and nothing of the garbage behind it
			l = mustOpen(t, copyDir(t, dir), small)
			if got := mustTexts(t, l); !cmp.Equal(got, []string{"one", "two", "three"}) || l.Recovery().Torn != 0 {
				t.Fatalf("after an append: %q, %+v", got, l.Recovery())
			}
		})
	}
}

// TestDeadRecordsStayDead: a torn record in front of whole ones takes them along,
// and a record of the same size in its place does not bring them back. In the
// original it did.
func TestDeadRecordsStayDead(t *testing.T) {
	dir, placed := unsynced(t, numbered(1, 100), numbered(4, 100))
	patch(t, segmentPath(dir, 1), int64(placed[1].Pos.Offset)+20, "torn!")
	l := mustOpen(t, dir, small)
	mustAppend(t, l, Group, strings.Repeat("n", 100))
	want := []string{numbered(1, 100)[0], strings.Repeat("n", 100)}
	mustClose(t, l)
	l = mustOpen(t, dir, small)
	if diff := cmp.Diff(want, mustTexts(t, l)); diff != "" {
		t.Fatal(diff)
	}
}

// TestTornFilesAreKept: the tail of a second crash does not replace the first's.
func TestTornFilesAreKept(t *testing.T) {
	dir, _ := unsynced(t)
	for _, tail := range []string{"first tail", "second tail", "third tail"} {
		patch(t, segmentPath(dir, 1), headerSize, tail)
		l := mustOpen(t, dir, small)
		if got := readFile(t, l.Recovery().TornFile); got != tail {
			t.Fatalf("saved %q, want %q", got, tail)
		}
		mustClose(t, l)
	}
	if n := len(files(t, dir)); n != 4 {
		t.Fatalf("%d files, want the segment and three tails", n)
	}
}
