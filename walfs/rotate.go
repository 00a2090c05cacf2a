package walfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// prepareShare: the next segment is made when 1/prepareShare of the active one is
// full. Later, it might not be ready in time; earlier, small logs would hold the
// space of two segments.
const prepareShare = 2

// maxUnsynced is how many bytes of None the active segment may hold before the log
// begins a sync on its own, which nobody waits for. A rotation then finds little
// that is not on the disk yet.
const maxUnsynced = 2 << 20

// spare is a segment that is made while the active one fills. What follows made
// may be looked at when that is closed.
type spare struct {
	made chan struct{}
	seg  *segment
	file File
	err  error // why there is none
}

// chore returns what is to be done aside of the appenders now, nil for nothing.
// Callers hold mu; they run it without, by Options.Go.
func (l *Log) chore() func() {
	s, end := l.active, l.active.end.Load()
	switch {
	case l.closed.Load() || l.group.err() != nil:
		return nil
	case l.spare == nil && end >= s.size/prepareShare:
		return l.prepareAhead(s.id + 1)
	case end-s.header.mark >= maxUnsynced && l.flushing.CompareAndSwap(false, true):
		return l.aside(func() {
			_ = l.waitDurable(l.Last()) // a failed sync has stopped the log: who appends is told
			l.flushing.Store(false)
		})
	}
	return nil
}

// aside has Close wait for f.
func (l *Log) aside(f func()) func() {
	l.chores.Add(1)
	return func() {
		defer l.chores.Done()
		f()
	}
}

// prepareAhead returns what makes the next segment. Callers hold mu.
func (l *Log) prepareAhead(id uint64) func() {
	sp := &spare{made: make(chan struct{})}
	l.spare = sp
	return func() {
		defer close(sp.made)
		sp.seg, sp.file, sp.err = l.create(id, l.o.SegmentSize)
		if sp.err == nil {
			if err := l.syncAside(sp.file.Sync); err != nil {
				sp.err = errors.Join(err, l.discard(sp.seg, sp.file))
			}
		}
	}
}

// takeSpare returns the prepared segment when it has room for need bytes. One that
// could not be made is not tried again before there is a new active segment:
// whoever needs it now makes it, and is told what is wrong. Callers hold mu.
func (l *Log) takeSpare(need int64) (*segment, File, bool) {
	sp := l.spare
	if sp == nil {
		return nil, nil, false
	}
	if <-sp.made; sp.err != nil {
		return nil, nil, false
	}
	l.spare = nil
	if sp.seg.size < headerSize+need {
		_ = l.discard(sp.seg, sp.file) // what stays, the next Open removes
		return nil, nil, false
	}
	return sp.seg, sp.file, true
}

// dropSpare removes the prepared segment, when there is one. Callers hold mu.
func (l *Log) dropSpare() error {
	sp := l.spare
	if sp == nil {
		return nil
	}
	l.spare = nil
	if <-sp.made; sp.err != nil {
		return nil // nothing is there; appenders were told, or did not need it
	}
	return l.discard(sp.seg, sp.file)
}

// prepare makes the file of a segment that holds nothing and starts with first,
// under a temporary name.
func (l *Log) prepare(id uint64, first LSN, need int64) (*segment, File, error) {
	s, f, ok := l.takeSpare(need)
	if !ok {
		var err error
		if s, f, err = l.reserve(id, headerSize+need); err != nil {
			return nil, nil, err
		}
	}
	now := l.o.Now().UnixNano()
	s.first = first
	err := l.writeHeader(f, s, header{created: now, mark: headerSize, first: first})
	if err == nil {
		err = l.sync(f.Sync)
	}
	if err != nil {
		return nil, nil, errors.Join(err, l.discard(s, f))
	}
	return s, f, nil
}

// reserve makes a segment of the size that Options ask for or, on a disk without
// room for that, of half of them, a quarter and so on, as long as need bytes fit:
// what is left of a disk is used before it counts as full, and a small one can be
// used at all.
func (l *Log) reserve(id uint64, need int64) (*segment, File, error) {
	size := max(l.o.SegmentSize, need)
	for {
		s, f, err := l.create(id, size)
		size = size / 2 / frameAlign * frameAlign
		if !NoSpace(err) || size < max(need, MinSegmentSize) {
			return s, f, err
		}
	}
}

// create makes the file of a segment under a temporary name, without a header.
func (l *Log) create(id uint64, size int64) (*segment, File, error) {
	s := &segment{id: id, path: filepath.Join(l.dir, segmentName(id)), size: size}
	s.end.Store(headerSize)
	f, err := l.fs.Create(s.path + tempSuffix)
	if errors.Is(err, fs.ErrExist) { // one could not be discarded: it holds nothing
		if err = l.fs.Remove(s.path + tempSuffix); err == nil {
			f, err = l.fs.Create(s.path + tempSuffix)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("create segment: %w", err)
	}
	if err := f.Allocate(size); err != nil {
		return nil, nil, fmt.Errorf("create segment %s: %w", s.path, errors.Join(err, l.discard(s, f)))
	}
	return s, f, nil
}

// discard removes a segment that has no name yet.
func (l *Log) discard(s *segment, f File) error {
	return errors.Join(f.Close(), l.fs.Remove(s.path+tempSuffix))
}

// place gives a prepared segment its name, durably. Header and length were on the
// disk before, so a segment with an unreadable header is never a crash's work.
func (l *Log) place(s *segment, f File) error {
	if err := l.fs.Rename(s.path+tempSuffix, s.path); err != nil {
		return fmt.Errorf("name segment: %w", errors.Join(err, l.discard(s, f)))
	}
	if err := l.syncDir(); err != nil {
		return errors.Join(err, f.Close())
	}
	return nil
}

// rotate seals the active segment and goes on in a new one with room for a batch
// of need bytes. The old segment is sealed on the disk before the new one has its
// name: only the last segment of a log can have a torn tail. The new one's space
// is taken first: on a full disk the old one still has room for smaller batches.
// Callers hold mu.
func (l *Log) rotate(need int64) error {
	s, f, err := l.prepare(l.active.id+1, l.last.Load()+1, need)
	if err != nil {
		return err
	}
	if err := l.seal(); err != nil {
		return errors.Join(err, l.discard(s, f))
	}
	if err := l.place(s, f); err != nil {
		return err
	}
	old, file := l.active, l.file
	segs := *l.segs.Load()
	grown := append(segs[:len(segs):len(segs)], s)
	l.segs.Store(&grown)
	old.next.Store(s)
	l.active, l.file, l.spare = s, f, nil
	return l.retire(old, file)
}

// seal syncs the active segment, then marks its end in the header and syncs that.
func (l *Log) seal() error {
	s := l.active
	if s.header.sealed {
		return nil // by a rotation that got no further
	}
	t := l.tip()
	if err := l.sync(l.file.Sync); err != nil {
		return err
	}
	l.group.advance(t.last)
	h := s.header
	h.mark, h.count, h.sealed = t.end, t.last+1-s.first, true
	if err := l.writeHeader(l.file, s, h); err != nil {
		return err
	}
	return l.sync(l.file.Sync)
}

// retire closes the file of a sealed segment, while nobody syncs it.
func (l *Log) retire(s *segment, f File) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	s.retired = true
	return f.Close()
}
