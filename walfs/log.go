package walfs

import (
	"errors"
	"sort"
	"sync"
	"sync/atomic"
)

// Log is an open write-ahead log. All methods may be called concurrently.
//
// Locks are taken in this order: trimming, mu, then syncMu, then group.mu; mu, then
// readers.mu, then a reader's own. Nothing is locked under queue.mu or timer.mu.
// Reading takes a reader's own only.
type Log struct {
	dir    string
	o      Options
	fs     FS
	report Report
	bell   bell // rings when there is more to read, and at the end

	closed atomic.Bool
	last   atomic.Uint64
	segs   atomic.Pointer[[]*segment] // consecutive ids; replaced as a whole

	requests sync.Pool // of *request, for reuse

	queue  queue      // of appenders
	mu     sync.Mutex // the files: held by whoever has the writer's role, and by others briefly
	active *segment   // the last of segs
	file   File       // of active; closed only after it was sealed or synced
	enc    encoder
	failed span   // of active: bytes a failed write may have left
	spare  *spare // the next segment; nil before it is begun

	readers  readers
	trimming sync.Mutex    // one Prune or Truncate at a time; taken before all others
	kept     atomic.Uint64 // what Checkpoint declared

	syncMu sync.Mutex // one sync at a time: see Log.sync
	group  group
	timer  timer // of Interval

	flushing atomic.Bool    // a chore syncs
	chores   sync.WaitGroup // at work aside of the appenders, or waiting for the timer
}

// Last is the LSN of the last record appended, synced or not; 0 when the log is
// empty.
func (l *Log) Last() LSN { return l.last.Load() }

// First is the LSN of the log's first record, present or still to come: 1 unless
// the log was pruned.
func (l *Log) First() LSN { return (*l.segs.Load())[0].first }

// Durable is the LSN up to which records are known to be on the disk.
func (l *Log) Durable() LSN { return l.group.durable.Load() }

// Recovery is what Open found and did.
func (l *Log) Recovery() Report { return l.report }

// Size is the bytes of headers and frames in use, without preallocated space.
func (l *Log) Size() int64 {
	var n int64
	for _, s := range *l.segs.Load() {
		n += s.end.Load()
	}
	return n
}

// Sync returns when everything appended before it is on the disk.
func (l *Log) Sync() error {
	if l.closed.Load() {
		return ErrClosed
	}
	if l.o.Degraded {
		return ErrReadOnly
	}
	return l.waitDurable(l.Last())
}

// Close makes everything appended durable, writes the durable mark and closes
// the files. It does not wait for readers: they get ErrClosed. After a failed
// sync it closes the files and returns an error wrapping ErrStopped. Closing
// twice returns ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	was := l.closed.Swap(true)
	l.mu.Unlock()
	if was {
		return ErrClosed
	}
	if l.o.Degraded {
		l.bell.ringNow()
		return nil
	}
	l.timer.stop(l)
	err := l.endSyncs()
	l.chores.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	err = errors.Join(err, l.dropSpare())
	if err == nil {
		err = l.finish()
	}
	l.bell.ringNow()
	return errors.Join(err, l.file.Close())
}

// finish leaves a log that the next Open finds nothing to do in. Callers hold mu.
func (l *Log) finish() error {
	if err := l.repair(); err != nil {
		return err
	}
	if l.active.header.sealed {
		return nil
	}
	if err := l.writeMark(l.tip()); err != nil {
		return err
	}
	return l.sync(l.file.Sync)
}

// segment returns the segment with that id.
func (l *Log) segment(id uint64) (*segment, error) {
	segs := *l.segs.Load()
	i := sort.Search(len(segs), func(i int) bool { return segs[i].id >= id })
	if i == len(segs) || segs[i].id != id {
		return nil, outside(ErrBadPosition, i == 0 && id > 0, "segment %d, the log has %d to %d",
			id, segs[0].id, segs[len(segs)-1].id)
	}
	return segs[i], nil
}
