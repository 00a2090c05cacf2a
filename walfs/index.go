package walfs

import (
	"io"
	"sort"
)

type indexEntry struct {
	lsn LSN
	off int64
}

// note remembers that a record starts at off, if the index wants to know. The
// first record of a segment needs no entry. Callers hold Log.mu.
func (s *segment) note(lsn LSN, off int64) {
	if off-s.noted < indexStride {
		return
	}
	s.noted = off
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = append(s.index, indexEntry{lsn, off})
}

// remember is note for those who make the whole index.
func (s *segment) remember(lsn LSN, off int64) {
	if n := len(s.index); n == 0 || off-s.index[n-1].off >= indexStride {
		s.index = append(s.index, indexEntry{lsn, off})
	}
}

// before is the last indexed record at or before lsn.
func (s *segment) before(lsn LSN) indexEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := sort.Search(len(s.index), func(i int) bool { return s.index[i].lsn > lsn })
	if i == 0 {
		return indexEntry{s.first, headerSize}
	}
	return s.index[i-1]
}

// Seek returns the position of the record with that LSN, or of the live end for
// Last()+1. It wraps ErrNotFound for any other LSN. The first Seek into a segment
// that was full when the log was opened reads all of it.
func (l *Log) Seek(lsn LSN) (Position, error) {
	if l.closed.Load() {
		return Position{}, ErrClosed
	}
	last := l.Last()
	segs := *l.segs.Load()
	if lsn < segs[0].first || lsn > last+1 {
		return Position{}, outside(ErrNotFound, lsn > 0 && lsn <= last, "%d, the log holds %d to %d", lsn, segs[0].first, last)
	}
	s := segs[len(segs)-1]
	for i := len(segs) - 1; s.first > lsn; i-- {
		s = segs[i-1]
	}
	m, err := s.view(l.fs)
	if err != nil {
		return Position{}, err
	}
	if err := l.index(s); err != nil {
		return Position{}, err
	}
	off, err := seekIn(s, m, lsn)
	return Position{s.id, uint64(off)}, err
}

// index makes the sparse index of a segment that was not read yet. Where records
// are damaged it goes on behind them, so that those can still be found.
func (l *Log) index(s *segment) error {
	s.mu.Lock()
	done := s.indexed
	s.mu.Unlock()
	if done {
		return nil
	}
	l.mu.Lock()
	p, err := l.site(s)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	found := p.survey()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexed {
		return nil
	}
	s.index, s.indexed = nil, true
	for _, part := range found {
		s.index = append(s.index, indexEntry{part.first, part.from})
		for off, lsn := part.from, part.first; lsn < part.due; lsn++ {
			_, size, err := p.memory.record(off, p.end)
			if err != nil {
				break // a page that could be read a moment ago: the rest is found without an index
			}
			s.remember(lsn, off)
			off += size
		}
	}
	return nil
}

// site is what is known of s now. Callers hold mu.
func (l *Log) site(s *segment) (site, error) {
	p := site{from: headerSize, end: s.end.Load(), first: s.first, atLeast: s.loose}
	switch next := s.next.Load(); {
	case next == nil:
		p.limit = l.last.Load() + 1
	case s.bad == nil && s.header.sealed:
		p.limit = s.first + s.header.count
	case next.id == s.id+1 && !next.loose:
		p.limit = next.first
	}
	var err error
	p.memory, err = s.view(l.fs)
	return p, err
}

// seekIn hops from frame to frame, from the nearest indexed record.
func seekIn(s *segment, m *mapping, lsn LSN) (int64, error) {
	end := s.end.Load()
	at := s.before(lsn)
	for ; at.lsn < lsn && at.off < end; at.lsn++ {
		r, size, err := readEntry(s, m, at.off, end)
		if err != nil {
			return 0, err
		}
		if r.LSN != at.lsn {
			return 0, &DamageError{s.path, at.off, errLSN}
		}
		at.off += size
	}
	if at.lsn < lsn {
		return 0, s.damage(end, io.EOF)
	}
	return at.off, nil
}
