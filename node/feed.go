package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// Change is what one memo did to one row. A concurrent write may have won over
// parts of it: what the row shows is read with Get, which shows at least this.
type Change struct {
	Cursor Cursor // behind this change: watching from it goes on with the next

	ID     memo.ID // of the memo; changes of one memo follow one another
	Author PeerID
	Seq    uint64 // the memo's place in its author's chain
	Time   memo.Time

	Topic, Key string
	Tombstone  bool     // the row was deleted before the fields below were written
	Fields     Fields   // written, with their new values
	Deleted    []string // fields that were deleted, ascending
	Changed    []string // fields whose multi, counter or set was changed, ascending; the row shows the outcome

	// VouchedBy is zero for a memo. Else the change is part of a state that was adopted
	// on the word of that peer: the fields are those that his state of the row has, all
	// of them, and the memo is the last one behind it, which is not held here.
	VouchedBy PeerID
}

// Watch yields the changes of the rows that q selects, from a cursor on and
// without end: each once, in the order in which they attached here, which is a
// causal order. It ends with an error: the context's, ErrClosed, ErrBadCursor,
// ErrGap; or after q.Limit changes when that is set.
//
// Changes are read from the log at the consumer's own pace. A slow consumer
// delays nobody and misses nothing; it only learns later. What is yielded is
// readable: a Get afterwards, in this session or another of the node, shows it.
func (x *Session) Watch(ctx context.Context, q Query, from Cursor) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		f, err := x.Follow(ctx, q, from)
		if err != nil {
			yield(Change{}, err)
			return
		}
		defer f.Close()
		for {
			c, err := f.Next(ctx)
			if err == io.EOF || !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Watch yields changes as Session.Watch does, in a fresh session.
func (s *Space) Watch(ctx context.Context, q Query, from Cursor) iter.Seq2[Change, error] {
	return s.Session().Watch(ctx, q, from)
}

// Feed is Watch step by step, for who has other things to do between changes.
// It is used by one goroutine at a time.
type Feed struct {
	session *Session
	query   Query
	log     *store.Feed
	left    int // changes until q.Limit, when that is set

	steps []step // of the record at the cursor; cursor.index of them are done
	at    Cursor
	past  *frontier
}

// step is one row that a memo touched, or a memo that touched none; or a row of a
// state that was adopted.
type step struct {
	memo  *memo.Memo
	topic string
	row   *memo.RowEdit // nil: none
	last  bool          // of its memo, or state

	adopted *store.Adopted // in place of memo
	key     string
	state   merge.Row
}

// Follow starts a Feed. It waits for the session's context as a read does.
// Faults of the cursor and the query show here. Close it.
func (x *Session) Follow(ctx context.Context, q Query, from Cursor) (*Feed, error) {
	if q.Reverse || !q.After.IsZero() {
		return nil, fmt.Errorf("%w: a watch has one direction, and a cursor of its own; leave out Reverse and After", memo.ErrInvalid)
	}
	if err := q.keys().Validate(); err != nil {
		return nil, fmt.Errorf("watch: %w: %w", memo.ErrInvalid, err)
	}
	if x.read.Mode == Exact {
		return nil, fmt.Errorf("%w: an exact session shows one state for good; watch in another", memo.ErrInvalid)
	}
	src, _, err := x.begin(ctx)
	if err != nil {
		return nil, err
	}
	src.Close() // begin waited for the context; its rows are not needed
	f := &Feed{session: x, query: q, left: q.Limit, at: from, past: newFrontier(from)}
	if err := f.open(x.space.node.view.Load()); err != nil {
		return nil, err
	}
	x.space.node.follows.add(f)
	return f, nil
}

// open checks the cursor against the log and goes to its place.
func (f *Feed) open(v *view) (err error) {
	n, space, from := f.session.space.node, f.session.space.id, f.at
	if from.IsZero() {
		f.at = Cursor{space: [8]byte(space[:8]), node: [8]byte(n.id[:8])}
		f.log, err = v.store.Feed(1)
		return n.feedError(err)
	}
	switch {
	case from.node != [8]byte(n.id[:8]):
		return fmt.Errorf("%w (node %x… gave it, this is %x…)", ErrBadCursor, from.node, n.id[:8])
	case from.space != [8]byte(space[:8]):
		return fmt.Errorf("%w (it is of space %x…, this is %x…)", ErrBadCursor, from.space, space[:8])
	case from.lsn > v.lsn:
		return fmt.Errorf("%w (it is at record %d, the log ends at %d)", ErrBadCursor, from.lsn, v.lsn)
	}
	if f.log, err = v.store.Feed(from.lsn); err != nil {
		return n.feedError(err)
	}
	rec, ok, err := f.log.Next(v.lsn)
	if err == nil {
		f.steps, err = stepsOf(space, rec)
	}
	if err == nil && (!ok || rec.LSN != from.lsn || rec.Sum != from.sum || from.index > uint64(len(f.steps))) {
		err = fmt.Errorf("%w (record %d is another than it was: the log lost its end, or was restored)", ErrBadCursor, from.lsn)
	}
	if err != nil {
		return errors.Join(n.feedError(err), f.Close())
	}
	return nil
}

// stepsOf lists what a record did in a space.
func stepsOf(space memo.SpaceID, rec store.Record) ([]step, error) {
	a := rec.Adopted
	if a == nil || a.Own || a.Space() != space { // an own checkpoint says nothing new
		return steps(space, rec.Memos), nil
	}
	var out []step
	for r, err := range a.Rows() {
		var row merge.Row
		if err == nil {
			row, err = merge.DecodeRow(r.State)
		}
		if err != nil {
			return nil, err
		}
		topic, key, _ := merge.SplitRowKey(r.Key) // checked before it was adopted
		out = append(out, step{adopted: a, topic: topic, key: key, state: row})
	}
	if len(out) == 0 {
		out = []step{{adopted: a}}
	}
	out[len(out)-1].last = true
	return out, nil
}

// steps lists what the memos of a record did in a space.
func steps(space memo.SpaceID, memos []*memo.Memo) []step {
	var out []step
	for _, m := range memos {
		if m.SpaceID() != space {
			continue
		}
		before := len(out)
		if e, ok := m.Body.(*memo.Edit); ok {
			for _, t := range e.Topics {
				for i := range t.Rows {
					out = append(out, step{memo: m, topic: t.Topic, row: &t.Rows[i]})
				}
			}
		}
		if len(out) == before {
			out = append(out, step{memo: m})
		}
		out[len(out)-1].last = true
	}
	return out
}

// Next waits for the next change and returns it; io.EOF after q.Limit changes.
// When ctx ends it returns the context's error, and may be called again.
func (f *Feed) Next(ctx context.Context) (Change, error) {
	if f.query.Limit > 0 && f.left == 0 {
		return Change{}, io.EOF
	}
	for {
		for f.at.index < uint64(len(f.steps)) {
			s := f.steps[f.at.index]
			f.at.index++
			if s.last && s.adopted == nil {
				f.at.heads = f.past.add(s.memo)
			}
			if s.adopted != nil {
				c, ok, err := f.adopted(s)
				if ok || err != nil {
					return c, err
				}
				continue
			}
			if s.row != nil && f.query.selects(s.topic, string(s.row.Row)) {
				f.left--
				f.session.saw(s.memo.Head())
				return s.change(f.at), nil
			}
		}
		if err := f.turn(ctx); err != nil {
			return Change{}, err
		}
	}
}

// adopted returns the change that a row of an adopted state makes; ok is false when
// it is not asked for.
func (f *Feed) adopted(s step) (c Change, ok bool, err error) {
	if s.last {
		if f.at.heads, err = f.past.adopt(s.adopted); err != nil {
			return Change{}, false, f.session.space.node.feedError(err)
		}
	}
	if s.topic == "" || !f.query.selects(s.topic, s.key) {
		return Change{}, false, nil
	}
	f.left--
	f.session.saw(headsOf(s.state)...)
	return s.stateChange(f.at), true, nil
}

// turn goes to the next record once it is projected. Nothing polls: the view's
// channel says when there is more.
func (f *Feed) turn(ctx context.Context) error {
	n := f.session.space.node
	for {
		select {
		case <-n.quit:
			return ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		v := n.view.Load()
		rec, ok, err := f.log.Next(v.lsn)
		if err != nil {
			return n.feedError(err)
		}
		if ok {
			if f.steps, err = stepsOf(f.session.space.id, rec); err != nil {
				return n.feedError(err)
			}
			f.at.lsn, f.at.index, f.at.sum = rec.LSN, 0, rec.Sum
			return nil
		}
		select {
		case <-v.edited: // pings touch no row
		case <-ctx.Done():
		case <-n.quit:
		}
	}
}

// Cursor returns where the feed is: behind the last change it returned and
// whatever it passed over since.
func (f *Feed) Cursor() Cursor { return f.at }

// Close lets go of the log.
func (f *Feed) Close() error {
	f.session.space.node.follows.remove(f)
	return f.log.Close()
}

func (s step) change(at Cursor) Change {
	c := Change{
		Cursor: at, ID: s.memo.ID(), Author: s.memo.Author, Seq: s.memo.Seq, Time: s.memo.Time,
		Topic: s.topic, Key: string(s.row.Row), Tombstone: s.row.Tombstone, Fields: Fields{},
	}
	for _, d := range s.row.Deltas {
		switch {
		case d.Type != memo.Register:
			if n := len(c.Changed); n == 0 || c.Changed[n-1] != d.Field {
				c.Changed = append(c.Changed, d.Field)
			}
		case d.Op.Set:
			c.Fields[d.Field] = d.Op.Value
		default:
			c.Deleted = append(c.Deleted, d.Field)
		}
	}
	return c
}

// stateChange shows a row of an adopted state.
func (s step) stateChange(at Cursor) Change {
	c := Change{
		Cursor: at, VouchedBy: s.adopted.From(), Topic: s.topic, Key: s.key,
		Tombstone: !s.state.Tombstone.IsZero(), Fields: Fields{},
	}
	for _, p := range s.state.Provenance() {
		if last := (merge.Stamp{Time: c.Time, Author: c.Author, ID: c.ID}); p.Compare(last) > 0 {
			c.ID, c.Author, c.Seq, c.Time = p.ID, p.Author, p.Seq, p.Time
		}
	}
	for i := range s.state.Cells {
		cell := &s.state.Cells[i]
		switch {
		case cell.Type != memo.Register:
			if n := len(c.Changed); n == 0 || c.Changed[n-1] != cell.Field {
				c.Changed = append(c.Changed, cell.Field)
			}
		case cell.Register.Set:
			c.Fields[cell.Field] = cell.Register.Value
		default:
			c.Deleted = append(c.Deleted, cell.Field)
		}
	}
	return c
}

// selects reports whether a row is among those that q selects.
func (q Query) selects(topic, row string) bool {
	return q.Topic == "" || topic == q.Topic && strings.HasPrefix(row, q.Prefix) &&
		row >= q.From && (q.To == "" || row < q.To)
}

// Now returns the cursor behind everything attached: watching from it yields
// what comes later.
func (s *Space) Now() (Cursor, error) {
	v := s.node.view.Load()
	c := Cursor{space: [8]byte(s.id[:8]), node: [8]byte(s.node.id[:8])}
	if v.lsn == 0 {
		return c, nil
	}
	log, err := v.store.Feed(v.lsn)
	if err != nil {
		return Cursor{}, s.node.feedError(err)
	}
	rec, _, err := log.Next(v.lsn)
	if err := errors.Join(err, log.Close()); err != nil {
		return Cursor{}, s.node.feedError(err)
	}
	done, err := stepsOf(s.id, rec)
	if err != nil {
		return Cursor{}, s.node.feedError(err)
	}
	c.lsn, c.sum, c.index = v.lsn, rec.Sum, uint64(len(done))
	if t, err := v.cut(s.id).Context(s.id).Token(s.node.id); err == nil { // else too many heads
		c.heads = t.Heads
	}
	return c, nil
}

// feedError says in the node's own words why the log cannot be read.
func (n *Node) feedError(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-n.quit:
		return ErrClosed
	default:
	}
	if errors.Is(err, store.ErrPruned) {
		return fmt.Errorf("%w: %w", ErrGap, err)
	}
	if errors.Is(err, ErrBadCursor) {
		return err
	}
	return fmt.Errorf("read the log: %w", classify(err))
}
