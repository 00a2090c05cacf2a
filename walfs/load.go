package walfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

const errMissing = frameError("the file is missing")

// load reads the headers of the segments with these ids, and the records of the
// last one, and sets l.last. Sealed segments in front of it are taken at their
// header's word, so that opening does not cost the reading of the whole log: what
// is wrong with their records is found by whoever reads them. It changes nothing
// on disk.
func (l *Log) load(ids []uint64) ([]*segment, error) {
	segs := make([]*segment, 0, len(ids)+1)
	for i, id := range ids {
		s := l.absent(id)
		if i > 0 && id != ids[i-1]+1 {
			if err := l.meet(l.absent(ids[i-1]+1), 0, errMissing); err != nil {
				return nil, err
			}
		}
		if s.bad = l.loadHeader(s); s.bad != nil {
			if err := l.meet(s, 0, s.bad); err != nil {
				return nil, err
			}
		}
		segs = append(segs, s)
	}
	due, sure := LSN(1), true
	for i, s := range segs {
		sure = sure && (s.id == 1 || i > 0 && s.id == ids[i-1]+1)
		var next *segment
		if i+1 < len(segs) {
			next = segs[i+1]
			s.next.Store(next)
		}
		var err error
		if due, err = l.join(s, next, due, sure); err != nil {
			return nil, err
		}
		sure = s.bad == nil
	}
	l.last.Store(due - 1)
	return segs, nil
}

// absent is a segment that is not there.
func (l *Log) absent(id uint64) *segment {
	return &segment{id: id, path: filepath.Join(l.dir, segmentName(id))}
}

// meet is told what is wrong at off of s. It is the end of opening, unless that is
// degraded.
func (l *Log) meet(s *segment, off int64, err error) error {
	if err = s.damage(off, err); !l.o.Degraded {
		return err
	}
	var damage *DamageError
	if !errors.As(err, &damage) {
		damage = &DamageError{s.path, off, err}
	}
	l.report.Damage = append(l.report.Damage, damage)
	return nil
}

func (l *Log) loadHeader(s *segment) error {
	f, err := l.fs.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.size, err = f.Size(); err != nil {
		return err
	}
	if s.size < headerSize {
		return frameError("file is shorter than a header")
	}
	b := make([]byte, headerSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	if s.header, err = decodeHeader(b, s.size); err != nil {
		return err
	}
	s.first = s.header.first
	return nil
}

// join finds where the records of s end. They should begin with the LSN due; sure
// tells that nothing is missing before them. It returns the LSN due behind them.
func (l *Log) join(s, next *segment, due LSN, sure bool) (LSN, error) {
	if s.bad == nil && (s.first < due || s.first > due && sure) {
		err := frameError(fmt.Sprintf("first record is %d, want %d: records are missing or twice there", s.first, due))
		if err := l.meet(s, 0, err); err != nil {
			return 0, err
		}
		if s.first < due {
			s.bad = err
		}
	}
	if s.bad != nil {
		return l.joinBad(s, next, due, sure)
	}
	s.end.Store(s.header.mark)
	if next != nil && !s.header.sealed {
		if err := l.meet(s, 0, frameError("segment is not sealed, yet another follows")); err != nil {
			return 0, err
		}
	}
	if next == nil || !s.header.sealed {
		return l.loadLast(s)
	}
	return s.first + s.header.count, nil
}

// joinBad finds what can be had of a segment whose header says nothing.
func (l *Log) joinBad(s, next *segment, due LSN, sure bool) (LSN, error) {
	s.first, s.loose = due, !sure
	s.end.Store(headerSize)
	p := site{from: headerSize, end: s.size, first: due, atLeast: !sure, upTo: true}
	if next != nil && next.id == s.id+1 && next.bad == nil {
		p.limit = max(next.first, due)
	}
	if s.size <= headerSize || errors.Is(s.bad, ErrVersion) {
		return max(due, p.limit), nil
	}
	var err error
	if p.memory, err = s.view(l.fs); err != nil {
		return max(due, p.limit), l.meet(s, 0, err)
	}
	if found := p.survey(); len(found) > 0 {
		last := found[len(found)-1]
		s.end.Store(last.to)
		due = last.due
	}
	return max(due, p.limit), nil
}

// loadLast scans a segment that may have a torn tail.
func (l *Log) loadLast(s *segment) (LSN, error) {
	m, err := s.view(l.fs)
	if err != nil {
		s.bad = err
		return s.first + s.header.count, l.meet(s, 0, err)
	}
	s.end.Store(headerSize)
	due, err := l.scan(s, m, s.header.mark, s.first)
	at := s.end.Load()
	if err == nil && at != s.header.mark {
		err = io.EOF
	} else if found := due - s.first; err == nil && found != s.header.count {
		at, err = 0, frameError(fmt.Sprintf("header counts %d records, there are %d", s.header.count, found))
	}
	if s.indexed = err == nil; !s.indexed {
		if err := l.meet(s, at, err); err != nil {
			return 0, err
		}
		s.end.Store(s.header.mark)
		due = s.first + s.header.count
	}
	if s.header.sealed {
		return due, nil
	}
	// Above the mark nothing was promised to be found: the first bytes that are
	// no frame are the torn tail of a crash.
	if due, err = l.scan(s, m, s.size, due); err != nil && !errors.As(err, new(frameError)) {
		return due, l.meet(s, s.end.Load(), err)
	}
	return due, nil
}

// scan walks the frames from s.end, where the record due begins, up to limit and
// moves s.end over those that are sound and carry the LSN that is due, batch by
// batch: one whose end is missing was never promised. A frame with another LSN is
// no frame of this place: an old file's bytes, or a record that was wiped. It
// returns the LSN due at s.end; the error says what stopped the scan, nil when the
// frames simply end.
func (l *Log) scan(s *segment, m *mapping, limit int64, due LSN) (LSN, error) {
	var left uint32 // of the batch under way, which starts at s.end
	for off, lsn := s.end.Load(), due; ; lsn++ {
		r, size, err := m.record(off, limit)
		if err == io.EOF {
			return due, nil
		}
		if err != nil {
			return due, err
		}
		switch {
		case r.lsn != lsn:
			return due, errLSN
		case left != 0 && r.left != left-1:
			return due, errBatch
		}
		off += size
		if left = r.left; left == 0 {
			s.note(due, s.end.Load())
			s.end.Store(off)
			due = lsn + 1
		}
	}
}

// zeroPage is what behind the records every page should be.
var zeroPage [pageSize]byte

// lastNonZero returns how many bytes from off on, up to limit, it takes to cover
// all that are not zero.
func lastNonZero(m *mapping, off, limit int64) (int64, error) {
	end := limit
	err := m.bytes(0, limit, func(file []byte) error {
		for end-pageSize >= off && bytes.Equal(file[end-pageSize:end], zeroPage[:]) {
			end -= pageSize
		}
		for end > off && file[end-1] == 0 {
			end--
		}
		return nil
	})
	return end - off, err
}
