package merge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lightcone/memo"
)

// ErrUnknownCellType reports a cell of a type this version cannot join; a newer
// version of the program can.
var ErrUnknownCellType = errors.New("cell type this version does not know")

// Row is the state of one row, or a part of it such as one memo's delta: an
// element of the join semilattice. It is an immutable value: rows share memory,
// so never change a Row's Cells in place.
//
// Invariants: Cells are strictly ascending by (Field, Type), and none has a
// stamp smaller than Tombstone. The zero Row is the least element.
type Row struct {
	Tombstone Stamp // the greatest row tombstone joined so far; zero when none
	Cells     []Cell
}

// Cell is one typed cell of a row. Cells of one field and different types do
// not join.
type Cell struct {
	Field    string // raw bytes
	Type     memo.CellType
	Register Register
}

// Register is the state of a register cell: the last write. A deleted cell
// stays, with Set false, to win over earlier writes.
type Register struct {
	Stamp Stamp
	Set   bool
	Value memo.Value
}

// Delta returns what one memo, stamped s, does to one row. e is part of a valid
// edit: its deltas are strictly ascending by (Field, Type).
func Delta(s Stamp, e memo.RowEdit) (Row, error) {
	var row Row
	if e.Tombstone {
		row.Tombstone = s
	}
	if len(e.Deltas) == 0 {
		return row, nil
	}
	row.Cells = make([]Cell, len(e.Deltas))
	for i, d := range e.Deltas {
		if d.Type != memo.Register {
			return Row{}, fmt.Errorf("field %q: %w: %d", d.Field, ErrUnknownCellType, d.Type)
		}
		row.Cells[i] = Cell{
			Field: d.Field, Type: d.Type,
			Register: Register{Stamp: s, Set: d.Op.Set, Value: d.Op.Value},
		}
	}
	return row, nil
}

// Join returns the least upper bound of a and b: the greatest tombstone, and
// per cell the greatest write that the tombstone does not drop. It changes
// neither argument; the result may share memory with both, and is one of them,
// without an allocation, where that one includes the other.
func Join(a, b Row) Row {
	if a.Includes(b) {
		return a
	}
	if b.Includes(a) {
		return b
	}
	out := Row{Tombstone: a.Tombstone, Cells: make([]Cell, 0, len(a.Cells)+len(b.Cells))}
	if b.Tombstone.compareAll(out.Tombstone) > 0 {
		out.Tombstone = b.Tombstone
	}
	x, y := a.Cells, b.Cells
	for len(x) > 0 || len(y) > 0 {
		var c *Cell
		switch order := compareHeads(x, y); {
		case order < 0:
			c, x = &x[0], x[1:]
		case order > 0:
			c, y = &y[0], y[1:]
		default:
			c = &x[0]
			if y[0].Register.compare(&c.Register) > 0 {
				c = &y[0]
			}
			x, y = x[1:], y[1:]
		}
		if !out.drops(c) {
			out.Cells = append(out.Cells, *c)
		}
	}
	return out
}

// Includes reports d ⊑ r, that is Join(r, d) == r: joining d tells r nothing
// new. It needs no causal history, so a duplicate or covered memo is recognised
// from the state alone.
func (r Row) Includes(d Row) bool {
	if d.Tombstone.compareAll(r.Tombstone) > 0 {
		return false
	}
	cells := r.Cells
	for i := range d.Cells {
		c := &d.Cells[i]
		for len(cells) > 0 && cells[0].compareKey(c) < 0 {
			cells = cells[1:]
		}
		held := len(cells) > 0 && cells[0].compareKey(c) == 0 && cells[0].Register.compare(&c.Register) >= 0
		if !held && !r.drops(c) {
			return false
		}
	}
	return true
}

// Live reports whether the row exists for a reader: it has a cell that is set.
func (r Row) Live() bool {
	return slices.ContainsFunc(r.Cells, func(c Cell) bool { return c.Register.Set })
}

// Provenance returns the stamps of the memos the state stands on, each once,
// ascending by (author, seq, digest).
func (r Row) Provenance() []Stamp {
	out := make([]Stamp, 0, len(r.Cells)+1)
	if !r.Tombstone.IsZero() {
		out = append(out, r.Tombstone)
	}
	for i := range r.Cells {
		// Neighbouring cells mostly come from one memo.
		s := r.Cells[i].Register.Stamp
		if len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, Stamp.compareProvenance)
	return slices.Compact(out)
}

// drops reports whether the row's tombstone removes c. An equal stamp stays: a
// memo that clears a row and writes it anew keeps what it writes.
func (r Row) drops(c *Cell) bool { return c.Register.Stamp.Compare(r.Tombstone) < 0 }

// compareKey orders cells by (Field, Type).
func (c *Cell) compareKey(o *Cell) int {
	if n := strings.Compare(c.Field, o.Field); n != 0 {
		return n
	}
	return cmp.Compare(c.Type, o.Type)
}

// compareHeads orders the first cells of two lists; an empty list comes last.
func compareHeads(x, y []Cell) int {
	switch {
	case len(y) == 0:
		return -1
	case len(x) == 0:
		return 1
	default:
		return x[0].compareKey(&y[0])
	}
}

// compare orders writes of one cell: the greater one wins. One memo writes a
// cell once, so beyond the stamp only forged states differ; for them the
// greater encoding wins, so that a join never depends on its order.
func (g *Register) compare(o *Register) int {
	if c := g.Stamp.compareAll(o.Stamp); c != 0 || *g == *o {
		return c
	}
	return bytes.Compare(appendRegister(nil, g), appendRegister(nil, o))
}
