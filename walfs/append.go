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
	if d > Group {
		return nil, fmt.Errorf("%w: unknown durability %d", ErrBadOptions, d)
	}
	if err := l.checkBatch(recs); err != nil || len(recs) == 0 {
		return nil, err
	}
	placed := make([]Placed, len(recs))
	if err := l.write(recs, placed); err != nil {
		return nil, err
	}
	if d == Group {
		if err := l.waitDurable(placed[len(placed)-1].LSN); err != nil {
			return nil, err
		}
	}
	return placed, nil
}

func (l *Log) checkBatch(recs []Record) error {
	limit, total := l.o.maxData(), int64(0)
	for i, r := range recs {
		if r.Kind == 0 {
			return fmt.Errorf("%w (record %d of the batch)", ErrBadRecord, i)
		}
		n := int64(len(r.Data))
		if n > limit {
			return fmt.Errorf("%w: record of %d bytes, the limit is %d with segments of %d bytes",
				ErrTooLarge, n, limit, l.o.SegmentSize)
		}
		total += n + recordOverhead + frameOverhead
	}
	if total > MaxBatch {
		return fmt.Errorf("%w: batch of %d bytes, the limit is %d; append it in parts", ErrTooLarge, total, MaxBatch)
	}
	return nil
}

// write is the writer path: it numbers and encodes the batch, finds room, writes
// it with one pwrite, and shows it to the readers.
func (l *Log) write(recs []Record, placed []Placed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return ErrClosed
	}
	if err := l.group.err(); err != nil {
		return err
	}
	if err := l.repair(); err != nil {
		return err
	}
	first := l.last.Load() + 1
	l.enc.reset()
	for i, r := range recs {
		at := l.enc.add(first+LSN(i), r, len(recs)-1-i)
		placed[i] = Placed{LSN: first + LSN(i), Pos: Position{Offset: uint64(at)}}
	}
	size := int64(len(l.enc.frames))
	if l.active.header.sealed || l.active.end.Load()+size > l.active.size {
		if err := l.rotate(size); err != nil {
			return err
		}
	}
	s, off := l.active, l.active.end.Load()
	if _, err := l.file.WriteAt(l.enc.frames, off); err != nil {
		l.failed = span{off, off + size}
		return errors.Join(fmt.Errorf("append to %s: %w", s.path, err), l.repair())
	}
	for i := range placed {
		p := &placed[i]
		p.Pos.Segment = s.id
		p.Pos.Offset += uint64(off)
		s.note(p.LSN, int64(p.Pos.Offset))
	}
	s.end.Store(off + size)
	l.last.Store(first + LSN(len(recs)) - 1)
	l.bell.ring()
	return nil
}

// span is a range of bytes of the active segment; empty when to is 0.
type span struct{ from, to int64 }

// repair wipes what a failed write may have left behind the last record, before
// anything else is written there: frames of the failed batch would otherwise
// come back behind a shorter or equally long one that takes its place. Until it
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

// rotate seals the active segment and goes on in a new one with room for a batch
// of need bytes. The old segment is sealed on the disk before the new one has its
// name: only the last segment of a log can have a torn tail. The new one's space
// is taken first: on a full disk the old one still has room for smaller batches.
// Callers hold mu.
func (l *Log) rotate(need int64) error {
	need += headerSize
	s, f, err := l.prepare(l.active.id+1, l.last.Load()+1, max(l.o.SegmentSize, need), need)
	if err != nil {
		return err
	}
	if err := l.seal(); err != nil {
		return errors.Join(err, l.discard(s, f))
	}
	if err := l.place(s, f); err != nil {
		return err
	}
	old := l.file
	segs := *l.segs.Load()
	grown := append(segs[:len(segs):len(segs)], s)
	l.segs.Store(&grown)
	l.active.next.Store(s)
	l.active, l.file = s, f
	return old.Close()
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
