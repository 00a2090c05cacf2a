package walfs

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The bytes of the format, written down once and for all. A change here is a new
// version of the format.
const (
	goldenHeader = "4c415755" + "02000000" + // magic, version
		"0102030405060708" + "1112131415161718" + // created, modified
		"e803000000000000" + "0700000000000000" + // durable mark 1000, 7 records
		"02000000" + "2a00000000000000" + "00000000" + // sealed, first LSN 42, reserved
		"b3b532ba" + "00000000" // CRC32C of the above, padding
	goldenFrame = "95b2594f" + "38000000" + // CRC32C of the next 60 bytes, length 56
		"14000000" + "000000000000" + // root offset, alignment
		"0a0014000c000b000400" + // vtable: lsn at 12, kind at 11, data at 4
		"0a000000" + "10000000" + "000000" + "02" + "2a00000000000000" + // table: kind 2, LSN 42
		"09000000" + "6c69676874636f6e65" + "000000" + // "lightcone"
		"deadbeeffeedface" // trailer; no padding needed here
	goldenBatchFrame = "8703dc81" + "38000000" +
		"10000000" + "0c00180010000f00080004000c000000" + // vtable: left at 4, data at 8
		"03000000" + // of the batch are to come
		"10000000" + "000000" + "02" + "2a00000000000000" + "09000000" + "6c69676874636f6e65" + "000000" +
		"deadbeeffeedface"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenHeader(t *testing.T) {
	h := header{version: headerVersion, created: 0x0807060504030201, modified: 0x1817161514131211, mark: 1000, count: 7, sealed: true, first: 42}
	b := h.encode()
	if diff := cmp.Diff(goldenHeader, hex.EncodeToString(b)); diff != "" {
		t.Fatalf("header bytes (-want +got):\n%s", diff)
	}
	got, err := decodeHeader(b, 4096)
	if err != nil || got != h {
		t.Fatalf("decoded %+v, %v; want %+v", got, err, h)
	}
}

func TestGoldenFrame(t *testing.T) {
	var e encoder
	e.reset()
	e.add(42, Record{KindOwnMemo, []byte("lightcone")}, 0)
	if diff := cmp.Diff(goldenFrame, hex.EncodeToString(e.frames)); diff != "" {
		t.Fatalf("frame bytes (-want +got):\n%s", diff)
	}
	b := unhex(t, goldenFrame)
	data, size, err := readFrame(b, 0, int64(len(b)), false)
	if err != nil || size != int64(len(b)) {
		t.Fatalf("read a frame of %d bytes, %v; want %d", size, err, len(b))
	}
	r, err := decodeRecord(data)
	if r.lsn != 42 || r.kind != KindOwnMemo || r.left != 0 || string(r.data) != "lightcone" || err != nil {
		t.Fatalf("decoded %+v, %v", r, err)
	}
}

// TestGoldenBatchFrame: only a record that is not the last of its batch says so.
func TestGoldenBatchFrame(t *testing.T) {
	var e encoder
	e.reset()
	e.add(42, Record{KindOwnMemo, []byte("lightcone")}, 3)
	if diff := cmp.Diff(goldenBatchFrame, hex.EncodeToString(e.frames)); diff != "" {
		t.Fatalf("frame bytes (-want +got):\n%s", diff)
	}
}

// TestVersion1 opens a log of the first version, in which every record was a batch
// of its own, and makes its last segment one of this version before batches go in.
func TestVersion1(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	mustAppend(t, l, Group, "one")
	mustAppend(t, l, Group, "two")
	mustClose(t, l)
	name := segmentPath(dir, 1)
	old := []byte(readFile(t, name))[:headerSize]
	old[4] = 1
	patch(t, name, 0, string(checked(old)))

	l = mustOpen(t, dir, small)
	if got := mustTexts(t, l); !cmp.Equal(got, []string{"one", "two"}) {
		t.Fatalf("log has %q", got)
	}
	if v := readFile(t, name)[4]; v != headerVersion {
		t.Fatalf("opened for writing, the segment is still of version %d", v)
	}
}

// TestGoldenFile checks the file a log makes, byte for byte up to the records'
// end, and zeros from there.
func TestGoldenFile(t *testing.T) {
	o := small
	o.Now = func() time.Time { return time.Unix(0, 5) }
	dir := t.TempDir()
	l := mustOpen(t, dir, o)
	mustAppend(t, l, None, "a", "bc")
	mustClose(t, l)

	var e encoder
	e.reset()
	e.add(1, Record{KindBlock, []byte("a")}, 1)
	e.add(2, Record{KindBlock, []byte("bc")}, 0)
	h := header{created: 5, modified: 5, mark: headerSize + int64(len(e.frames)), count: 2, first: 1}
	want := string(h.encode()) + string(e.frames)
	want += strings.Repeat("\x00", MinSegmentSize-len(want))
	if diff := cmp.Diff(want, readFile(t, segmentPath(dir, 1))); diff != "" {
		t.Fatalf("segment (-want +got):\n%s", diff)
	}
}

// TestHeaderBits flips every bit of a header: none goes unseen.
func TestHeaderBits(t *testing.T) {
	good := header{mark: 1000, count: 7, first: 42}.encode()
	for bit := range headerSize * 8 {
		b := append([]byte(nil), good...)
		b[bit/8] ^= 1 << (bit % 8)
		if h, err := decodeHeader(b, 4096); err == nil {
			t.Fatalf("bit %d flipped, decoded %+v", bit, h)
		}
	}
}

func TestHeaderVersion(t *testing.T) {
	b := header{mark: headerSize, first: 1}.encode()
	b[4] = headerVersion + 1
	binary.LittleEndian.PutUint32(b[headerCRCAt:], crc32.Checksum(b[:headerCRCAt], castagnoli))
	if _, err := decodeHeader(b, 4096); !errors.Is(err, ErrVersion) {
		t.Fatalf("a later version: %v, want ErrVersion", err)
	}
}

// TestCRCZero appends a record crafted so that its frame's checksum is 0. The
// original took that for the end of the log.
func TestCRCZero(t *testing.T) {
	dir := t.TempDir()
	l := mustOpen(t, dir, small)
	mustAppend(t, l, Group, zeroCRCData(t, 1, 1), "behind it")
	want := mustTexts(t, l)
	mustClose(t, l)
	if crc := readFile(t, segmentPath(dir, 1))[headerSize : headerSize+4]; crc != "\x00\x00\x00\x00" {
		t.Fatalf("the frame's CRC is %x, the test wants 0", crc)
	}
	l = mustOpen(t, dir, small)
	if got := mustTexts(t, l); len(got) != 2 || !cmp.Equal(got, want) {
		t.Fatalf("reopened log has %q, want %q", got, want)
	}
}

// zeroCRCData solves for 4 bytes of data that make the CRC of the frame at lsn,
// which left more of its batch follow, 0:
// a CRC is affine in the bits it covers.
func zeroCRCData(t *testing.T, lsn LSN, left int) string {
	crc := func(x uint32) uint32 {
		var e encoder
		e.reset()
		e.add(lsn, Record{KindBlock, binary.LittleEndian.AppendUint32(nil, x)}, left)
		return binary.LittleEndian.Uint32(e.frames)
	}
	base := crc(0)
	var rows [32][2]uint32 // by leading bit: what input bits in [1] do to the CRC in [0]
	for i := range 32 {
		effect, input := crc(1<<i)^base, uint32(1)<<i
		for bit := 31; bit >= 0 && effect != 0; bit-- {
			if effect>>bit&1 == 0 {
				continue
			}
			if rows[bit][0] == 0 {
				rows[bit] = [2]uint32{effect, input}
				break
			}
			effect, input = effect^rows[bit][0], input^rows[bit][1]
		}
	}
	rest, x := base, uint32(0)
	for bit := 31; bit >= 0; bit-- {
		if rest>>bit&1 == 1 {
			rest, x = rest^rows[bit][0], x^rows[bit][1]
		}
	}
	if rest != 0 || crc(x) != 0 {
		t.Fatalf("no solution: CRC is %08x", crc(x))
	}
	return string(binary.LittleEndian.AppendUint32(nil, x))
}

// FuzzRecord: no bytes make the decoder panic, and what it accepts lies in them.
func FuzzRecord(f *testing.F) {
	var e encoder
	for n := range 20 {
		e.reset()
		e.add(LSN(n)<<40+1, Record{Kind(n + 1), make([]byte, n)}, n%3)
		length := binary.LittleEndian.Uint32(e.frames[4:])
		f.Add(append([]byte(nil), e.frames[frameHeaderSize:frameHeaderSize+length]...))
	}
	f.Add([]byte{})
	f.Add([]byte{4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && len(r.data) > len(b) {
			t.Fatalf("%d bytes of data out of %d", len(r.data), len(b))
		}
	})
}

// TestRecordOverhead holds the limit on data against what encoding really adds.
func TestRecordOverhead(t *testing.T) {
	var e encoder
	for n := range 300 {
		e.reset()
		e.add(1<<60, Record{255, make([]byte, n)}, 1<<30)
		if got := int64(len(e.frames)) - int64(n); got > recordOverhead+frameOverhead {
			t.Fatalf("%d bytes of data: encoding adds %d, the bound is %d", n, got, recordOverhead+frameOverhead)
		}
		data, size, err := readFrame(e.frames, 0, int64(len(e.frames)), false)
		if err != nil || size != int64(len(e.frames)) || size != frameSize(int64(len(data))) {
			t.Fatalf("%d bytes of data: frame of %d read as %d, %v", n, len(e.frames), size, err)
		}
		if r, err := decodeRecord(data); err != nil || len(r.data) != n || r.left != 1<<30 {
			t.Fatalf("%d bytes of data came back as %d, left %d, %v", n, len(r.data), r.left, err)
		}
	}
}
