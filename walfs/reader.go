package walfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Reader reads records in order, across segments, while others append. It sees
// records as soon as they are appended; Log.Durable tells which of them are on
// the disk already. It is used by one goroutine at a time. Closing the log does
// not wait for its readers.
//
// Until it is closed, a Reader keeps the segment that holds its next record, and
// all behind that, from being pruned, and the records it has read from being cut
// off by Truncate.
type Reader struct {
	log *Log

	mu     sync.Mutex // Truncate moves readers, Prune looks where they are
	seg    *segment
	memory *mapping // of seg
	off    int64    // of the next frame; 0 before a header that says nothing
	want   LSN      // of the next record; 0 when not known
	stuck  error    // what the last Next failed with, for Skip
	closed bool
}

// Reader starts reading at from, which must be where a record starts or the end
// of a segment; the zero Position is the beginning of the log.
func (l *Log) Reader(from Position) (*Reader, error) {
	if l.closed.Load() {
		return nil, ErrClosed
	}
	l.readers.mu.Lock() // segments stay while the reader takes its place among them
	defer l.readers.mu.Unlock()
	r := &Reader{log: l}
	s := (*l.segs.Load())[0]
	if from != (Position{}) {
		var err error
		if s, err = l.locate(from); err != nil {
			return nil, err
		}
	}
	if err := r.enter(s); err != nil {
		return nil, err
	}
	if from != (Position{}) && from.Offset != headerSize {
		r.off, r.want = int64(from.Offset), 0
	}
	l.readers.add(r)
	return r, nil
}

// readers are the open ones. Its lock is taken after Log.mu and before a reader's.
type readers struct {
	mu   sync.Mutex
	open map[*Reader]struct{}
}

func (rs *readers) add(r *Reader) {
	if rs.open == nil {
		rs.open = map[*Reader]struct{}{}
	}
	rs.open[r] = struct{}{}
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
	if err != nil && s.bad == nil {
		return err
	}
	r.seg, r.memory, r.off, r.want = s, m, headerSize, s.first
	if s.bad != nil {
		r.off = 0
	}
	if s.loose {
		r.want = 0
	}
	return nil
}

// Next returns the next record, or ErrNoNewData at the live end. A DamageError
// is returned again by the next call: the reader skips no records by itself.
func (r *Reader) Next() (Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.next()
	r.stuck = err
	return e, err
}

func (r *Reader) next() (Entry, error) {
	for {
		if r.closed || r.log.closed.Load() {
			return Entry{}, ErrClosed
		}
		if r.off == 0 {
			return Entry{}, r.seg.damage(0, r.seg.bad)
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
		if err := r.joins(next); err != nil {
			return Entry{}, err
		}
		if err := r.enter(next); err != nil {
			return Entry{}, err
		}
	}
}

// joins reports what is missing between the end of the reader's segment and next.
func (r *Reader) joins(next *segment) error {
	if next.id != r.seg.id+1 {
		return r.log.absent(r.seg.id+1).damage(0, errMissing)
	}
	if r.want != 0 && r.want != next.first && next.bad == nil {
		return r.seg.damage(r.off, errShort)
	}
	return nil
}

func (r *Reader) read(end int64) (Entry, error) {
	e, size, err := r.log.entry(r.seg, r.memory, r.off, end)
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
	r.mu.Lock()
	defer r.mu.Unlock()
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
	r.log.readers.mu.Lock()
	defer r.log.readers.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	delete(r.log.readers.open, r)
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
	e, _, err := l.entry(s, m, int64(p.Offset), end)
	return e, err
}

const (
	errLSN     = frameError("frame carries another record's LSN")
	errBatch   = frameError("frame belongs to another batch")
	errNoFrame = frameError("no frame where a record was promised")
	errShort   = frameError("the segment ends before the record with which the next one begins")
)

// entry is readEntry for who is given the record.
func (l *Log) entry(s *segment, m *mapping, off, end int64) (Entry, int64, error) {
	if l.o.CheckReads {
		m.doubt(off)
	}
	return readEntry(s, m, off, end)
}

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
		err = errNoFrame
	}
	if !errors.As(err, new(frameError)) && !errors.Is(err, ErrVersion) {
		return fmt.Errorf("read %s at offset %d: %w", s.path, off, err)
	}
	return &DamageError{s.path, off, err}
}
