package walfs

import (
	"errors"
	"fmt"
	"slices"
)

// Truncate cuts every record above last off the end of the log, durably before it
// returns: the next one appended gets last+1. Nothing is changed when it refuses:
//
//   - ErrNotFound: last is not in the log (ErrPruned: not any more)
//   - ErrCheckpointed: records up to a checkpoint above last are built upon
//   - ErrReaderAhead: an open Reader has read a record above last
//   - ErrCutsBatch: last and last+1 were appended in one batch
//
// It waits for appenders under way. One that was still waiting for its sync may
// then be told that it holds what the cut took off. Entries read stay valid. When
// the disk fails half-way the log is stopped, and holds some more records than
// asked for when it is opened again.
func (l *Log) Truncate(last LSN) error {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	release := l.alone()
	defer release()
	if l.closed.Load() {
		return ErrClosed
	}
	if err := l.group.err(); err != nil {
		return err
	}
	if err := l.repair(); err != nil {
		return err
	}
	switch end := l.last.Load(); {
	case last > end || last+1 < l.First():
		return outside(ErrNotFound, last < end, "truncate to %d, the log holds %d to %d", last, l.First(), end)
	case last == end:
		return nil
	case last < l.kept.Load():
		return fmt.Errorf("%w: truncate to %d, the checkpoint is at %d", ErrCheckpointed, last, l.kept.Load())
	}
	c, err := l.findCut(last)
	if err != nil {
		return err
	}
	return l.cutOff(c)
}

// alone takes the syncer's role and mu. release gives both back.
func (l *Log) alone() (release func()) {
	a := l.newRequest(Each)
	a.last = l.Last()
	var me list
	me.add(a)
	role := l.awaitSync(me, a) == turnSync // else the log is closed, or stopped
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		if role {
			l.group.leave()
		}
		l.release(a)
	}
}

// incision is where Truncate cuts: behind the record last, at off of segs[at].
type incision struct {
	segs []*segment
	at   int
	off  int64
	last LSN
}

func (c incision) seg() *segment { return c.segs[c.at] }

// findCut finds the end of the record last and checks that its batch ends there.
// Callers hold mu.
func (l *Log) findCut(last LSN) (incision, error) {
	c := incision{segs: *l.segs.Load(), last: last, off: headerSize}
	if last < c.segs[0].first {
		return c, nil
	}
	for c.at+1 < len(c.segs) && c.segs[c.at+1].first <= last {
		c.at++
	}
	s := c.seg()
	m, err := s.view(l.fs)
	if err != nil {
		return c, err
	}
	at, err := seekIn(s, m, last)
	if err != nil {
		return c, fmt.Errorf("truncate: %w", err)
	}
	r, size, err := m.record(at, s.end.Load())
	if err == nil && r.lsn != last {
		err = errLSN
	}
	if err != nil {
		return c, fmt.Errorf("truncate: %w", s.damage(at, err))
	}
	if r.left > 0 {
		return c, fmt.Errorf("%w: %d and %d to %d are one batch; cut before or behind it",
			ErrCutsBatch, last, last+1, last+LSN(r.left))
	}
	c.off = at + size
	return c, nil
}

// cutOff makes the cut on disk, then in memory. Each step leaves a log that is
// whole and reaches last or further: the segments behind the cut go one by one,
// the last first, and the one that is cut gives way to a copy of what stays, in
// one step. A copy, because whoever has read from the old file still looks at it.
// Callers hold mu.
func (l *Log) cutOff(c incision) error {
	l.readers.mu.Lock()
	defer l.readers.mu.Unlock()
	for r := range l.readers.open {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.past(c) {
			return fmt.Errorf("%w: truncate to %d, a reader is at %d of segment %d", ErrReaderAhead, c.last, r.off, r.seg.id)
		}
	}
	s, f, err := l.prepareCut(c)
	if err != nil {
		return err
	}
	if err := l.dropSpare(); err != nil { // it was to follow what is cut off
		return errors.Join(err, l.giveBack(c, s, f))
	}
	if err := l.replace(c, s, f); err != nil {
		return l.stop(fmt.Errorf("truncate: %w", err))
	}
	old, file := l.active, l.file
	segs := append(slices.Clone(c.segs[:c.at]), s)
	if c.at > 0 {
		segs[c.at-1].next.Store(s)
	}
	s.next.Store(nil)
	for r := range l.readers.open {
		r.settle(c, s)
	}
	l.segs.Store(&segs)
	l.active, l.file = s, f
	l.last.Store(c.last)
	l.group.retreat(c.last)
	return l.retire(old, file)
}

// prepareCut returns what takes the place of the segment that is cut: that one
// itself when it is sealed and the cut is at its end, or else a copy up to the cut
// under a temporary name, synced.
func (l *Log) prepareCut(c incision) (*segment, File, error) {
	s := c.seg()
	m, err := s.view(l.fs)
	if err != nil {
		return nil, nil, err
	}
	if s.header.sealed && c.off == s.end.Load() {
		f, err := l.fs.Open(s.path)
		if err != nil {
			return nil, nil, fmt.Errorf("open segment: %w", err)
		}
		return s, f, nil
	}
	n, f, err := l.create(s.id, s.size)
	if err != nil {
		return nil, nil, err
	}
	n.first = s.first
	n.end.Store(c.off)
	err = m.bytes(headerSize, c.off, func(frames []byte) error {
		_, err := f.WriteAt(frames, headerSize)
		return err
	})
	if err == nil {
		err = l.writeHeader(f, n, header{created: s.header.created, mark: c.off, count: c.last + 1 - s.first, first: s.first})
	}
	if err == nil {
		var copied *mapping
		copied, err = mapFile(f, n.size)
		n.mapped.Store(copied)
	}
	if err == nil {
		err = l.sync(f.Sync)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("copy what stays of %s: %w", s.path, errors.Join(err, l.discard(n, f)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n.index, n.indexed = slices.Clone(s.index), s.indexed
	for len(n.index) > 0 && n.index[len(n.index)-1].off >= c.off {
		n.index = n.index[:len(n.index)-1]
	}
	if len(n.index) > 0 {
		n.noted = n.index[len(n.index)-1].off
	}
	return n, f, nil
}

// giveBack undoes prepareCut.
func (l *Log) giveBack(c incision, s *segment, f File) error {
	if s == c.seg() {
		return f.Close()
	}
	return l.discard(s, f)
}

// replace removes the segments behind the cut and puts s into the place of the one
// that is cut.
func (l *Log) replace(c incision, s *segment, f File) error {
	for i := len(c.segs) - 1; i > c.at; i-- {
		if err := l.fs.Remove(c.segs[i].path); err != nil {
			return err
		}
		if err := l.syncDir(); err != nil {
			return err
		}
	}
	if s == c.seg() {
		return nil
	}
	return l.place(s, f)
}

// past reports whether r has read what c takes off. Callers hold r.mu.
func (r *Reader) past(c incision) bool {
	if r.want != 0 {
		return r.want > c.last+1
	}
	return r.seg.id > c.seg().id || r.seg == c.seg() && r.off > c.off
}

// settle lets r go on in s, which is what c left of its segment. Callers hold r.mu.
func (r *Reader) settle(c incision, s *segment) {
	if r.seg.id < s.id {
		return
	}
	if r.seg.id > s.id {
		r.off = c.off
	}
	r.seg, r.memory = s, s.mapped.Load()
}
