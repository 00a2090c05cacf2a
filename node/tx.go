package node

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
)

// Fields are the named values of a row. A plain key-value pair is the one field "".
type Fields map[string]memo.Value

// Row is a row as one view shows it.
type Row struct {
	Topic, Key string
	Fields     Fields
	Provenance []merge.Stamp // the memos behind the row, by author and seq
	Behind     *BehindError  // the view lacked this; set only under StaleReturn
}

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
	moment  *moment
	behind  *BehindError
	edit    *draftEdit // nil: read only
}

// Get returns a row, or ErrNotFound.
func (tx *Tx) Get(topic, row string) (Row, error) {
	if err := checkKey(topic, row); err != nil {
		return Row{}, err
	}
	state, _, err := tx.moment.snap.Get(tx.session.space.id, topic, row)
	if err != nil {
		return Row{}, fmt.Errorf("read %s/%s: %w", topic, row, err)
	}
	tx.session.saw(headsOf(state)...)
	if tx.edit != nil {
		if state, err = tx.edit.overlay(state, topic, row); err != nil {
			return Row{}, err
		}
	}
	if !state.Live() {
		return Row{Behind: tx.behind}, fmt.Errorf("%s/%s: %w", topic, row, ErrNotFound)
	}
	return tx.row(topic, row, state), nil
}

// Scan yields the rows of q as they were before the transaction's own writes.
func (tx *Tx) Scan(q Query) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if q.Topic != "" && !q.After.IsZero() && q.After.Topic != q.Topic {
			yield(Row{}, fmt.Errorf("scan: %w (it is in topic %q, not %q)", ErrBadCursor, q.After.Topic, q.Topic))
			return
		}
		space := tx.session.space.id
		for m := range tx.moment.view.cut(space).Vector().All() {
			tx.session.saw(m.Head)
		}
		for it, err := range tx.moment.snap.Scan(space, q.keys()) {
			if err != nil {
				yield(Row{}, fmt.Errorf("scan: %w", err))
				return
			}
			if !yield(tx.row(it.Topic, it.Row, it.State), nil) {
				return
			}
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

// Delete removes the named fields of a row, or the whole row when none is named.
func (tx *Tx) Delete(topic, row string, fields ...string) error {
	if err := tx.writable(topic, row); err != nil {
		return err
	}
	r := tx.edit.row(topic, row)
	if len(fields) == 0 {
		r.tombstone = true
		clear(r.ops)
	}
	for _, name := range fields {
		r.ops[name] = memo.Op{}
	}
	return nil
}

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

// row turns a projected state into a Row.
func (tx *Tx) row(topic, key string, state merge.Row) Row {
	out := Row{
		Topic: topic, Key: key, Fields: make(Fields, len(state.Cells)),
		Provenance: state.Provenance(), Behind: tx.behind,
	}
	for _, c := range state.Cells {
		if c.Register.Set {
			out.Fields[c.Field] = c.Register.Value
		}
	}
	return out
}

// headsOf returns the memos behind a row, the latest of each author.
func headsOf(state merge.Row) []memo.Head {
	var out []memo.Head
	for _, s := range state.Provenance() { // ascending by author and seq
		h := memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID}
		if n := len(out); n > 0 && out[n-1].Author == s.Author {
			out[n-1] = h
			continue
		}
		out = append(out, h)
	}
	return out
}

// draftEdit collects the writes of a transaction.
type draftEdit struct {
	topics map[string]map[string]*draftRow
}

type draftRow struct {
	tombstone bool
	ops       map[string]memo.Op
}

func newDraftEdit() *draftEdit { return &draftEdit{topics: map[string]map[string]*draftRow{}} }

func (d *draftEdit) row(topic, row string) *draftRow {
	if d.topics[topic] == nil {
		d.topics[topic] = map[string]*draftRow{}
	}
	r := d.topics[topic][row]
	if r == nil {
		r = &draftRow{ops: map[string]memo.Op{}}
		d.topics[topic][row] = r
	}
	return r
}

// overlay returns state as it will be once the draft is committed.
func (d *draftEdit) overlay(state merge.Row, topic, row string) (merge.Row, error) {
	r, ok := d.topics[topic][row]
	if !ok {
		return state, nil
	}
	delta, err := merge.Delta(merge.Stamp{Time: memo.MaxTime}, r.edit(row))
	return merge.Join(state, delta), err
}

// build returns the edit in canonical order, nil when nothing was written.
func (d *draftEdit) build() *memo.Edit {
	if len(d.topics) == 0 {
		return nil
	}
	e := new(memo.Edit)
	for _, topic := range slices.Sorted(maps.Keys(d.topics)) {
		rows := d.topics[topic]
		t := memo.TopicEdit{Topic: topic}
		for _, row := range slices.Sorted(maps.Keys(rows)) {
			t.Rows = append(t.Rows, rows[row].edit(row))
		}
		e.Topics = append(e.Topics, t)
	}
	return e
}

func (r *draftRow) edit(row string) memo.RowEdit {
	out := memo.RowEdit{Row: memo.Bytes(row), Tombstone: r.tombstone}
	for _, f := range slices.Sorted(maps.Keys(r.ops)) {
		out.Deltas = append(out.Deltas, memo.Delta{Field: f, Op: r.ops[f]})
	}
	return out
}
