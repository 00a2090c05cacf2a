package merge_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// rowsOf joins what the memos of a set did.
func (c crowd) rowsOf(s memoSet) map[string]merge.Row {
	rows := map[string]merge.Row{}
	for i, in := range s {
		for key, w := range c.writes[i] {
			if d, err := merge.Delta(w.Stamp, w.Edit); in && err == nil {
				rows[key] = merge.Join(rows[key], d)
			}
		}
	}
	return rows
}

// No row that is joined of memos says of any of them what it did not do, forks, clocks
// that go backward and rows that were cleared among them.
func TestTrueRowsForgeNothing(t *testing.T) {
	c := crowds[0]()
	rows := c.rowsOf(c.past(c.tips...))
	for i, e := range c.events {
		s := merge.StampOf(e.Memo)
		for key, w := range c.writes[i] {
			d, err := merge.Delta(w.Stamp, w.Edit)
			if err != nil {
				t.Fatal(err)
			}
			if rows[key].Forges(s, d) || !rows[key].Includes(d) {
				t.Fatalf("memo %d, row %q: it forges, or lacks, what the memo did", i, key)
			}
		}
	}
	forged := 0
	for key, row := range rows {
		for _, p := range row.Provenance() {
			if !row.Forges(p, merge.Row{}) {
				t.Errorf("row %q stands on a memo that did nothing to it, and this does not show", key)
			}
			forged++
		}
	}
	if forged < len(rows) {
		t.Errorf("%d rows stand on %d memos: the test is none", len(rows), forged)
	}
}

// Whatever is changed of an atom, under a stamp that stays, is a forgery.
func TestForgeries(t *testing.T) {
	one, two := stamp(5, 1), stamp(6, 2)
	edit := memo.RowEdit{Tombstone: true, Deltas: []memo.Delta{
		{Field: "c", Type: memo.Counter, Op: memo.Op{Operands: &memo.Count{Base: memo.Base{Own: true}, K: 1, Plus: 3}}},
		{Field: "r", Op: memo.Op{Set: true, Value: text("true")}},
		{Field: "s", Type: memo.Set, Op: memo.Op{Operands: &memo.Change{K: 1, Add: []memo.Value{text("a"), text("b")}}}},
	}}
	d, err := merge.Delta(one, edit)
	if err != nil {
		t.Fatal(err)
	}
	other, err := merge.Delta(two, memo.RowEdit{Deltas: []memo.Delta{set("other", "x")}})
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func(r *merge.Row)) merge.Row {
		r := merge.Join(d, other)
		cells := append([]merge.Cell(nil), r.Cells...)
		for i := range cells {
			if a := cells[i].Atoms; a != nil {
				live := append([]merge.Atom(nil), a.Live...)
				cells[i].Atoms = &merge.Atoms{Live: live, Seen: a.Seen, Writers: append([]merge.Stamp(nil), a.Writers...)}
			}
			if n := cells[i].Counter; n != nil {
				cells[i].Counter = &merge.Counter{Tallies: append([]merge.Tally(nil), n.Tallies...)}
			}
		}
		r.Cells = cells
		change(&r)
		return r
	}
	if changed(func(*merge.Row) {}).Forges(one, d) {
		t.Fatal("the truth is a forgery")
	}
	for name, change := range map[string]func(r *merge.Row){
		"a register":             func(r *merge.Row) { r.Cells[2].Register.Value = text("false") },
		"a deletion":             func(r *merge.Row) { r.Cells[2].Register.Set = false },
		"a field more":           func(r *merge.Row) { r.Cells[1].Register.Stamp = one },
		"a sum":                  func(r *merge.Row) { r.Cells[0].Counter.Tallies[0].Plus++ },
		"a base":                 func(r *merge.Row) { r.Cells[0].Counter.Tallies[0].Base = merge.Stamp{} },
		"an element":             func(r *merge.Row) { r.Cells[3].Atoms.Live[1].Value = text("z") },
		"the number of one":      func(r *merge.Row) { r.Cells[3].Atoms.Live[1].K = 9 },
		"another type":           func(r *merge.Row) { r.Cells[3].Type = memo.Multi },
		"another field":          func(r *merge.Row) { r.Cells[3].Field = "t" },
		"a place in the chain":   func(r *merge.Row) { r.Tombstone.Seq++ },
		"a time":                 func(r *merge.Row) { r.Cells[3].Atoms.Writers[0].Time++ },
		"an author":              func(r *merge.Row) { r.Cells[2].Register.Stamp.Author[0]++ },
		"who wrote a set, alone": func(r *merge.Row) { r.Cells[3].Type, r.Cells[3].Atoms.Live = memo.Multi, nil },
	} {
		if !changed(change).Forges(one, d) {
			t.Errorf("%s that was changed is no forgery", name)
		}
	}
	d.Tombstone = merge.Stamp{}
	if !changed(func(r *merge.Row) { r.Tombstone = one }).Forges(one, d) {
		t.Error("a tombstone that was never written is no forgery")
	}
}

// Proofs of rows, in a leaf, in a block of their own, nested and absent, and of heads,
// hold; and none holds of anything else.
func TestRowProofs(t *testing.T) {
	c := crowds[0]()
	rows, p, b := c.rowsOf(c.past(c.tips...)), merge.DefaultParams(c.events[0].Memo.SpaceID()), blocks{}
	keys := slices.Sorted(maps.Keys(rows))
	state, err := merge.BuildState(p, func(yield func(merge.KeyedRow, error) bool) {
		for _, k := range keys {
			s, err := rows[k].Encode()
			if !yield(merge.KeyedRow{Key: k, State: s}, err) {
				return
			}
		}
	}, b)
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range append(keys, "t\x00absent") {
		f, err := merge.ProveRow(p, b, state, key)
		if err != nil {
			t.Fatal(err)
		}
		row, found, err := merge.VerifyRow(p, state, key, f)
		want, has := rows[key]
		if err != nil || found != has || !row.Includes(want) || !want.Includes(row) {
			t.Fatalf("row %q is proved to be another, there: %v, %v", key, found, err)
		}
		if i%16 > 0 {
			continue
		}
		for cut := range f {
			if _, _, err := merge.VerifyRow(p, state, key, f[:cut]); !errors.Is(err, merge.ErrProof) {
				t.Errorf("row %q with %d of %d blocks: %v", key, cut, len(f), err)
			}
		}
		if _, _, err := merge.VerifyRow(p, state, key, append(f[:len(f):len(f)], f[0])); !errors.Is(err, merge.ErrProof) {
			t.Errorf("row %q with a block too many: %v", key, err)
		}
	}
	var v memo.Vector
	for _, e := range c.events {
		v.Add(memo.Mark{Head: e.Memo.Head(), Time: e.Memo.Time})
	}
	vector, err := merge.BuildVector(p, v, b)
	if err != nil {
		t.Fatal(err)
	}
	for m := range v.All() {
		f, err := merge.ProveHead(p, b, vector, m.Author)
		if got, err2 := merge.VerifyHead(p, vector, m.Author, f); err != nil || err2 != nil || got != m {
			t.Errorf("%v is proved to be %v: %v", m, got, errors.Join(err, err2))
		}
	}
	f, err := merge.ProveHead(p, b, vector, memo.Author{})
	if _, err2 := merge.VerifyHead(p, vector, memo.Author{}, f); err != nil || !errors.Is(err2, merge.ErrProof) {
		t.Errorf("an author whom the cut does not have: %v, %v", err, err2)
	}
}
