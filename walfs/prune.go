package walfs

import (
	"fmt"
	"slices"
)

// Checkpoint declares that the records up to lsn are kept elsewhere, durably, so
// that they may be pruned and must not be cut off any more. It never goes back.
// Nothing is written: after Open it is 0 until it is declared again.
func (l *Log) Checkpoint(lsn LSN) {
	for was := l.kept.Load(); was < lsn && !l.kept.CompareAndSwap(was, lsn); {
		was = l.kept.Load()
	}
}

// Prune deletes whole segments from the beginning of the log, as many as hold
// nothing but records below before, none above the checkpoint, and none that an
// open Reader has still to read. The last segment stays. It returns the LSN with
// which the log now begins, also beside an error; deleting less than asked for is
// none. What is gone is gone durably.
//
// Positions in deleted segments are ErrBadPosition and ErrPruned, their LSNs
// ErrNotFound and ErrPruned. Entries read from them stay valid.
func (l *Log) Prune(before LSN) (LSN, error) {
	l.trimming.Lock()
	defer l.trimming.Unlock()
	for {
		s, err := l.dropFirst(before)
		if s == nil || err != nil {
			return l.First(), err
		}
		// One after the other: a crash must not leave a gap, and the directory may
		// keep any mix of changes that were not synced.
		if err := l.fs.Remove(s.path); err != nil {
			l.putBack(s)
			return l.First(), fmt.Errorf("prune: %w", err)
		}
		if err := l.syncDir(); err != nil {
			return l.First(), err
		}
	}
}

// dropFirst takes the first segment out of the log in memory, when it may go.
func (l *Log) dropFirst(before LSN) (*segment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil, ErrClosed
	}
	if err := l.group.err(); err != nil {
		return nil, err
	}
	l.readers.mu.Lock()
	defer l.readers.mu.Unlock()
	segs := *l.segs.Load()
	if len(segs) == 1 || segs[1].first > before || segs[1].first-1 > l.kept.Load() {
		return nil, nil
	}
	for r := range l.readers.open {
		r.mu.Lock()
		reading := r.seg == segs[0]
		r.mu.Unlock()
		if reading {
			return nil, nil
		}
	}
	rest := slices.Clone(segs[1:])
	l.segs.Store(&rest)
	segs[0].gone.Store(true)
	return segs[0], nil
}

// putBack undoes dropFirst.
func (l *Log) putBack(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	segs := append([]*segment{s}, *l.segs.Load()...)
	s.gone.Store(false)
	l.segs.Store(&segs)
}

// outside is the error for what lies outside of the log; below tells that it lay
// in it before it was pruned.
func outside(kind error, below bool, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if below {
		return fmt.Errorf("%w: %s: %w", kind, text, ErrPruned)
	}
	return fmt.Errorf("%w: %s", kind, text)
}
