package walfs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

const (
	// fuzzMemory bounds what opening and reading a segment may allocate: that many
	// times its length, and fuzzMemoryBase bytes besides. A length field that is
	// believed before it is checked allocates gigabytes.
	fuzzMemory     = 64
	fuzzMemoryBase = 1 << 20
)

// FuzzSegmentFile opens a log whose only segment is any file at all; with fix set,
// one whose header has the checksum it should have. Open refuses it and changes
// nothing; or every record it shows lies in a frame of the file, nothing below the
// mark is overwritten, what follows is saved, and the log goes on from there.
func FuzzSegmentFile(f *testing.F) {
	add := func(image []byte, change func(b []byte)) {
		b := slices.Clone(image)
		if change != nil {
			change(b)
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	closed, killed := fuzzImages(f)
	for _, image := range [][]byte{closed, killed} {
		add(image, nil)
		add(image[:len(image)/2], nil)
		add(image[:headerSize], nil)
		add(image, func(b []byte) { b[headerSize+20]++ })
		add(image, func(b []byte) { binary.LittleEndian.PutUint32(b[headerSize+4:], 1<<32-1) })
		add(image, func(b []byte) { binary.LittleEndian.PutUint64(b[24:], uint64(len(b))) })
		add(image, func(b []byte) { binary.LittleEndian.PutUint64(b[24:], 1<<63) })
		add(image, func(b []byte) { binary.LittleEndian.PutUint64(b[32:], 1<<63) })
		add(image, func(b []byte) { binary.LittleEndian.PutUint64(b[44:], 1<<64-1) })
		add(image, func(b []byte) { b[40] = 2 })
		add(image, func(b []byte) { b[4] = 1 })
	}
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, image []byte, fix bool) {
		if len(image) > 1<<20 {
			return
		}
		if fix && len(image) >= headerSize {
			image = slices.Clone(image)
			walfs.FixHeader(image)
		}
		recovers(t, image)
	})
}

// FuzzSegment opens a log whose only segment has any frames at all behind a sound
// header, with the checksums they should have when sum is set. The promises are
// those of FuzzSegmentFile; this one gets further.
func FuzzSegment(f *testing.F) {
	three := walfs.FramesOf("one", "two", "three")
	f.Add(three, uint16(0), uint8(0), false, false)
	f.Add(three, uint16(len(three)), uint8(3), false, false)
	f.Add(three, uint16(len(three)), uint8(3), true, false)
	f.Add(append(slices.Clone(three), three...), uint16(0), uint8(0), false, true)
	f.Add(three[:len(three)-3], uint16(0), uint8(0), false, false)
	f.Fuzz(func(t *testing.T, frames []byte, mark uint16, count uint8, sealed, sum bool) {
		if len(frames) > walfs.MinSegmentSize-headerSize {
			return
		}
		if sum {
			frames = walfs.Summed(frames)
		}
		image := make([]byte, walfs.MinSegmentSize)
		n := copy(image, walfs.Header(headerSize+int64(mark), uint64(count), sealed))
		copy(image[n:], frames)
		recovers(t, image)
	})
}

// fuzzImages are a segment that was closed, and one whose process was killed.
func fuzzImages(t testing.TB) (closed, killed []byte) {
	t.Helper()
	disk := walfstest.NewDisk()
	l, err := walfs.Open(crashDir, options(disk))
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range [][]string{{"one"}, {"two", strings.Repeat("three", 50), ""}, {"four"}} {
		if _, err := l.Append(walfs.None, walfs.Records(batch...)...); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(crashDir, walfs.SegmentName(1))
	killed = disk.ReadFile(name)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return disk.ReadFile(name), killed
}

// recovers opens a log of one segment and checks what became of it.
func recovers(t *testing.T, image []byte) {
	t.Helper()
	disk := walfstest.NewDisk()
	name := filepath.Join(crashDir, walfs.SegmentName(1))
	disk.WriteFile(name, image)
	before := allocated()
	l, found, err := openFuzzed(disk)
	if used, most := allocated()-before, uint64(fuzzMemoryBase+fuzzMemory*len(image)); used > most {
		t.Fatalf("a segment of %d bytes took %d bytes of memory, want at most %d", len(image), used, most)
	}
	if err != nil {
		if !errors.As(err, new(*walfs.DamageError)) {
			t.Fatalf("refused without naming the damage: %v", err)
		}
		if !bytes.Equal(disk.ReadFile(name), image) || len(disk.Names()) != 1 {
			t.Fatal("refused, yet changed")
		}
		return
	}
	defer l.Close()
	end := headerSize
	for i, want := range found {
		lsn, got, size, err := walfs.FrameAt(image, end)
		if err != nil || lsn != walfs.LSN(i+1) || got != want {
			t.Fatalf("record %d is %q, the file has %d, %q (%v)", i+1, want, lsn, got, err)
		}
		end += size
	}
	if after := disk.ReadFile(name); !bytes.Equal(after[headerSize:end], image[headerSize:end]) || len(after) != len(image) {
		t.Fatal("records were overwritten")
	}
	if mark := int(binary.LittleEndian.Uint64(image[24:])); end < mark {
		t.Fatalf("records end at %d, below the mark at %d, and nobody says so", end, mark)
	}
	tail := bytes.TrimRight(image[end:], "\x00")
	if r := l.Recovery(); r.Torn+r.Stray != int64(len(tail)) || (r.Torn > 0 && !bytes.Equal(disk.ReadFile(r.TornFile), tail)) {
		t.Fatalf("a tail of %d bytes is reported as %+v", len(tail), r)
	}
	if _, err := l.Append(walfs.Group, walfs.Records("new")...); err != nil {
		t.Fatal(err)
	}
	if again, err := readAll(l); err != nil || !slices.Equal(again, append(found, "new")) {
		t.Fatalf("after an append %q, %v", again, err)
	}
}

func openFuzzed(disk *walfstest.Disk) (*walfs.Log, []string, error) {
	l, err := walfs.Open(crashDir, options(disk))
	if err != nil {
		return nil, nil, err
	}
	found, err := readAll(l)
	if err != nil {
		l.Close()
	}
	return l, found, err
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
