package walfs

import (
	"context"
	"fmt"
	"io"
)

// Reader reads records in order, across segments, while others append. It sees
// records as soon as they are appended; Log.Durable tells which of them are on
// the disk already. It is used by one goroutine at a time. Closing the log does
// not wait for its readers.
type Reader struct {
	log    *Log
	seg    *segment
	memory *mapping // of seg
	off    int64    // of the next frame
	want   LSN      // of the next record; 0 when not known
	closed bool
}

// Reader starts reading at from, which must be where a record starts or the end
// of a segment; the zero Position is the beginning of the log.
func (l *Log) Reader(from Position) (*Reader, error) {
	if l.closed.Load() {
		return nil, ErrClosed
	}
	r := &Reader{log: l}
	if from == (Position{}) {
		return r, r.enter((*l.segs.Load())[0])
	}
	s, err := l.locate(from)
	if err != nil {
		return nil, err
	}
	if err := r.enter(s); err != nil {
		return nil, err
	}
	if r.off = int64(from.Offset); r.off != headerSize {
		r.want = 0
	}
	return r, nil
}

// locate checks that p can be where a frame starts or ends.
func (l *Log) locate(p Position) (*segment, error) {
	s, err := l.segment(p.Segment)
	if err != nil {
		return nil, err
	}
	if end := s.end.Load(); p.Offset < headerSize || p.Offset > uint64(end) || p.Offset%frameAlign != 0 {
		return nil, fmt.Errorf("%w: offset %d in segment %d, its records lie at %d to %d",
			ErrBadPosition, p.Offset, p.Segment, headerSize, end)
	}
	return s, nil
}

// enter goes to the beginning of s.
func (r *Reader) enter(s *segment) error {
	m, err := s.view(r.log.fs)
	if err != nil {
		return err
	}
	r.seg, r.memory, r.off, r.want = s, m, headerSize, s.first
	return nil
}

// Next returns the next record, or ErrNoNewData at the live end. A DamageError
// is returned again by the next call: the reader does not skip records.
func (r *Reader) Next() (Entry, error) {
	for {
		if r.closed || r.log.closed.Load() {
			return Entry{}, ErrClosed
		}
		if end := r.seg.end.Load(); r.off < end {
			return r.read(end)
		}
		next := r.seg.next.Load()
		if next == nil {
			return Entry{}, ErrNoNewData
		}
		if r.off < r.seg.end.Load() {
			continue // appended between the two looks; end is final now
		}
		if err := r.enter(next); err != nil {
			return Entry{}, err
		}
	}
}

func (r *Reader) read(end int64) (Entry, error) {
	e, size, err := readEntry(r.seg, r.memory, r.off, end)
	if err == nil && r.want != 0 && e.LSN != r.want {
		err = &DamageError{r.seg.path, r.off, errLSN}
	}
	if err != nil {
		return Entry{}, err
	}
	r.off += size
	r.want = e.LSN + 1
	return e, nil
}

// Wait blocks until Next has something to say other than ErrNoNewData. It
// returns the context's error, ErrClosed, or an error wrapping ErrStopped when
// nothing more can come.
func (r *Reader) Wait(ctx context.Context) error {
	for {
		if r.closed || r.log.closed.Load() {
			return ErrClosed
		}
		if r.ready() {
			return nil
		}
		if err := r.sleep(ctx); err != nil {
			return err
		}
	}
}

// sleep returns at the next ring, or at once when there is something to see.
func (r *Reader) sleep(ctx context.Context) error {
	round := r.log.bell.listen()
	defer round.leave()
	if r.log.closed.Load() || r.ready() {
		return nil
	}
	if err := r.log.group.err(); err != nil {
		return err
	}
	select {
	case <-round.rung:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready reports whether there is a record ahead, maybe behind empty segments.
func (r *Reader) ready() bool {
	s, off := r.seg, r.off
	for off >= s.end.Load() {
		next := s.next.Load()
		if next == nil {
			return false
		}
		if off < s.end.Load() {
			return true
		}
		s, off = next, headerSize
	}
	return true
}

// Close lets go of the segment. Entries read stay valid.
func (r *Reader) Close() error {
	if r.closed {
		return ErrClosed
	}
	r.closed, r.seg, r.memory = true, nil, nil
	return nil
}

// ReadAt returns the record at p; ErrNoNewData when p is the live end.
func (l *Log) ReadAt(p Position) (Entry, error) {
	if l.closed.Load() {
		return Entry{}, ErrClosed
	}
	s, err := l.locate(p)
	if err != nil {
		return Entry{}, err
	}
	end := s.end.Load()
	if int64(p.Offset) == end {
		return Entry{}, ErrNoNewData
	}
	m, err := s.view(l.fs)
	if err != nil {
		return Entry{}, err
	}
	e, _, err := readEntry(s, m, int64(p.Offset), end)
	return e, err
}

// Seek returns the position of the record with that LSN, or of the live end for
// Last()+1. It wraps ErrNotFound for any other LSN.
func (l *Log) Seek(lsn LSN) (Position, error) {
	if l.closed.Load() {
		return Position{}, ErrClosed
	}
	last := l.Last()
	segs := *l.segs.Load()
	if lsn < segs[0].first || lsn > last+1 {
		return Position{}, fmt.Errorf("%w: %d, the log holds %d to %d", ErrNotFound, lsn, segs[0].first, last)
	}
	s := segs[len(segs)-1]
	for i := len(segs) - 1; s.first > lsn; i-- {
		s = segs[i-1]
	}
	m, err := s.view(l.fs)
	if err != nil {
		return Position{}, err
	}
	off, err := seekIn(s, m, lsn)
	return Position{s.id, uint64(off)}, err
}

// seekIn hops from frame to frame, from the nearest indexed record.
func seekIn(s *segment, m *mapping, lsn LSN) (int64, error) {
	end := s.end.Load()
	at := s.before(lsn)
	for ; at.lsn < lsn && at.off < end; at.lsn++ {
		_, size, err := readEntry(s, m, at.off, end)
		if err != nil {
			return 0, err
		}
		at.off += size
	}
	return at.off, nil
}

const (
	errLSN   = frameError("frame carries another record's LSN")
	errBatch = frameError("frame belongs to another batch")
)

// readEntry reads the record at off, below end, of s. Bytes that are no record
// make a DamageError.
func readEntry(s *segment, m *mapping, off, end int64) (Entry, int64, error) {
	r, size, err := m.record(off, end)
	if err == nil && r.lsn < s.first {
		err = errLSN
	}
	if err != nil {
		return Entry{}, 0, s.damage(off, err)
	}
	return Entry{LSN: r.lsn, Pos: Position{s.id, uint64(off)}, Kind: r.kind, Data: r.data, memory: m}, size, nil
}

// damage wraps what is wrong at off, where a record was promised. Errors of the
// disk are no damage: trying again may help.
func (s *segment) damage(off int64, err error) error {
	if err == io.EOF {
		err = frameError("no frame where a record was promised")
	}
	if _, bad := err.(frameError); !bad {
		return fmt.Errorf("read %s at offset %d: %w", s.path, off, err)
	}
	return &DamageError{s.path, off, err}
}
