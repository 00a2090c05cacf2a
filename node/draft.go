package node

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
)

// draftEdit collects the writes of a transaction.
type draftEdit struct {
	topics map[string]map[string]*draftRow
}

// draftRow is what a transaction does to one row: registers as they will be, and
// of other cells what is meant, since k and sums go on from the node's last memo,
// which only the owner knows.
type draftRow struct {
	tombstone bool
	ops       map[string]memo.Op    // registers
	multis    map[string]draftMulti // concurrent values
	counts    map[string]int64      // what is added to counters
	sets      map[string]*draftSet
	seen      merge.Row // the row as the transaction saw it; set for multis and sets
}

// draftMulti writes value, or removes all values.
type draftMulti struct {
	value  memo.Value
	delete bool
}

// draftSet has an element in one of its lists; the last word counts.
type draftSet struct {
	added, removed map[memo.Value]bool
}

func newDraftEdit() *draftEdit { return &draftEdit{topics: map[string]map[string]*draftRow{}} }

func (d *draftEdit) row(topic, row string) *draftRow {
	if d.topics[topic] == nil {
		d.topics[topic] = map[string]*draftRow{}
	}
	r := d.topics[topic][row]
	if r == nil {
		r = new(draftRow)
		r.reset()
		d.topics[topic][row] = r
	}
	return r
}

// reset forgets what was to be written.
func (r *draftRow) reset() {
	r.ops, r.multis = map[string]memo.Op{}, map[string]draftMulti{}
	r.counts, r.sets = map[string]int64{}, map[string]*draftSet{}
}

// add adds n to what is to be added to a counter.
func (r *draftRow) add(field string, n int64) error {
	sum := r.counts[field]
	if n > 0 && sum > math.MaxInt64-n || n < 0 && sum < math.MinInt64-n {
		return fmt.Errorf("field %q: add %d: %w", field, n, merge.ErrCounterFull)
	}
	r.counts[field] = sum + n
	return nil
}

// change adds elements to a set and removes others.
func (r *draftRow) change(field string, add, remove []memo.Value) {
	s := r.sets[field]
	if s == nil {
		s = &draftSet{added: map[memo.Value]bool{}, removed: map[memo.Value]bool{}}
		r.sets[field] = s
	}
	for _, v := range remove {
		s.removed[v] = true
		delete(s.added, v)
	}
	for _, v := range add {
		s.added[v] = true
		delete(s.removed, v)
	}
}

// ownRows returns states that hold every earlier memo of this node on a row.
type ownRows func(topic, row string) (merge.Row, error)

// typed reports whether d writes cells beside registers.
func (d *draftEdit) typed() bool {
	for _, rows := range d.topics {
		for _, r := range rows {
			if len(r.multis)+len(r.counts)+len(r.sets) > 0 {
				return true
			}
		}
	}
	return false
}

// seenRows takes what the transaction saw for all that there is.
func (d *draftEdit) seenRows(topic, row string) (merge.Row, error) {
	return d.topics[topic][row].seen, nil
}

// build returns the edit in canonical order as self's next memo has it, nil when
// it changes nothing.
func (d *draftEdit) build(self memo.Author, own ownRows) (*memo.Edit, error) {
	e := new(memo.Edit)
	for _, topic := range slices.Sorted(maps.Keys(d.topics)) {
		rows := d.topics[topic]
		t := memo.TopicEdit{Topic: topic}
		for _, row := range slices.Sorted(maps.Keys(rows)) {
			state, err := own(topic, row)
			if err != nil {
				return nil, err
			}
			r, err := rows[row].edit(row, self, state)
			if err != nil {
				return nil, fmt.Errorf("write %s/%s: %w", topic, row, err)
			}
			if r.Tombstone || len(r.Deltas) > 0 {
				t.Rows = append(t.Rows, r)
			}
		}
		if len(t.Rows) > 0 {
			e.Topics = append(e.Topics, t)
		}
	}
	if len(e.Topics) == 0 {
		return nil, nil
	}
	return e, nil
}

// edit returns what self's next memo does to the row.
func (r *draftRow) edit(row string, self memo.Author, own merge.Row) (memo.RowEdit, error) {
	out := memo.RowEdit{Row: memo.Bytes(row), Tombstone: r.tombstone}
	add := func(d memo.Delta, changes bool) {
		if changes {
			out.Deltas = append(out.Deltas, d)
		}
	}
	w := merge.Writer{Author: self, Row: r.seen, Own: own, Clears: r.tombstone}
	for f, op := range r.ops {
		add(memo.Delta{Field: f, Op: op}, true)
	}
	for f, m := range r.multis {
		if m.delete {
			add(w.Clear(f))
		} else {
			add(w.Put(f, m.value), true)
		}
	}
	for f, n := range r.counts {
		if n == 0 {
			continue
		}
		d, err := w.Add(f, n)
		if err != nil {
			return out, err
		}
		add(d, true)
	}
	for f, s := range r.sets {
		add(w.Change(f, slices.Collect(maps.Keys(s.added)), slices.Collect(maps.Keys(s.removed))))
	}
	slices.SortFunc(out.Deltas, func(a, b memo.Delta) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), cmp.Compare(a.Type, b.Type))
	})
	return out, nil
}

// overlay returns state as it will be once the draft is committed.
func (d *draftEdit) overlay(state merge.Row, self memo.Author, topic, row string) (merge.Row, error) {
	r, ok := d.topics[topic][row]
	if !ok {
		return state, nil
	}
	e, err := r.edit(row, self, state)
	if err != nil {
		return state, err
	}
	next := merge.Stamp{Time: memo.MaxTime, Author: self, Seq: math.MaxUint64} // above all that is there
	delta, err := merge.Delta(next, e)
	return merge.Join(state, delta), err
}
