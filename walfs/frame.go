package walfs

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

const (
	frameAlign      = 8
	frameHeaderSize = 8 // CRC32C(length ‖ data), length
	frameTrailer    = "\xDE\xAD\xBE\xEF\xFE\xED\xFA\xCE"
	// frameOverhead is the most a frame adds to its data, padding included.
	frameOverhead = frameHeaderSize + int64(len(frameTrailer)) + frameAlign - 1
)

const (
	errLength  = frameError("frame length runs past the end")
	errCRC     = frameError("frame checksum does not match")
	errTrailer = frameError("frame trailer is missing")
	errPadding = frameError("frame padding is not zero")
)

// frameSize is the space on disk of a frame with n bytes of data.
func frameSize(n int64) int64 {
	return (frameHeaderSize + n + int64(len(frameTrailer)) + frameAlign - 1) &^ (frameAlign - 1)
}

// appendFrame appends a frame around data to buf, whose length is a multiple of
// frameAlign.
func appendFrame(buf, data []byte) []byte {
	at := len(buf)
	buf = append(buf, 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(buf[at+4:], uint32(len(data)))
	buf = append(buf, data...)
	binary.LittleEndian.PutUint32(buf[at:], crc32.Checksum(buf[at+4:], castagnoli))
	buf = append(buf, frameTrailer...)
	for len(buf)%frameAlign != 0 {
		buf = append(buf, 0)
	}
	return buf
}

// readFrame returns the data and the size on disk of the frame at off, all of
// which must lie below limit. io.EOF means the frames end here: length 0, or no
// room for one more. A frameError means the bytes are no frame; any other error
// is the disk's.
func readFrame(w *window, off, limit int64) (data []byte, size int64, err error) {
	if limit-off < frameHeaderSize {
		return nil, 0, io.EOF
	}
	h, err := w.bytes(off, frameHeaderSize, limit)
	if err != nil {
		return nil, 0, err
	}
	n := int64(binary.LittleEndian.Uint32(h[4:]))
	if n == 0 { // length terminates; the CRC beside it may be any value
		return nil, 0, io.EOF
	}
	size = frameSize(n)
	if size > limit-off { // checked before anything of that length is allocated
		return nil, 0, errLength
	}
	b, err := w.bytes(off, size, limit)
	if err != nil {
		return nil, 0, err
	}
	end := frameHeaderSize + n
	if crc32.Checksum(b[4:end], castagnoli) != binary.LittleEndian.Uint32(b) {
		return nil, 0, errCRC
	}
	pad := end + int64(len(frameTrailer))
	if string(b[end:pad]) != frameTrailer {
		return nil, 0, errTrailer
	}
	for _, c := range b[pad:] {
		if c != 0 {
			return nil, 0, errPadding
		}
	}
	return b[frameHeaderSize:end:end], size, nil
}

// window reads a file through a buffer.
type window struct {
	f     io.ReaderAt
	chunk int64 // bytes read at once when that many are there
	// fresh windows never write to a buffer twice, so slices of it can be handed
	// out for good.
	fresh bool
	buf   []byte
	at    int64 // offset of buf in the file
}

// bytes returns the n bytes at off; off+n ≤ limit, which bounds reading ahead.
func (w *window) bytes(off, n, limit int64) ([]byte, error) {
	if off < w.at || off+n > w.at+int64(len(w.buf)) {
		if err := w.load(off, min(max(n, w.chunk), limit-off)); err != nil {
			return nil, err
		}
	}
	from := off - w.at
	return w.buf[from : from+n], nil
}

func (w *window) load(off, size int64) error {
	buf := w.buf[:0]
	if w.fresh || int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	w.buf = nil
	if n, err := w.f.ReadAt(buf, off); n < len(buf) {
		if err == nil || err == io.EOF { // EOF would read as "the frames end here"
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	w.buf, w.at = buf, off
	return nil
}
