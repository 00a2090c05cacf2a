package walfs

import (
	"errors"
	"fmt"
)

// Append writes recs in order, as one batch in one segment, and returns where
// they went once d's promise holds. An error other than ErrStopped means that
// nothing was appended. After ErrStopped the records may or may not be there
// when the log is opened again; none was promised.
//
// A batch is atomic: after a crash all of it is there, or none.
func (l *Log) Append(d Durability, recs ...Record) ([]Placed, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	bytes, err := l.checkBatch(recs)
	if err != nil || len(recs) == 0 {
		return nil, err
	}
	a := l.newRequest(d)
	a.recs, a.placed, a.bytes = recs, make([]Placed, len(recs)), bytes
	for t := l.queue.enter(a); t != turnDone; {
		if t == turnWrite {
			t = l.writeTurn(a)
		} else {
			t = l.syncTurn(a)
		}
	}
	placed, err := a.placed, a.err
	l.release(a)
	if err != nil {
		return nil, err
	}
	return placed, nil
}

// checkBatch returns the most bytes recs can take on the disk.
func (l *Log) checkBatch(recs []Record) (int64, error) {
	limit, total := l.o.maxData(), int64(0)
	for i, r := range recs {
		if r.Kind == 0 {
			return 0, fmt.Errorf("%w (record %d of the batch)", ErrBadRecord, i)
		}
		n := int64(len(r.Data))
		if n > limit {
			return 0, fmt.Errorf("%w: record of %d bytes, the limit is %d with segments of %d bytes",
				ErrTooLarge, n, limit, l.o.SegmentSize)
		}
		total += n + recordOverhead + frameOverhead
	}
	if total > MaxBatch {
		return 0, fmt.Errorf("%w: batch of %d bytes, the limit is %d; append it in parts", ErrTooLarge, total, MaxBatch)
	}
	return total, nil
}

// writeTurn is the writer's role: a writes for all who wait, and passes on those
// whose promise needs a sync. It returns a's next turn.
func (l *Log) writeTurn(a *request) turn {
	group := l.queue.take(a)
	if chore := l.write(group.first); chore != nil {
		l.o.Go(chore)
	}
	l.queue.leave()
	var waiting, done list
	for r := group.pop(); r != nil; r = group.pop() {
		switch {
		case r.err == nil && r.d.waits():
			waiting.add(r)
		case r != a:
			done.add(r)
		}
	}
	mine := a.err == nil && a.d.waits()
	done.tell(turnDone)
	t := l.awaitSync(waiting, a)
	if !mine {
		return turnDone
	}
	return t
}

// write writes the requests from a on and shows them to the readers, with one
// pwrite unless a segment ends in between. It returns what is to be done aside.
func (l *Log) write(a *request) (chore func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a != nil {
		rest, err := l.writeSome(a)
		for ; a != rest; a = a.next {
			if a.err = err; err == nil && a.d.interval() > 0 {
				l.timer.set(l, a.d.interval(), a.last)
			}
		}
	}
	return l.chore()
}

// writeSome writes a and those of the requests behind it that fit into its
// segment. rest is the first it did not deal with; err is for all before.
func (l *Log) writeSome(a *request) (rest *request, err error) {
	switch {
	case l.closed.Load():
		return nil, ErrClosed
	case l.group.err() != nil:
		return nil, l.group.err()
	}
	if err := l.repair(); err != nil {
		return a.next, err
	}
	rest, need := l.encode(a)
	if rest == a {
		if err := l.rotate(need); err != nil {
			return a.next, err
		}
		rest, _ = l.encode(a)
	}
	s, off := l.active, l.active.end.Load()
	end := off + int64(len(l.enc.frames))
	if _, err := l.file.WriteAt(l.enc.frames, off); err != nil {
		l.failed = span{off, end}
		return rest, errors.Join(fmt.Errorf("append to %s: %w", s.path, err), l.repair())
	}
	last := l.last.Load()
	for ; a != rest; a = a.next {
		for _, p := range a.placed {
			s.note(p.LSN, int64(p.Pos.Offset))
		}
		last = a.last
	}
	s.end.Store(end)
	l.last.Store(last)
	l.bell.ring()
	return rest, nil
}

// encode numbers and encodes the batches of a and those behind it, as many as the
// active segment has room for. rest is the first that has none; when that is a,
// need is what it takes.
func (l *Log) encode(a *request) (rest *request, need int64) {
	s, off := l.active, l.active.end.Load()
	room := s.size - off
	if s.header.sealed {
		room = 0
	}
	l.enc.reset()
	lsn := l.last.Load()
	for ; a != nil; a = a.next {
		before := len(l.enc.frames)
		for i, r := range a.recs {
			lsn++
			at := l.enc.add(lsn, r, len(a.recs)-1-i)
			a.placed[i] = Placed{lsn, Position{s.id, uint64(off + int64(at))}}
		}
		if need = int64(len(l.enc.frames)); need > room {
			l.enc.frames = l.enc.frames[:before]
			return a, need
		}
		a.last = lsn
	}
	return nil, need
}

// span is a range of bytes of the active segment; empty when to is 0.
type span struct{ from, to int64 }

// repair wipes what a failed write may have left behind the last record, before
// anything else is written there: frames of the failed batches would otherwise
// come back behind a shorter or equally long one that takes their place. Until it
// succeeds the log takes no records. Callers hold mu.
func (l *Log) repair() error {
	if l.failed.to == 0 {
		return nil
	}
	if err := writeZeros(l.file, l.failed.from, l.failed.to); err != nil {
		return fmt.Errorf("wipe a failed write in %s: %w", l.active.path, err)
	}
	if err := l.sync(l.file.Sync); err != nil {
		return err
	}
	l.failed = span{}
	return nil
}
