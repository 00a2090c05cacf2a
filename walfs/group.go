package walfs

import (
	"fmt"
	"runtime"
	"sync"
)

// group is who waits for the disk. Whoever comes first syncs for all who have
// appended by then; those who come meanwhile share the next sync. There is no
// goroutine behind it: appenders take turns.
type group struct {
	mu      sync.Mutex
	turn    sync.Cond // broadcast when any field changes
	busy    bool      // somebody is syncing
	durable LSN
	stopped error // wraps ErrStopped
}

func (g *group) upTo() LSN {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.durable
}

func (g *group) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopped
}

func (g *group) advance(lsn LSN) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.durable = max(g.durable, lsn)
	g.turn.Broadcast()
}

// retreat notes that the log ends at lsn now, all of which is on the disk.
func (g *group) retreat(lsn LSN) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.durable = lsn
}

// quiet waits until nobody is syncing.
func (g *group) quiet() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.busy {
		g.turn.Wait()
	}
}

// waitDurable returns when records up to lsn are on the disk.
func (l *Log) waitDurable(lsn LSN) error {
	g := &l.group
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	for g.durable < lsn && err == nil {
		if g.stopped != nil {
			return g.stopped
		}
		if lsn > l.last.Load() {
			return nil // Truncate took the record off
		}
		if g.busy {
			g.turn.Wait()
			continue
		}
		g.busy = true
		g.mu.Unlock()
		var upTo LSN
		runtime.Gosched() // let those the last sync woke append first: they share this one
		upTo, err = l.syncTip()
		g.mu.Lock()
		g.busy = false
		g.durable = max(g.durable, upTo)
		g.turn.Broadcast()
	}
	return err
}

// tip is an end of the log at some moment: what a sync begun then covers.
type tip struct {
	seg  *segment
	end  int64
	last LSN
}

// tip is the end of the log now. Callers hold mu.
func (l *Log) tip() tip { return tip{l.active, l.active.end.Load(), l.last.Load()} }

// syncTip makes everything appended before it durable and returns the last LSN
// of that. Segments before the active one are durable since they were sealed.
func (l *Log) syncTip() (LSN, error) {
	l.mu.Lock()
	t, f := l.tip(), l.file
	l.mu.Unlock()
	err := l.sync(func() error {
		if t.last <= l.group.upTo() {
			return nil // a rotation was faster: f may be closed by now
		}
		return f.Sync()
	})
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	// The mark goes to the disk with the next sync. One that cannot be written
	// costs nothing: the older mark stays true, and the next group tries again.
	_ = l.writeMark(t)
	l.mu.Unlock()
	return t.last, nil
}

// writeMark moves the durable mark to t, which has been synced, unless t's segment
// was sealed meanwhile and says so itself. Callers hold mu.
func (l *Log) writeMark(t tip) error {
	h := t.seg.header
	if h.sealed || t.end <= h.mark && h.version == headerVersion {
		return nil
	}
	h.mark, h.count = t.end, t.last+1-t.seg.first
	return l.writeHeader(l.file, t.seg, h)
}

// sync runs a Sync or SyncDir. One runs at a time, because the system reports a
// failed write-back to one caller only: nobody may believe in a sync that ran
// beside the one that failed. The first failure stops the log.
func (l *Log) sync(call func() error) error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	if err := l.group.err(); err != nil {
		return err
	}
	if err := call(); err != nil {
		return l.stop(err)
	}
	return nil
}

func (l *Log) syncDir() error {
	return l.sync(func() error { return l.fs.SyncDir(l.dir) })
}

// stop ends all appending and returns the error everyone gets from now on.
func (l *Log) stop(cause error) error {
	g := &l.group
	g.mu.Lock()
	if g.stopped == nil {
		g.stopped = fmt.Errorf("%w: %w", ErrStopped, cause)
	}
	err := g.stopped
	g.turn.Broadcast()
	g.mu.Unlock()
	l.bell.ring()
	return err
}
