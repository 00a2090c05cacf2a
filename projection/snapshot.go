package projection

import (
	"fmt"
	"iter"
	"sync/atomic"

	"lightcone/memo"
	"lightcone/merge"
)

// Snapshot is the projection as of one LSN. It never changes, may be used from
// any goroutine and blocks no writer; while it is open the file keeps the rows
// it needs. Close it.
type Snapshot struct {
	v      *view
	closed atomic.Bool
}

// Snapshot returns the newest state.
func (d *DB) Snapshot() (*Snapshot, error) {
	for {
		v := d.head.Load()
		if v == nil {
			return nil, ErrClosed
		}
		if v.base.retain() {
			return &Snapshot{v: v}, nil
		}
		// A flush or Close replaced v and dropped its base in between: look again.
	}
}

// LSN returns the last log record the snapshot shows.
func (s *Snapshot) LSN() uint64 { return s.v.lsn }

// Close lets the snapshot go. What it returned stays valid.
func (s *Snapshot) Close() {
	if s.closed.CompareAndSwap(false, true) {
		s.v.base.release()
	}
}

func (s *Snapshot) usable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// Get returns the state of a row and whether the row is live. A row that was
// deleted is not, but its state, which says by whom, is returned all the same;
// one never written has the zero Row.
func (s *Snapshot) Get(space memo.SpaceID, topic, row string) (state merge.Row, live bool, err error) {
	if err := s.usable(); err != nil {
		return merge.Row{}, false, err
	}
	r, err := s.v.row(tableKey(space, merge.RowKey(topic, row)))
	if err != nil {
		return merge.Row{}, false, fmt.Errorf("get topic %q, row %q: %w", topic, row, err)
	}
	return *r, r.Live(), nil
}

// Item is a live row that a scan found.
type Item struct {
	Topic string
	Row   string
	State merge.Row
}

// Scan yields the live rows that q selects. It ends with the first error.
func (s *Snapshot) Scan(space memo.SpaceID, q Range) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for e, err := range s.live(space, q) {
			var found Item
			if err == nil {
				found, err = s.item(e)
			}
			if err != nil {
				yield(Item{}, fmt.Errorf("scan: %w", err))
				return
			}
			if !yield(found, nil) {
				return
			}
		}
	}
}

// Count returns how many rows a Scan of q yields, without decoding them.
func (s *Snapshot) Count(space memo.SpaceID, q Range) (n int, err error) {
	for _, err := range s.live(space, q) {
		if err != nil {
			return 0, fmt.Errorf("count: %w", err)
		}
		n++
	}
	return n, nil
}

// live yields the live rows that q selects, as the layers hold them.
func (s *Snapshot) live(space memo.SpaceID, q Range) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		if err := q.Validate(); err != nil {
			yield(entry{}, err)
			return
		}
		n := 0
		for e, err := range s.entries(space, q.span()) {
			if err == nil && !e.live {
				continue
			}
			n++
			if !yield(e, err) || err != nil || n == q.Limit {
				return
			}
		}
	}
}

func (s *Snapshot) entries(space memo.SpaceID, sp span) iter.Seq2[entry, error] {
	if err := s.usable(); err != nil {
		return func(yield func(entry, error) bool) { yield(entry{}, err) }
	}
	return s.v.entries(space, sp)
}

func (s *Snapshot) item(e entry) (Item, error) {
	topic, row, ok := merge.SplitRowKey(e.key)
	if !ok {
		return Item{}, s.v.base.file.corrupt(fmt.Errorf("%q is no row's key", e.key))
	}
	if e.row != nil {
		return Item{Topic: topic, Row: row, State: *e.row}, nil
	}
	state, err := s.v.base.decode(e.state)
	return Item{Topic: topic, Row: row, State: state}, err
}
