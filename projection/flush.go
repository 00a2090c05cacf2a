package projection

import (
	"fmt"
	"time"
)

// Flush returns once everything applied before the call is in the file, synced.
func (d *DB) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	target := d.head.Load().lsn
	for d.usable() == nil && d.applied.Load() < target {
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
		var b *base
		err := d.file.commit(v.flushing, v.lsn)
		if err == nil {
			b, err = d.file.begin()
		}
		d.endFlush(b, err)
		if err != nil {
			return
		}
	}
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
