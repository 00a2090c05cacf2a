package merge

import (
	"slices"

	"lightcone/memo"
)

// Cell returns the cell of the given field and type, nil when the row has none.
// It points into the row: do not change it.
func (r Row) Cell(field string, t memo.CellType) *Cell {
	want := Cell{Field: field, Type: t}
	i, ok := slices.BinarySearchFunc(r.Cells, &want, func(c Cell, want *Cell) int { return c.compareKey(want) })
	if !ok {
		return nil
	}
	return &r.Cells[i]
}

// Shown is what a reader sees of a field: the cell with the greatest stamp. Cells
// of one field and other types stay as they are; Others names those that are live.
type Shown struct {
	Cell   *Cell
	Others []memo.CellType
}

// Shown returns what a reader sees of every field that has a live cell, ascending
// by field. Where the greatest stamp is of a deleted register, or of an emptied
// multi or set, the field is shown by that cell, which is not Live.
func (r Row) Shown() []Shown {
	var out []Shown
	for from := 0; from < len(r.Cells); {
		to := from + 1
		for to < len(r.Cells) && r.Cells[to].Field == r.Cells[from].Field {
			to++
		}
		if s, ok := shown(r.Cells[from:to]); ok {
			out = append(out, s)
		}
		from = to
	}
	return out
}

// shown chooses among the cells of one field; ok tells whether one is live.
func shown(cells []Cell) (s Shown, ok bool) {
	s.Cell = &cells[0]
	for i := range cells[1:] {
		if c := &cells[1+i]; c.Stamp().Compare(s.Cell.Stamp()) > 0 {
			s.Cell = c
		}
	}
	for i := range cells {
		c := &cells[i]
		ok = ok || c.Live()
		if c != s.Cell && c.Live() {
			s.Others = append(s.Others, c.Type)
		}
	}
	return s, ok
}

// Stamp returns the greatest stamp of the memos that made the cell what it is.
func (c *Cell) Stamp() Stamp {
	greatest := c.Register.Stamp
	see := func(s Stamp) {
		if s.Compare(greatest) > 0 {
			greatest = s
		}
	}
	if c.Counter != nil {
		for i := range c.Counter.Tallies {
			see(c.Counter.Tallies[i].Stamp)
		}
	}
	if c.Atoms != nil {
		for _, s := range c.Atoms.Writers {
			see(s)
		}
	}
	return greatest
}

// Values returns the values of a multi, the one with the greatest stamp first.
// More than one are concurrent: no author of one had seen another. Writing a value
// resolves them.
func (x *Atoms) Values() []Atom {
	out := slices.Clone(x.Live)
	slices.SortFunc(out, func(a, b Atom) int {
		if c := b.Stamp.compareAll(a.Stamp); c != 0 {
			return c
		}
		return b.compare(&a)
	})
	return out
}

// Elements returns the elements of a set, each once, ascending by Value.Compare.
func (x *Atoms) Elements() []memo.Value {
	out := make([]memo.Value, len(x.Live))
	for i := range x.Live {
		out[i] = x.Live[i].Value
	}
	slices.SortFunc(out, memo.Value.Compare)
	return slices.Compact(out)
}
