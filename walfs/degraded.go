package walfs

import (
	"fmt"
	"io/fs"
	"slices"
)

// looks is how often a degraded Open looks again when a process that writes the
// log changed it meanwhile.
const looks = 5

// look opens a log as it is. It never writes: there is no file open to write to,
// and group keeps everyone away who would want one.
func (l *Log) look() error {
	readOnly := ErrReadOnly
	l.group.stopped.Store(&readOnly)
	for try := 1; ; try++ {
		names, err := l.fs.List(l.dir)
		if err != nil {
			return err
		}
		ids := segmentIDs(names)
		if len(ids) == 0 {
			return fmt.Errorf("no segments in %s: %w", l.dir, fs.ErrNotExist)
		}
		segs, err := l.load(ids)
		if err != nil {
			return err
		}
		// Segments come and go beside a writer. Damage seen while they did may
		// be none.
		if names, err = l.fs.List(l.dir); err != nil {
			return err
		}
		if try < looks && len(l.report.Damage) > 0 && !slices.Equal(ids, segmentIDs(names)) {
			l.report = Report{}
			continue
		}
		l.take(segs)
		return l.measure()
	}
}

// measure reports the torn tail that an ordinary Open would take off.
func (l *Log) measure() error {
	s := l.active
	if s.bad != nil || s.header.sealed {
		return nil
	}
	m, err := s.view(l.fs)
	if err != nil {
		return nil // it is in the report already
	}
	l.report.Torn, err = lastNonZero(m, s.end.Load(), s.size)
	if err != nil {
		return l.meet(s, s.end.Load(), err)
	}
	return nil
}
