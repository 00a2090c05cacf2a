package p2p

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/multiformats/go-varint"
)

// ErrTooLarge reports a frame or message above its limit.
var ErrTooLarge = errors.New("too large")

// readFrame reads uvarint(length) ‖ payload. The length is checked before memory
// is taken for it. An end between two frames is io.EOF.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	n, err := varint.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%w: a frame of %d bytes, the limit is %d", ErrTooLarge, n, limit)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("frame of %d bytes: %w", n, noEOF(err))
	}
	return data, nil
}

// writeFrame writes what readFrame reads.
func writeFrame(w *bufio.Writer, data []byte, limit int) error {
	if len(data) > limit {
		return fmt.Errorf("%w: a frame of %d bytes, the limit is %d", ErrTooLarge, len(data), limit)
	}
	if _, err := w.Write(varint.ToUvarint(uint64(len(data)))); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// noEOF makes an end of input within something an error that is not io.EOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
