package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
)

// maxLost bounds the edits that the explanation of one field lists as lost.
const maxLost = 64

// Rule is what decided what a field shows.
type Rule string

// The rules.
const (
	GreatestStamp  Rule = "greatest stamp"         // register: the last write by (time, author, digest), a deletion included
	RowTombstone   Rule = "row tombstone"          // what was written before it is gone
	CounterSum     Rule = "sum of all authors"     // counter
	AddWins        Rule = "add wins"               // set: what is added stays unless a removal had seen it
	ConcurrentKept Rule = "concurrent values kept" // multi: a value stays until a write that had seen it
)

// Order is how an edit that lost relates to the one that beat it, by links alone.
type Order string

// The orders.
const (
	HappenedBefore Order = "before"     // the one that won had seen it
	WasConcurrent  Order = "concurrent" // neither had seen the other
	HappenedAfter  Order = "after"      // it had seen the one that won: its author's clock went back
	OrderUnknown   Order = "unknown"    // the bound of the walk was reached
)

// Explanation says why a row shows what it shows.
type Explanation struct {
	Topic, Key string
	Tombstone  merge.Stamp // the last deletion of the row; zero when there was none
	Fields     []FieldWhy  // ascending
	Behind     *BehindError
}

// FieldWhy says why a field shows what it shows.
type FieldWhy struct {
	Field  string
	Type   memo.CellType
	Others []memo.CellType // live cells of the same field that were written earlier, and are not shown
	Rule   Rule
	// Live says that the field has a value. Of a register, counter or multi it is
	// Value, as Get shows it, and of a set Elements.
	Live     bool
	Value    memo.Value
	Elements []memo.Value
	// From are the memos behind it: one that wrote or deleted a register, one that
	// emptied a set or multi or deleted the row; those of the atoms of a multi or
	// set; the last of each author of a counter.
	From []Source
	// Lost are edits that nothing is left of, in the order of the log: at most 64,
	// of which those that were seen by what beat them make room first. More counts
	// the others.
	Lost []Lost
	More int
}

// Source is a memo behind a value, and its share.
type Source struct {
	merge.Stamp
	Value       memo.Value // of a register, or one of a multi or set
	Plus, Minus uint64     // of a counter, in all
	VouchedBy   PeerID     // zero: the memo is held; else see HistoryEntry.VouchedBy
}

// Lost is an edit of a field that lost. Without a Delta it is a row tombstone.
type Lost struct {
	merge.Stamp
	Delta *memo.Delta
	To    merge.Stamp // what beat it
	Order Order       // it, to what beat it
}

// Why explains what a row shows, or with fields only those: which memos it is
// from, by which rule, and what lost. ErrNotFound when nothing ever wrote it. It
// reads the row's whole history, and holds what it returns and a little more.
func (x *Session) Why(ctx context.Context, topic, row string, fields ...string) (Explanation, error) {
	if err := checkKey(topic, row); err != nil {
		return Explanation{}, err
	}
	m, behind, err := x.newest(ctx)
	if err != nil {
		return Explanation{}, err
	}
	defer m.Close()
	state, _, err := m.snap.Get(x.space.id, topic, row)
	if err != nil {
		return Explanation{}, fmt.Errorf("read %s/%s: %w", topic, row, err)
	}
	t := newTrial(&history{space: x.space, view: m.view.store, upTo: m.snap.LSN(), topic: topic, row: row}, state, fields)
	if err := t.run(ctx); err != nil {
		return Explanation{}, fmt.Errorf("explain %s/%s: %w", topic, row, err)
	}
	out := Explanation{Topic: topic, Key: row, Tombstone: state.Tombstone, Fields: t.verdicts(), Behind: behind}
	x.saw(headsOf(state)...)
	if len(out.Fields) == 0 && (len(fields) > 0 || state.Tombstone.IsZero()) {
		return Explanation{Behind: behind}, fmt.Errorf("%s/%s: %w", topic, strings.Join(append([]string{row}, fields...), " "), ErrNotFound)
	}
	for _, f := range out.Fields {
		for i, s := range f.From {
			who, _, err := m.view.store.Vouched(x.space.id, s.Author, s.Seq)
			if err != nil {
				return Explanation{}, fmt.Errorf("explain %s/%s: %w", topic, row, err)
			}
			f.From[i].VouchedBy = who.From
		}
		for _, l := range f.Lost {
			x.saw(memo.Head{Author: l.Author, Seq: l.Seq, ID: l.ID})
		}
	}
	return out, nil
}

// Why explains a row as Session.Why does, in a fresh session.
func (s *Space) Why(ctx context.Context, topic, row string, fields ...string) (Explanation, error) {
	return s.Session().Why(ctx, topic, row, fields...)
}

// shownBy explains what the cells of one field show, in a row last deleted by
// tombstone. cells may be empty: the tombstone took all.
func shownBy(field string, cells []merge.Cell, tombstone merge.Stamp) FieldWhy {
	out := FieldWhy{Field: field, Rule: RowTombstone, From: []Source{{Stamp: tombstone}}}
	if len(cells) == 0 {
		return out
	}
	c := slices.MaxFunc(cells, func(a, b merge.Cell) int { return a.Stamp().Compare(b.Stamp()) })
	for i := range cells {
		if t := cells[i].Type; t != c.Type && cells[i].Live() {
			out.Others = append(out.Others, t)
		}
	}
	out.Type, out.Live = c.Type, c.Live()
	if !out.Live && c.Stamp().Compare(tombstone) < 0 {
		return out
	}
	out.From = nil
	switch c.Type {
	case memo.Register:
		out.Rule, out.Value = GreatestStamp, c.Register.Value
		out.From = []Source{{Stamp: c.Register.Stamp, Value: c.Register.Value}}
	case memo.Counter:
		out.Rule, out.Value = CounterSum, memo.Int(c.Counter.Value())
		for _, t := range c.Counter.Tallies {
			out.From = append(out.From, Source{Stamp: t.Stamp, Plus: t.Plus, Minus: t.Minus})
		}
	case memo.Multi, memo.Set:
		out.atoms(&c)
	}
	return out
}

// atoms explains a multi or a set.
func (f *FieldWhy) atoms(c *merge.Cell) {
	for _, a := range c.Atoms.Values() {
		f.From = append(f.From, Source{Stamp: a.Stamp, Value: a.Value})
	}
	f.Rule = ConcurrentKept
	if c.Type == memo.Set {
		f.Rule, f.Elements = AddWins, c.Atoms.Elements()
		slices.SortStableFunc(f.From, func(a, b Source) int { return a.Value.Compare(b.Value) })
	} else if f.Live {
		f.Value = f.From[0].Value
	}
	if !f.Live {
		f.From = []Source{{Stamp: c.Stamp()}}
	}
}
