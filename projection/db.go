package projection

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"lightcone/memo"
	"lightcone/merge"
)

// ErrStopped reports a projection that takes no more changes because writing its
// file failed. Reads go on. Fix the cause it wraps and open the projection anew:
// the log still holds every change.
var ErrStopped = errors.New("projection stopped: writing its file failed; fix the cause and restart")

// ErrFull reports that there is no room for the file to grow. Nothing is lost:
// rows stay in memory and are written once there is.
var ErrFull = errors.New("disk is full; free some space, writing goes on by itself")

// ErrClosed reports the use of a DB or a Snapshot after Close.
var ErrClosed = errors.New("projection or snapshot is closed")

// Change is what one memo does to one space, or states of rows that are joined
// without the memos behind them.
type Change struct {
	Space memo.SpaceID
	Stamp merge.Stamp
	Edit  *memo.Edit // nil: none
	Rows  []merge.KeyedRow
}

// view is what readers see: three layers that fit together, never changed once
// published. Rows up to base.lsn are in base, those up to lsn in the other two.
type view struct {
	lsn      uint64
	active   *tree
	flushing *tree // nil while no flush is under way
	base     *base
}

// DB is an open projection. One goroutine, the replica's owner, calls Apply;
// everything else may be called from any.
type DB struct {
	o    Options
	file *file

	// head is read without a lock and replaced under mu; nil once closed. It
	// owns one reference to its base.
	head    atomic.Pointer[view]
	applied atomic.Uint64

	// mu makes the owner and the flusher take turns. No reader takes it.
	mu     sync.Mutex
	turn   sync.Cond // on mu: a flush began or ended
	work   *table    // what head.active is a copy of
	err    error     // why the flusher gave up
	full   error     // why the flush under way is repeated
	closed bool

	wake chan struct{} // holds at most one wish for a flush
	quit chan struct{} // closed: the flusher ends
	done chan struct{} // closed: the flusher has ended
}

// Open opens the projection at path, or makes an empty one. It reads the whole
// file once to check it. Errors: ErrCorrupt, ErrVersion, ErrLocked, ErrOptions.
func Open(path string, o Options) (*DB, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	f, b := new(file), new(base)
	if b.file = f; !o.Memory {
		var err error
		if f, err = openFile(path); err != nil {
			return nil, err
		}
		if b, err = f.begin(); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	d := &DB{
		o: o.withDefaults(), file: f, work: newTable(),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	d.turn.L = &d.mu
	d.applied.Store(b.lsn)
	d.head.Store(&view{lsn: b.lsn, active: newTree(), base: b})
	if o.Memory {
		b.refs.Store(1)
		close(d.done)
	} else {
		go d.flushLoop()
	}
	return d, nil
}

// Applied returns the LSN the file reaches, which grows as flushes end: after a
// restart the log must be replayed from the next one.
func (d *DB) Applied() uint64 { return d.applied.Load() }

// Apply joins the changes of the log record at lsn, all of which become visible
// together, or none with an error. LSNs grow from call to call; one that is not
// above those applied is a no-op, so a record belongs in one Apply, and a record
// without changes still moves the LSN. Apply waits while the disk is more than
// MaxBytes behind, unless it is full: who asks Ready first keeps memory bounded,
// and is not kept from other work. Errors: ErrStopped, ErrClosed,
// merge.ErrUnknownCellType.
func (d *DB) Apply(lsn uint64, changes []Change) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.usable() == nil && d.full == nil && d.work.bytes >= d.o.MaxBytes && !d.o.Memory {
		d.turn.Wait() // the flush was asked for when FlushBytes was reached
	}
	if err := d.usable(); err != nil {
		return err
	}
	v := d.head.Load()
	if lsn <= v.lsn {
		return nil
	}
	staged, err := stage(v, changes)
	if err != nil {
		return fmt.Errorf("apply lsn %d: %w", lsn, err)
	}
	next := &view{lsn: lsn, active: v.active, flushing: v.flushing, base: v.base}
	if len(staged) > 0 {
		for key, row := range staged {
			d.work.set(item{key, row})
		}
		next.active = d.work.rows.Copy()
	}
	d.head.Store(next)
	if d.work.bytes >= d.o.FlushBytes {
		d.askFlush()
	}
	return nil
}

// stage works out the new state of every row that changes alter, on top of v.
func stage(v *view, changes []Change) (map[string]*merge.Row, error) {
	s := &stager{v, map[string]*merge.Row{}}
	for _, c := range changes {
		for _, r := range c.Rows {
			state, err := merge.DecodeRow(r.State)
			if err == nil {
				err = s.join(tableKey(c.Space, r.Key), state)
			}
			if err != nil {
				return nil, fmt.Errorf("row %q: %w", r.Key, err)
			}
		}
		if c.Edit == nil {
			continue
		}
		for _, t := range c.Edit.Topics {
			for _, e := range t.Rows {
				delta, err := merge.Delta(c.Stamp, e)
				if err == nil {
					err = s.join(tableKey(c.Space, merge.RowKey(t.Topic, string(e.Row))), delta)
				}
				if err != nil {
					return nil, fmt.Errorf("topic %q, row %q: %w", t.Topic, e.Row, err)
				}
			}
		}
	}
	return s.rows, nil
}

// stager holds the rows of one Apply while it works them out.
type stager struct {
	on   *view
	rows map[string]*merge.Row // by tableKey
}

// join joins a delta, or a whole state, into a row.
func (s *stager) join(key string, delta merge.Row) error {
	current := s.rows[key]
	if current == nil {
		var err error
		if current, err = s.on.row(key); err != nil {
			return err
		}
	}
	if !current.Includes(delta) {
		row := merge.Join(*current, delta)
		s.rows[key] = &row
	}
	return nil
}

// row returns the state of a row, the zero Row when it has none.
func (v *view) row(key string) (*merge.Row, error) {
	for _, t := range []*tree{v.active, v.flushing} {
		if t == nil {
			continue
		}
		if it, ok := t.Get(item{key: key}); ok {
			return it.row, nil
		}
	}
	state, err := v.base.get(splitTableKey(key))
	if err != nil || state == nil {
		return &merge.Row{}, err
	}
	row, err := v.base.decode(state)
	return &row, err
}

// usable returns why no change can be taken. The caller holds mu.
func (d *DB) usable() error {
	if d.closed {
		return ErrClosed
	}
	return d.err
}

// Ready returns why changes should not be applied now, or nil: ErrFull, which ends
// by itself, ErrStopped or ErrClosed.
func (d *DB) Ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.usable(); err != nil {
		return err
	}
	return d.full
}

// Close writes what is not yet in the file, ends the flusher and invalidates
// every snapshot that is still open. Its error is that of the last flush; the
// file is closed either way. Rows for which there is no room are no error: the
// log is replayed from Applied.
func (d *DB) Close() error {
	err := d.Flush()
	if errors.Is(err, ErrFull) {
		err = nil
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		<-d.done
		return nil
	}
	d.closed = true
	d.head.Store(nil)
	d.turn.Broadcast()
	d.mu.Unlock()
	close(d.quit)
	<-d.done
	return errors.Join(err, d.file.close())
}
