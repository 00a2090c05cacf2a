package walfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// salvage reads a log to its end, past all damage.
func salvage(t testing.TB, l *Log) (lsns []LSN, lost []Lost) {
	t.Helper()
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		e, err := r.Next()
		switch {
		case err == nil:
			lsns = append(lsns, e.LSN)
		case errors.Is(err, ErrNoNewData):
			return lsns, lost
		default:
			gone, skipErr := r.Skip()
			if skipErr != nil {
				t.Fatalf("%v; then Skip: %v", err, skipErr)
			}
			lost = append(lost, gone)
		}
		if len(lsns)+len(lost) > 1<<16 {
			t.Fatal("reading does not come to an end")
		}
	}
}

// lsnRange returns the LSNs from first to last.
func lsnRange(first, last LSN) (all []LSN) {
	for lsn := first; lsn <= last; lsn++ {
		all = append(all, lsn)
	}
	return all
}

// without returns 1 to last but for those given.
func without(last LSN, lost ...LSN) []LSN {
	return slices.DeleteFunc(lsnRange(1, last), func(l LSN) bool { return slices.Contains(lost, l) })
}

// batches makes a log whose first segment is full and holds ten batches of four,
// and whose second holds one record.
func batches(t *testing.T) (dir string, placed []Placed) {
	t.Helper()
	dir = t.TempDir()
	l := mustOpen(t, dir, Options{SegmentSize: 8 << 10})
	for i := range 10 {
		placed = append(placed, mustAppend(t, l, None, numbered(4, 90+i)...)...)
	}
	placed = append(placed, mustAppend(t, l, None, strings.Repeat("x", 3000))...)
	mustClose(t, l)
	if placed[39].Pos.Segment != 1 || placed[40].Pos.Segment != 2 {
		t.Fatalf("records lie at %v and %v", placed[39], placed[40])
	}
	return dir, placed
}

type skipCase struct {
	damage func(b []byte, at []Placed)
	want   []LSN // what is left
	lost   []Lost
}

// frame is the bytes of a record in its segment's file.
func frame(b []byte, p Placed) []byte {
	at := p.Pos.Offset
	return b[at : int64(at)+frameSize(int64(binary.LittleEndian.Uint32(b[at+4:])))]
}

// skipCases damage the first segment of batches, whose 40 records it tells where
// they are. 41 records were appended.
var skipCases = map[string]skipCase{
	"one record, first of its batch": {
		func(b []byte, at []Placed) { frame(b, at[4])[40] ^= 1 },
		without(41, 5),
		[]Lost{{First: 5, Last: 5, After: 3}},
	},
	"one record, last of its batch": {
		func(b []byte, at []Placed) { frame(b, at[7])[40] ^= 1 },
		without(41, 8),
		[]Lost{{First: 8, Last: 8, Before: 3}},
	},
	"one record in the middle of its batch": {
		func(b []byte, at []Placed) { frame(b, at[6])[40] ^= 1 },
		without(41, 7),
		[]Lost{{First: 7, Last: 7, Before: 2, After: 1}},
	},
	"the length": {
		func(b []byte, at []Placed) { frame(b, at[6])[5] ^= 0x80 },
		without(41, 7),
		[]Lost{{First: 7, Last: 7, Before: 2, After: 1}},
	},
	"length 0": {
		func(b []byte, at []Placed) { clear(frame(b, at[0])[:8]) },
		without(41, 1),
		[]Lost{{First: 1, Last: 1, After: 3}},
	},
	"two batches and a half": {func(b []byte, at []Placed) {
		for i := 10; i < 20; i++ {
			clear(frame(b, at[i]))
		}
	}, without(41, lsnRange(11, 20)...), []Lost{{First: 11, Last: 20, Before: 2, After: 4}}},
	"two places": {
		func(b []byte, at []Placed) { frame(b, at[6])[40] ^= 1; frame(b, at[30])[5] ^= 1 },
		without(41, 7, 31),
		[]Lost{{First: 7, Last: 7, Before: 2, After: 1}, {First: 31, Last: 31, Before: 2, After: 1}},
	},
	"the last record": {
		func(b []byte, at []Placed) { frame(b, at[39])[40] ^= 1 },
		without(41, 40),
		[]Lost{{First: 40, Last: 40, Before: 3}},
	},
	"all records": {
		func(b []byte, _ []Placed) { clear(b[headerSize:]) },
		[]LSN{41},
		[]Lost{{First: 1, Last: 40}},
	},
}

// TestSkip damages a full segment and reads all that is left.
func TestSkip(t *testing.T) {
	for name, c := range skipCases {
		t.Run(name, func(t *testing.T) {
			dir, placed := batches(t)
			file := segmentPath(dir, 1)
			b := []byte(readFile(t, file))
			c.damage(b, placed)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			l := mustOpen(t, dir, small)
			got, lost := salvage(t, l)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatalf("records (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.lost, lost, cmpopts.IgnoreFields(Lost{}, "File", "From", "To", "Err")); diff != "" {
				t.Fatalf("lost (-want +got):\n%s", diff)
			}
			for _, gone := range lost {
				from := placed[gone.First-1].Pos.Offset
				to := placed[gone.Last].Pos.Offset
				if gone.Last == 40 {
					to = placed[39].Pos.Offset + uint64(len(frame([]byte(readFile(t, file)), placed[39])))
				}
				if gone.File != file || gone.From != int64(from) || name != "all records" && gone.To != int64(to) {
					t.Errorf("%v: want bytes %d to %d of %s", gone, from, to, file)
				}
			}
			for _, lsn := range got { // what is left can be found, too
				if p, err := l.Seek(lsn); err != nil || p != placed[lsn-1].Pos {
					t.Errorf("Seek(%d): %v, %v; want %v", lsn, p, err, placed[lsn-1].Pos)
				}
			}
		})
	}
}

func TestSkipNothing(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	mustAppend(t, l, None, "x")
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // before the first record, behind it, at the live end
		if _, err := r.Skip(); !errors.Is(err, ErrNoDamage) {
			t.Fatalf("Skip: %v, want ErrNoDamage", err)
		}
		r.Next()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Skip(); !errors.Is(err, ErrClosed) {
		t.Fatalf("Skip, closed: %v", err)
	}
}

// TestSkipActive skips damage that appears in the segment being written, and goes
// on to what is appended later.
func TestSkipActive(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	placed := mustAppend(t, l, None, numbered(3, 100)...)
	patch(t, segmentPath(dir, 1), int64(placed[2].Pos.Offset)+30, "X")
	r, err := l.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if lost, err := r.Skip(); err != nil || lost.First != 3 || lost.Last != 3 {
		t.Fatalf("skipped %v, %v", lost, err)
	}
	mustAppend(t, l, None, "later")
	if e, err := r.Next(); err != nil || e.LSN != 4 || string(e.Data) != "later" {
		t.Fatalf("behind the damage: %+v, %v", e, err)
	}
}

// TestSkipFromNowhere: a reader that starts within a frame finds the next one, and
// loses no record by it.
func TestSkipFromNowhere(t *testing.T) {
	l := mustOpen(t, t.TempDir(), small)
	placed := mustAppend(t, l, None, numbered(3, 100)...)
	r, err := l.Reader(Position{1, placed[1].Pos.Offset + 16})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if e, err := r.Next(); !errors.As(err, new(*DamageError)) {
		t.Fatalf("read %+v, %v", e, err)
	}
	if lost, err := r.Skip(); err != nil || lost.Last >= lost.First {
		t.Fatalf("skipped %v, %v; want no record lost", lost, err)
	}
	if e, err := r.Next(); err != nil || e.LSN != 3 {
		t.Fatalf("read %+v, %v, want record 3", e, err)
	}
}

// TestFramesInData: records whose data holds whole frames, with every LSN that
// might be taken for a true one, at every alignment. However the record that holds
// them is damaged, none of them is ever read.
func TestFramesInData(t *testing.T) {
	const victim = LSN(3)
	for claim := LSN(1); claim <= 12; claim++ {
		for _, run := range []int{1, 2, 5} {
			t.Run(fmt.Sprintf("%d from LSN %d", run, claim), func(t *testing.T) {
				dir := t.TempDir()
				l := mustOpen(t, dir, Options{SegmentSize: 16 << 10})
				var placed []Placed
				for i := range 10 {
					data := fmt.Sprintf("true record %d", i)
					if LSN(i+1) == victim {
						data = trojan(claim, run)
					}
					placed = append(placed, mustAppend(t, l, None, data)...)
				}
				mustClose(t, l)
				file := segmentPath(dir, 1)
				whole := []byte(readFile(t, file))
				at := placed[victim-1].Pos.Offset
				for _, off := range []uint64{0, 4, 5, 6, 8, 20, 40} { // checksum, length, record
					b := slices.Clone(whole)
					b[at+off] ^= 0x41
					if err := os.WriteFile(file, b, 0o600); err != nil {
						t.Fatal(err)
					}
					l, err := Open(dir, Options{Degraded: true})
					if err != nil {
						t.Fatal(err)
					}
					if got, _ := salvage(t, l); !cmp.Equal(got, without(10, victim)) {
						t.Fatalf("byte %d: read %d", off, got)
					}
					if all, err := read(l); err == nil || len(all) != int(victim)-1 {
						t.Fatalf("byte %d: %d records, then %v", off, len(all), err)
					}
					mustClose(t, l)
				}
			})
		}
	}
}

// trojan is data that ends with frames of LSNs from first on, the last of which
// ends with the trailer of the record the data lies in, and holds more of them.
func trojan(first LSN, n int) string {
	var e encoder
	e.reset()
	for shift := range 2 {
		for i := range n {
			e.add(first+LSN(i), Record{KindBlock, []byte("false")}, 0)
		}
		e.frames = append(e.frames, make([]byte, 4*(1-shift))...)
	}
	tail := e.frames[:len(e.frames)-len(frameTrailer)]
	return string(tail)
}

// falseRecords is data with frames, one for each LSN from first to last.
func falseRecords(first, last LSN) string {
	var b []byte
	for lsn := first; lsn <= last; lsn++ {
		var e encoder
		e.reset()
		e.add(lsn, Record{KindBlock, []byte("false")}, 0)
		b = append(b, e.frames...)
	}
	return string(b) + "no frame"
}

// ruined makes ten records, the third of which holds data, and lets damage the
// segment; it returns what is read then.
func ruined(t *testing.T, data string, damage func(b []byte, at []Placed)) (got []Entry) {
	t.Helper()
	dir := t.TempDir()
	l := mustOpen(t, dir, Options{SegmentSize: 16 << 10})
	var placed []Placed
	for i := range 10 {
		text := fmt.Sprintf("true record %d", i)
		if i == 2 {
			text = data
		}
		placed = append(placed, mustAppend(t, l, None, text)...)
	}
	mustClose(t, l)
	b := []byte(readFile(t, segmentPath(dir, 1)))
	damage(b, placed)
	if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
		t.Fatal(err)
	}
	look, err := Open(dir, Options{Degraded: true})
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	r, err := look.Reader(Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		e, err := r.Next()
		if errors.Is(err, ErrNoNewData) {
			return got
		}
		if err == nil {
			got = append(got, e.Clone())
		} else if _, err := r.Skip(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFalseRecordsNeedRoom: a false record alone in what is left is not taken for a
// true one when the records before it could not have lain in between.
func TestFalseRecordsNeedRoom(t *testing.T) {
	found := false
	for pad := range frameAlign { // one of these puts the false frame where frames are looked for
		data := strings.Repeat("p", pad) + falseRecords(9, 9)
		got := ruined(t, data, func(b []byte, at []Placed) {
			b[at[2].Pos.Offset] ^= 1
			clear(b[at[3].Pos.Offset:])
		})
		if len(got) != 2 {
			t.Fatalf("%d records of which 2 are left", len(got))
		}
		near := ruined(t, strings.Repeat("p", pad)+falseRecords(4, 4), func(b []byte, at []Placed) {
			b[at[2].Pos.Offset] ^= 1
			clear(b[at[3].Pos.Offset:])
		})
		found = found || len(near) == 3 // with room enough, and no better way, it is
	}
	if !found {
		t.Fatal("the false frame is at no place where frames are looked for: the test proves nothing")
	}
}

// TestEndIsBeyondDoubt: however many false records there are, what leads to the end
// of the segment stays.
func TestEndIsBeyondDoubt(t *testing.T) {
	for pad := range frameAlign {
		got := ruined(t, strings.Repeat("p", pad)+falseRecords(4, 10), func(b []byte, at []Placed) {
			b[at[2].Pos.Offset] ^= 1
			b[at[5].Pos.Offset] ^= 1
		})
		if len(got) < 4 {
			t.Fatalf("only %d records", len(got))
		}
		for i, e := range got[len(got)-4:] {
			if e.LSN != LSN(7+i) || string(e.Data) != fmt.Sprintf("true record %d", 6+i) {
				t.Fatalf("record %d is %q", e.LSN, e.Data)
			}
		}
	}
}

// TestManyDamages flips bytes at random: whatever is read is true and in order,
// and what is lost and what is read make up the whole.
func TestManyDamages(t *testing.T) {
	dir, placed := batches(t)
	file := segmentPath(dir, 1)
	whole := []byte(readFile(t, file))
	rng := rand.New(rand.NewPCG(5, 6))
	for try := range 300 {
		b := slices.Clone(whole)
		for range 1 + rng.IntN(12) {
			b[headerSize+rng.IntN(int(placed[39].Pos.Offset)-headerSize)] ^= byte(1 + rng.IntN(255))
		}
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l := mustOpen(t, dir, small)
		got, lost := salvage(t, l)
		sum := slices.Clone(got)
		for _, gone := range lost {
			sum = append(sum, lsnRange(gone.First, gone.Last)...)
		}
		slices.Sort(sum)
		if !slices.IsSorted(got) || !slices.Equal(sum, lsnRange(1, 41)) {
			t.Fatalf("try %d: read %d, lost %v", try, got, lost)
		}
		mustClose(t, l)
	}
}

// TestMinFrame: nothing the log writes is smaller than what a survey reckons with.
func TestMinFrame(t *testing.T) {
	var e encoder
	e.reset()
	e.add(1, Record{Kind: 1}, 0)
	if len(e.frames) < minFrame {
		t.Fatalf("an empty record takes %d bytes, surveys expect %d at least", len(e.frames), minFrame)
	}
}
