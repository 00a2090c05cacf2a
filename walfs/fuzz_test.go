package walfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
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
