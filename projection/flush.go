package projection

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// Flush returns once everything applied before the call is in the file, synced,
// or with ErrFull while there is no room for it.
func (d *DB) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	target := d.head.Load().lsn
	for d.usable() == nil && d.applied.Load() < target && !d.o.Memory {
		if d.full != nil {
			return d.full
		}
		d.askFlush()
		d.turn.Wait()
	}
	return d.usable()
}

// askFlush wakes the flusher, now or when it is done with the flush under way.
func (d *DB) askFlush() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake already
	}
}

// flushLoop is the flusher. It ends with the DB, or with the first failure: a
// file whose sync failed is not to be trusted with another write.
func (d *DB) flushLoop() {
	defer close(d.done)
	tick := time.NewTicker(d.o.FlushInterval)
	defer tick.Stop()
	for {
		select {
		case <-d.quit:
			return
		case <-d.wake:
		case <-tick.C:
		}
		v := d.beginFlush()
		if v == nil {
			continue
		}
		b, err := d.write(v)
		d.endFlush(b, err)
		if err != nil {
			return
		}
	}
}

// write commits the table that v flushes. On a full disk it tries again until
// there is room or the DB closes; Apply goes on into the other table meanwhile.
func (d *DB) write(v *view) (*base, error) {
	for {
		err := d.file.commit(v.flushing, v.lsn)
		if err == nil {
			return d.file.begin()
		}
		if !noRoom(err) {
			return nil, err
		}
		d.mu.Lock()
		d.full = fmt.Errorf("%w: %w", ErrFull, err)
		d.turn.Broadcast()
		d.mu.Unlock()
		select {
		case <-time.After(fullRetry):
		case <-d.quit:
			return nil, err
		}
	}
}

// noRoom reports whether a commit failed because a write found the disk full.
// bbolt has undone the transaction then: its pages were free before, and the meta
// page, which takes no room, comes last. Nothing is known after a failed sync.
func noRoom(err error) bool {
	var write *fs.PathError
	return errors.As(err, &write) && write.Op == "write" &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}

// beginFlush makes the active table the one being flushed and returns that view,
// or nil when the file holds everything.
func (d *DB) beginFlush() *view {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.head.Load()
	if d.closed || v.lsn == v.base.lsn {
		return nil
	}
	next := &view{lsn: v.lsn, active: newTree(), flushing: v.active, base: v.base}
	d.work = newTable()
	d.head.Store(next)
	d.turn.Broadcast()
	return next
}

// endFlush drops the flushed table in favour of b, the file with its rows in it.
// After a failure the table stays, so reads go on.
func (d *DB) endFlush(b *base, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.turn.Broadcast()
	d.full = nil
	if err != nil {
		d.err = fmt.Errorf("%w: %w", ErrStopped, err)
		return
	}
	d.applied.Store(b.lsn)
	v := d.head.Load()
	if v == nil {
		return // closed meanwhile; closing the file ends b too
	}
	d.head.Store(&view{lsn: v.lsn, active: v.active, base: b})
	v.base.release()
}
