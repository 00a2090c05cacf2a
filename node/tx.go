package node

import (
	"cmp"
	"errors"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
)

// Query selects rows of one topic, or of all when Topic is empty: keys that
// start with Prefix, from From (inclusive) to To (exclusive), at most Limit when
// it is above 0. They come in ascending order of topic and key, descending with
// Reverse. After goes on behind a place where an earlier scan stopped.
type Query struct {
	Topic, Prefix, From, To string
	Limit                   int
	Reverse                 bool
	After                   ScanCursor // of the last row seen; see Row.Cursor
}

// Tx is one snapshot and, in Update, what is to be written on top of it. Its
// reads see its own writes. It must not be used after its function returned.
type Tx struct {
	session *Session
	*source
	behind *BehindError
	edit   *draftEdit // nil: read only
}

// saw makes heads part of the session's context.
func (tx *Tx) saw(heads ...memo.Head) {
	if !tx.fixed {
		tx.session.saw(heads...)
	}
}

// Get returns a row, or ErrNotFound.
func (tx *Tx) Get(topic, row string) (Row, error) {
	if err := checkKey(topic, row); err != nil {
		return Row{}, err
	}
	found, err := tx.get(tx.session.space.id, topic, row)
	if err != nil {
		return Row{}, fmt.Errorf("read %s/%s: %w", topic, row, gone(err))
	}
	tx.saw(tx.heads(found)...)
	if tx.edit != nil {
		if found.state, err = tx.edit.overlay(found.state, tx.self(), topic, row); err != nil {
			return Row{}, err
		}
	}
	out := tx.row(topic, row, found)
	if !found.state.Live() {
		err := fmt.Errorf("%s/%s: %w", topic, row, ErrNotFound)
		return Row{Behind: out.Behind, VouchedBy: out.VouchedBy}, tx.unsure(err, out.Behind)
	}
	return out, nil
}

// unsure adds to err what a Local read could not wait for: nothing to show has no
// other place to say so.
func (tx *Tx) unsure(err error, behind *BehindError) error {
	if behind == nil || tx.session.read.Mode != Local {
		return err
	}
	return errors.Join(err, behind)
}

// Scan yields the rows of q as they were before the transaction's own writes.
func (tx *Tx) Scan(q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if q.Topic != "" && !q.After.IsZero() && q.After.Topic != q.Topic {
			yield(Row{}, fmt.Errorf("scan: %w (it is in topic %q, not %q)", ErrBadCursor, q.After.Topic, q.Topic))
			return
		}
		n := 0
		found := tx.scan(tx.session.space, q.keys(), tx.session.see)
		for it, err := range found.rows {
			if err != nil {
				yield(Row{}, fmt.Errorf("scan: %w", gone(err)))
				return
			}
			n++
			if !yield(tx.row(it.topic, it.row, it.seen), nil) {
				return
			}
		}
		if err := tx.unsure(nil, cmp.Or(found.behind, tx.behind)); n == 0 && err != nil {
			yield(Row{}, fmt.Errorf("scan: %w", err))
		}
	}
}

// keys is the part of q that selects and orders rows.
func (q Query) keys() projection.Range {
	r := projection.Range{Topic: q.Topic, Prefix: q.Prefix, From: q.From, To: q.To, Limit: q.Limit, Reverse: q.Reverse}
	if !q.After.IsZero() {
		r.After = merge.RowKey(q.After.Topic, q.After.Key)
	}
	return r
}

// Put writes fields of a row.
func (tx *Tx) Put(topic, row string, fields Fields) error {
	if err := tx.writable(topic, row); err != nil {
		return err
	}
	if len(fields) == 0 {
		return fmt.Errorf("put %s/%s: %w: no fields; name at least one", topic, row, memo.ErrInvalid)
	}
	r := tx.edit.row(topic, row)
	for name, v := range fields {
		r.ops[name] = memo.Op{Set: true, Value: v}
	}
	return nil
}

// PutMulti writes fields that keep concurrent values: what is written takes the
// place of the values that the transaction sees, and of no other.
func (tx *Tx) PutMulti(topic, row string, fields Fields) error {
	if len(fields) == 0 {
		return fmt.Errorf("put %s/%s: %w: no fields; name at least one", topic, row, memo.ErrInvalid)
	}
	r, err := tx.seen(topic, row)
	if err != nil {
		return err
	}
	for name, v := range fields {
		r.multis[name] = draftMulti{value: v}
	}
	return nil
}

// Add adds n, which may be negative, to a counter. What others add meanwhile
// counts, too. Error: merge.ErrCounterFull.
func (tx *Tx) Add(topic, row, field string, n int64) error {
	if err := tx.writable(topic, row); err != nil {
		return err
	}
	return tx.edit.row(topic, row).add(field, n)
}

// Change adds elements to a set and removes those of others that the transaction
// sees. What is added stays when somebody removes it meanwhile.
func (tx *Tx) Change(topic, row, field string, add, remove []memo.Value) error {
	r, err := tx.seen(topic, row)
	if err != nil {
		return err
	}
	r.change(field, add, remove)
	return nil
}

// Delete removes the named fields of a row, or the whole row when none is named.
// Of a field that is no register it removes what the transaction sees: a counter
// goes back to 0.
func (tx *Tx) Delete(topic, row string, fields ...string) error {
	if err := tx.writable(topic, row); err != nil {
		return err
	}
	if len(fields) == 0 {
		r := tx.edit.row(topic, row)
		r.tombstone = true
		r.reset()
		return nil
	}
	for _, name := range fields {
		if err := tx.deleteField(topic, row, name); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) deleteField(topic, row, name string) error {
	state, _, err := tx.rows.Get(tx.session.space.id, topic, row)
	if err == nil {
		state, err = tx.edit.overlay(state, tx.self(), topic, row)
	}
	if err != nil {
		return fmt.Errorf("read %s/%s: %w", topic, row, err)
	}
	tx.edit.row(topic, row).ops[name] = memo.Op{}
	for i := range state.Cells {
		c := &state.Cells[i]
		if c.Field != name || !c.Live() || c.Type == memo.Register {
			continue
		}
		r, err := tx.seen(topic, row) // what it removes is in the past of its memo
		if err != nil {
			return err
		}
		switch c.Type {
		case memo.Multi:
			r.multis[name] = draftMulti{delete: true}
		case memo.Set:
			r.change(name, nil, c.Atoms.Elements())
		default: // a counter
			if err := r.add(name, -c.Counter.Value()); err != nil {
				return err
			}
		}
	}
	return nil
}

// seen returns the draft of a row that the transaction has read, so that what it
// replaces there is in the past of its memo.
func (tx *Tx) seen(topic, row string) (*draftRow, error) {
	if err := tx.writable(topic, row); err != nil {
		return nil, err
	}
	state, _, err := tx.rows.Get(tx.session.space.id, topic, row)
	if err != nil {
		return nil, fmt.Errorf("read %s/%s: %w", topic, row, err)
	}
	tx.saw(headsOf(state)...)
	r := tx.edit.row(topic, row)
	r.seen = state
	return r, nil
}

// self is the author of the memo that the transaction becomes.
func (tx *Tx) self() memo.Author { return tx.session.space.node.id }

func (tx *Tx) writable(topic, row string) error {
	if tx.edit == nil {
		return fmt.Errorf("write %s/%s: %w: View is read only, use Update", topic, row, memo.ErrInvalid)
	}
	return checkKey(topic, row)
}

func checkKey(topic, row string) error {
	if err := memo.CheckTopic(topic); err != nil {
		return err
	}
	return memo.CheckRow(row)
}
