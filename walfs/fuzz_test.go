package walfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzHeader: a header that is accepted is its bytes.
func FuzzHeader(f *testing.F) {
	f.Add(header{mark: headerSize, first: 1}.encode(), int64(MinSegmentSize))
	f.Add(header{created: 1, modified: 2, mark: 1000, count: 7, sealed: true, first: 42}.encode(), int64(1000))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if len(b) < headerSize {
			return // loadHeader reads just as many
		}
		b = b[:headerSize]
		for _, b := range [][]byte{b, checked(b)} {
			h, err := decodeHeader(b, size)
			if err != nil {
				continue
			}
			again := h.encode()
			again[4] = byte(h.version) // writing makes it the present one
			if !bytes.Equal(checked(again), b) {
				t.Fatalf("accepted %x and wrote %x", b, again)
			}
		}
	})
}

// checked returns a header with the checksum it should have.
func checked(b []byte) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint32(b[headerCRCAt:], crc32.Checksum(b[:headerCRCAt], castagnoli))
	return b
}

// FuzzFrame: a frame that is accepted is its bytes.
func FuzzFrame(f *testing.F) {
	f.Add(framesOf("one"))
	f.Add(appendFrame(nil, []byte("needs padding")))
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, summed(b)} {
			data, size, err := readFrame(b, 0, int64(len(b)), false)
			if err != nil {
				if err != io.EOF && !errors.As(err, new(frameError)) {
					t.Fatalf("refused as if the disk could not be read: %v", err)
				}
				continue
			}
			if again := appendFrame(nil, data); !bytes.Equal(again, b[:size]) {
				t.Fatalf("accepted %x and wrote %x", b[:size], again)
			}
		}
	})
}

// framesOf are the frames of records from LSN 1 on.
func framesOf(data ...string) []byte {
	var e encoder
	e.reset()
	for i, r := range records(data...) {
		e.add(LSN(i+1), r, 0)
	}
	return e.frames
}

// summed returns frames with the checksums they should have: without them no
// change would get past the first frame.
func summed(b []byte) []byte {
	b = slices.Clone(b)
	for at := b; len(at) >= frameHeaderSize; {
		n := int64(binary.LittleEndian.Uint32(at[4:]))
		if n == 0 || frameSize(n) > int64(len(at)) {
			break
		}
		binary.LittleEndian.PutUint32(at, crc32.Checksum(at[4:frameHeaderSize+n], castagnoli))
		at = at[frameSize(n):]
	}
	return b
}

// FuzzSegment opens a log whose only segment has any frames at all behind a sound
// header. Open refuses it as damaged and changes nothing; or every record it finds
// is in a frame of the file, in order, what follows is saved and wiped, and the
// log goes on from there.
func FuzzSegment(f *testing.F) {
	three := framesOf("one", "two", "three")
	f.Add(three, uint16(0), uint8(0), false, false)
	f.Add(three, uint16(len(three)), uint8(3), false, false)
	f.Add(three, uint16(len(three)), uint8(3), true, false)
	f.Add(append(slices.Clone(three), three...), uint16(0), uint8(0), false, true)
	f.Add(three[:len(three)-3], uint16(0), uint8(0), false, false)
	f.Fuzz(func(t *testing.T, frames []byte, mark uint16, count uint8, sealed, sum bool) {
		if len(frames) > MinSegmentSize-headerSize {
			return
		}
		if sum {
			frames = summed(frames)
		}
		h := header{mark: headerSize + int64(mark), count: uint64(count), sealed: sealed, first: 1}
		file := make([]byte, MinSegmentSize)
		copy(file[copy(file, h.encode()):], frames)
		recovers(t, file)
	})
}

// recovers opens a log of one segment and checks what became of it.
func recovers(t *testing.T, file []byte) {
	disk := newCrashFS()
	name := filepath.Join("wal", segmentName(1))
	node := &inode{live: slices.Clone(file), durable: slices.Clone(file)}
	disk.live[name], disk.durable[name] = node, node
	o := Options{SegmentSize: MinSegmentSize, FS: disk}

	l, err := Open("wal", o)
	if err != nil {
		if !errors.As(err, new(*DamageError)) {
			t.Fatalf("refused without naming the damage: %v", err)
		}
		if !bytes.Equal(node.live, file) || len(disk.live) != 1 {
			t.Fatal("refused, yet changed")
		}
		return
	}
	defer l.Close()
	found, err := texts(l)
	if err != nil {
		t.Fatalf("recovered records that cannot be read: %v", err)
	}
	if uint64(len(found)) != l.Recovery().Records {
		t.Fatalf("%d records, the report says %d", len(found), l.Recovery().Records)
	}
	end := int64(headerSize)
	for i, want := range found {
		data, size, err := readFrame(file, end, int64(len(file)), false)
		if err != nil {
			t.Fatalf("record %d is in no frame of the file: %v", i+1, err)
		}
		if r, err := decodeRecord(data); err != nil || r.lsn != LSN(i+1) || string(r.data) != want {
			t.Fatalf("record %d is %q, the file has %d, %q (%v)", i+1, want, r.lsn, r.data, err)
		}
		end += size
	}
	tail := bytes.TrimRight(file[end:], "\x00")
	if h, err := decodeHeader(file, int64(len(file))); err != nil || h.sealed {
		tail = nil // behind sealed records nothing was ever written: that is left alone
	}
	if r := l.Recovery(); r.Torn != int64(len(tail)) || (r.Torn > 0 && !bytes.Equal(disk.live[r.TornFile].live, tail)) {
		t.Fatalf("a tail of %d bytes is reported as %+v", len(tail), r)
	}
	if _, err := l.Append(Group, records("new")...); err != nil {
		t.Fatal(err)
	}
	if again, err := texts(l); err != nil || !slices.Equal(again, append(found, "new")) {
		t.Fatalf("after an append %q, %v", again, err)
	}
}
