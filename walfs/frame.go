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

// readFrame returns the data and the size on disk of the frame at off of file, all
// of which must lie below limit. io.EOF means the frames end here: length 0, or no
// room for one more. A frameError means the bytes are no frame. With trusted set
// the frame was found sound before, and nothing is checked again.
func readFrame(file []byte, off, limit int64, trusted bool) (data []byte, size int64, err error) {
	if limit-off < frameHeaderSize {
		return nil, 0, io.EOF
	}
	n := int64(binary.LittleEndian.Uint32(file[off+4:]))
	if n == 0 { // length terminates; the CRC beside it may be any value
		return nil, 0, io.EOF
	}
	size = frameSize(n)
	if size > limit-off {
		return nil, 0, errLength
	}
	b := file[off : off+size]
	end := frameHeaderSize + n
	if !trusted {
		if err := checkFrame(b, end); err != nil {
			return nil, 0, err
		}
	}
	return b[frameHeaderSize:end:end], size, nil
}

// checkFrame holds the frame b, whose data ends at end, against its checksum,
// trailer and padding.
func checkFrame(b []byte, end int64) error {
	pad := end + int64(len(frameTrailer))
	if string(b[end:pad]) != frameTrailer { // first, since it costs least
		return errTrailer
	}
	if crc32.Checksum(b[4:end], castagnoli) != binary.LittleEndian.Uint32(b) {
		return errCRC
	}
	for _, c := range b[pad:] {
		if c != 0 {
			return errPadding
		}
	}
	return nil
}
