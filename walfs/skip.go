package walfs

import (
	"errors"
	"fmt"
)

// unknownLSN is Lost.Last when nobody can tell: one less than 0.
const unknownLSN = ^LSN(0)

// Lost is what a reader passed over, or Verify found damaged.
type Lost struct {
	File     string // the segment
	From, To int64  // bytes of it, To behind the last; both 0 when the file is missing
	// First and Last are the records that were there: First is Last+1 when none
	// was, and Last is the greatest uint64 when nobody can tell any more.
	First, Last LSN
	// Before counts the records right before First that were appended in one
	// batch with lost ones. After counts those right behind Last of which that
	// is so, or may be: where a batch begins shows only in the record before it.
	Before, After uint64
	Err           error // what is wrong
}

func (l Lost) String() string {
	s := fmt.Sprintf("%s, bytes %d to %d: %v; ", l.File, l.From, l.To, l.Err)
	switch {
	case l.Last == unknownLSN:
		s += fmt.Sprintf("records from %d on are lost", l.First)
	case l.Last < l.First:
		return s + "no record is lost"
	default:
		s += fmt.Sprintf("records %d to %d are lost", l.First, l.Last)
	}
	if l.Before > 0 {
		s += fmt.Sprintf("; the %d before them are the beginning of a batch", l.Before)
	}
	if l.After > 0 {
		s += fmt.Sprintf("; the %d behind them are, or may be, the end of a batch", l.After)
	}
	return s
}

// Skip moves a reader whose last Next failed with a DamageError, or because the
// disk does not deliver the bytes, to the next record that is sound (README.md,
// "Reading past damage"), and says what it passed over. It reads the segment from
// its beginning to its end at most. The next Next may well meet the next damage.
func (r *Reader) Skip() (Lost, error) {
	r.log.mu.Lock() // where the active segment ends, and with which LSN, is decided under it
	r.mu.Lock()
	defer r.mu.Unlock()
	var p site
	var err error
	if r.seg != nil {
		p, err = r.log.site(r.seg)
	}
	r.log.mu.Unlock()
	var damage *DamageError
	switch {
	case r.closed || r.log.closed.Load():
		return Lost{}, ErrClosed
	case !errors.As(r.stuck, &damage) && !errors.Is(r.stuck, ErrUnreadable):
		return Lost{}, ErrNoDamage
	}
	stuck := r.stuck
	if damage != nil {
		stuck = damage.Err
	}
	r.stuck = nil
	if next := r.seg.next.Load(); r.off != 0 && r.off >= p.end && next != nil {
		return r.leap(next, stuck)
	}
	if err != nil { // it cannot even be mapped
		p.end = p.from
	}
	return r.resume(p, stuck), nil
}

// leap goes on in the next segment, when what lay between is missing.
func (r *Reader) leap(next *segment, why error) (Lost, error) {
	lost := Lost{File: r.seg.path, From: r.off, To: r.off, First: r.want, Last: next.first - 1, Err: why}
	if why == error(errMissing) {
		lost.File, lost.From, lost.To = r.log.absent(r.seg.id+1).path, 0, 0
	}
	if next.loose {
		lost.Last = unknownLSN
	}
	return lost, r.enter(next)
}

// resume goes on at the first sound record behind r.off that a survey finds, or
// else at the end of the segment.
func (r *Reader) resume(p site, why error) Lost {
	var before, behind *stretch
	for _, s := range p.survey() {
		if s.from > r.off {
			behind = &s
			break
		}
		if before = &s; s.to > r.off {
			break
		}
	}
	lost := p.between(before, behind)
	lost.File, lost.Err = r.seg.path, why
	if before != nil && before.to > r.off { // in the middle of sound records: r.off was no place to read at
		lost = Lost{File: r.seg.path, Err: why}
		lost.To, lost.First = p.boundary(*before, r.off)
		lost.Last = lost.First - 1
	}
	lost.From = r.off
	r.off, r.want = lost.To, lost.Last+1 // 0 when that is not known
	if behind == nil && r.seg.bad != nil {
		lost.To = r.seg.size
	}
	return lost
}

// between tells what is missing between two stretches; nil stands for the ends of
// the site.
func (p site) between(a, b *stretch) Lost {
	lost := Lost{From: p.from, To: p.end, First: p.first, Last: unknownLSN}
	if a != nil {
		lost.From, lost.First = a.to, a.due
	} else if p.atLeast && b != nil {
		lost.First = b.first
	}
	switch {
	case b != nil:
		lost.To, lost.Last = b.from, b.first-1
	case p.limit != 0:
		lost.Last = p.limit - 1
	}
	batch := LSN(0) // the last record of the batch that a ends with, 0 when not known
	if a != nil {
		if a.left > 0 {
			lost.Before = a.due - a.begun
		}
		batch = a.due - 1 + LSN(a.left)
	}
	switch {
	case b == nil, batch != 0 && batch == lost.Last:
	case batch > lost.Last:
		lost.After = batch - lost.Last
	default:
		lost.After = LSN(b.head) + 1
	}
	return lost
}

// boundary returns where the first frame of s at or behind off starts, and its LSN.
func (p site) boundary(s stretch, off int64) (int64, LSN) {
	at, lsn := s.from, s.first
	for ; at < off; lsn++ {
		_, size, err := p.memory.record(at, p.end)
		if err != nil {
			return s.to, s.due
		}
		at += size
	}
	return at, lsn
}
