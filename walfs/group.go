package walfs

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

// group is who waits for the disk. One of them at a time has the syncer's role and
// syncs for all who are written by then; those who come meanwhile share the next
// sync. No goroutine stands by for it.
type group struct {
	durable atomic.Uint64         // LSN up to which records are on the disk
	stopped atomic.Pointer[error] // wraps ErrStopped

	mu      sync.Mutex
	busy    bool // somebody has the role
	ended   bool // Close has it and keeps it
	waiting list // written, in the order they came, without the one that has the role
}

func (g *group) err() error {
	if err := g.stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// advance notes that the records up to lsn are on the disk.
func (g *group) advance(lsn LSN) {
	for was := g.durable.Load(); was < lsn && !g.durable.CompareAndSwap(was, lsn); {
		was = g.durable.Load()
	}
}

// retreat notes that the log ends at lsn now, all of which is on the disk, and
// answers all who wait for that, or for a record that is cut off. The caller has
// the syncer's role.
func (g *group) retreat(lsn LSN) {
	g.mu.Lock()
	g.durable.Store(lsn)
	done := g.served(math.MaxUint64, nil)
	g.mu.Unlock()
	done.tell(turnDone)
}

// awaitSync lets written requests wait for their sync and, when a is one of them,
// waits for a's next turn. When nobody syncs, a is to do it, else the first.
func (l *Log) awaitSync(written list, a *request) turn {
	if written.first == nil {
		return turnDone
	}
	g := &l.group
	mine := written.has(a)
	var syncer *request
	var done list
	g.mu.Lock()
	if !g.busy && !g.ended {
		g.busy = true // and waiting is empty
		if syncer = written.first; mine {
			syncer = a
		}
		written.remove(syncer)
	}
	g.waiting.join(written)
	if g.ended || g.err() != nil {
		done = g.served(g.durable.Load(), g.err())
	}
	g.mu.Unlock()
	done.tell(turnDone)
	switch {
	case syncer == a && mine:
		return turnSync
	case syncer != nil:
		syncer.turn <- turnSync
	}
	if !mine {
		return turnDone
	}
	return <-a.turn
}

// served takes out of the queue those whom a sync up to lsn, or err, answers. Each
// is answered by its own sync only, unless none comes any more. Callers hold mu.
func (g *group) served(upTo LSN, err error) (done list) {
	var left list
	for r := g.waiting.pop(); r != nil; r = g.waiting.pop() {
		switch {
		case err != nil:
			r.err = err
			done.add(r)
		case r.last <= upTo && (r.d != Each || g.ended):
			done.add(r)
		default:
			left.add(r)
		}
	}
	g.waiting = left
	return done
}

// syncTurn is the syncer's role: a syncs for all who wait, or for itself alone
// when it wants that. It returns turnDone.
func (l *Log) syncTurn(a *request) turn {
	g := &l.group
	if a.d != Each {
		runtime.Gosched() // let those the last sync woke append first: they share this one
	}
	t, err := l.syncTip(a.d == Each)
	g.mu.Lock()
	a.err = err
	done := g.served(t.last, err)
	g.mu.Unlock()
	done.tell(turnDone)
	if err == nil {
		l.mu.Lock()
		// The mark goes to the disk with the next sync. One that cannot be written
		// costs nothing: the older mark stays true, and the next group tries again.
		_ = l.writeMark(t)
		l.mu.Unlock()
	}
	g.leave()
	return turnDone
}

// leave hands the syncer's role to the first who waits.
func (g *group) leave() {
	g.mu.Lock()
	next := g.waiting.pop()
	g.busy = next != nil
	g.mu.Unlock()
	if next != nil {
		next.turn <- turnSync
	}
}

// waitDurable returns when records up to lsn are on the disk.
func (l *Log) waitDurable(lsn LSN) error {
	if l.Durable() >= lsn {
		return nil
	}
	a := l.newRequest(Group)
	a.last = lsn
	var written list
	written.add(a)
	if l.awaitSync(written, a) == turnSync {
		l.syncTurn(a)
	}
	err := a.err
	l.release(a)
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

// syncTip makes everything appended before it durable and returns what that is.
// Segments before the active one are durable since they were sealed. A sync that
// nobody needs is left out, unless the caller wants its own.
func (l *Log) syncTip(own bool) (tip, error) {
	l.mu.Lock()
	t, f := l.tip(), l.file
	l.mu.Unlock()
	if err := l.syncTo(t, f, own); err != nil {
		return tip{}, err
	}
	l.group.advance(t.last)
	return t, nil
}

// syncTo syncs f, the file of t's segment, unless a rotation was faster: that has
// synced and closed it.
func (l *Log) syncTo(t tip, f File, own bool) error {
	return l.sync(func() error {
		if t.seg.retired || !own && t.last <= l.Durable() {
			return nil
		}
		return f.Sync()
	})
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
	return l.syncAside(call)
}

// syncAside is sync for a file that nobody else syncs: it waits for no other.
func (l *Log) syncAside(call func() error) error {
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
	err := fmt.Errorf("%w: %w", ErrStopped, cause)
	l.group.stopped.CompareAndSwap(nil, &err)
	l.bell.ringNow()
	return l.group.err()
}

// endSyncs makes everything appended durable, after all who wait for a sync of
// their own, and keeps the syncer's role for ever.
func (l *Log) endSyncs() error {
	g, a := &l.group, l.newRequest(Each)
	a.last = l.Last()
	var written list
	written.add(a)
	if l.awaitSync(written, a) != turnSync {
		err := a.err
		l.release(a)
		return err
	}
	t, err := l.syncTip(false)
	g.mu.Lock()
	g.ended = true
	done := g.served(t.last, err)
	g.mu.Unlock()
	done.tell(turnDone)
	l.release(a)
	return err
}
