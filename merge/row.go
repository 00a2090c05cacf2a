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
// Invariants: Cells are strictly ascending by (Field, Type), and no atom of them
// has a stamp smaller than Tombstone. The zero Row is the least element.
type Row struct {
	Tombstone Stamp // the greatest row tombstone joined so far; zero when none
	Cells     []Cell
}

// Cell is one typed cell of a row. Cells of one field and different types do
// not join. Its type says which state it has.
type Cell struct {
	Field    string // raw bytes
	Type     memo.CellType
	Register Register // of a memo.Register
	Counter  *Counter // of a memo.Counter
	Atoms    *Atoms   // of a memo.Multi or memo.Set
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
		c := Cell{Field: d.Field, Type: d.Type}
		switch o := d.Op.Operands.(type) {
		case nil:
			c.Register = Register{Stamp: s, Set: d.Op.Set, Value: d.Op.Value}
		case *memo.Count:
			c.Counter = countDelta(s, o)
		case *memo.Change:
			c.Atoms = changeDelta(s, o)
		}
		if !c.whole() {
			return Row{}, fmt.Errorf("field %q: %w: %d", d.Field, ErrUnknownCellType, d.Type)
		}
		row.Cells[i] = c
	}
	return row, nil
}

// whole reports whether c has the state of its type, one that this version knows.
func (c *Cell) whole() bool {
	switch c.Type {
	case memo.Register:
		return c.Counter == nil && c.Atoms == nil
	case memo.Counter:
		return c.Counter != nil
	case memo.Multi, memo.Set:
		return c.Atoms != nil
	default:
		return false
	}
}

// Join returns the least upper bound of a and b: the greatest tombstone, and
// per cell the join of its states without what the tombstone drops. It changes
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
		switch order := compareHeads(x, y); {
		case order < 0:
			out.Cells, x = append(out.Cells, x[0]), x[1:]
		case order > 0:
			out.Cells, y = append(out.Cells, y[0]), y[1:]
		default:
			out.Cells = append(out.Cells, x[0])
			out.Cells[len(out.Cells)-1].join(&y[0])
			x, y = x[1:], y[1:]
		}
		if last := len(out.Cells) - 1; !out.Cells[last].after(out.Tombstone) {
			out.Cells = out.Cells[:last]
		}
	}
	return out
}

// join makes c, which nobody else shows, its join with another state of the cell.
func (c *Cell) join(o *Cell) {
	switch {
	case c.Counter != nil:
		c.Counter = c.Counter.join(o.Counter)
	case c.Atoms != nil:
		c.Atoms = c.Atoms.join(o.Atoms)
	case o.Register.compare(&c.Register) > 0:
		c.Register = o.Register
	}
}

// after takes out of c what tombstone drops, and reports whether anything stays.
func (c *Cell) after(tombstone Stamp) bool {
	switch {
	case c.Counter != nil:
		c.Counter = c.Counter.after(tombstone)
		return c.Counter != nil
	case c.Atoms != nil:
		c.Atoms = c.Atoms.after(tombstone)
		return true
	default:
		return !c.Register.droppedBy(tombstone)
	}
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
		var held *Cell
		if len(cells) > 0 && cells[0].compareKey(c) == 0 {
			held = &cells[0]
		}
		if !held.includes(c, r.Tombstone) {
			return false
		}
	}
	return true
}

// includes reports whether joining d, under the tombstone of c's row, leaves c as
// it is. Nil stands for a cell that the row does not have.
func (c *Cell) includes(d *Cell, tombstone Stamp) bool {
	switch {
	case d.Atoms != nil:
		return c != nil && c.Atoms.includes(d.Atoms)
	case d.Counter == nil:
		return c != nil && c.Register.compare(&d.Register) >= 0 || d.Register.droppedBy(tombstone)
	case c == nil:
		return d.Counter.after(tombstone) == nil
	default:
		return c.Counter.includes(d.Counter, tombstone)
	}
}

// Live reports whether the row exists for a reader: it has a live cell.
func (r Row) Live() bool {
	for i := range r.Cells {
		if r.Cells[i].Live() {
			return true
		}
	}
	return false
}

// Live reports whether the cell has a value to show: a register that is set, a
// counter, a multi with a value, a set with an element.
func (c *Cell) Live() bool {
	return c.Register.Set || c.Counter != nil || c.Atoms != nil && len(c.Atoms.Live) > 0
}

// Provenance returns the stamps of the memos the state stands on, each once,
// ascending by (author, seq, digest): those of the tombstone, of every value, and
// the last that each author did to a multi or set, so that a removal, which leaves
// no value, has been observed too.
func (r Row) Provenance() []Stamp {
	out := make([]Stamp, 0, len(r.Cells)+1)
	add := func(s *Stamp) {
		// Neighbouring cells mostly come from one memo.
		if len(out) == 0 || out[len(out)-1] != *s {
			out = append(out, *s)
		}
	}
	if !r.Tombstone.IsZero() {
		add(&r.Tombstone)
	}
	for i := range r.Cells {
		switch c := &r.Cells[i]; {
		case c.Counter != nil:
			for i := range c.Counter.Tallies {
				add(&c.Counter.Tallies[i].Stamp)
			}
		case c.Atoms != nil:
			for i := range c.Atoms.Writers {
				add(&c.Atoms.Writers[i])
			}
			for i := range c.Atoms.Live {
				add(&c.Atoms.Live[i].Stamp)
			}
		default:
			add(&c.Register.Stamp)
		}
	}
	slices.SortFunc(out, Stamp.compareProvenance)
	return slices.Compact(out)
}

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

// droppedBy reports whether tombstone removes g. An equal stamp stays: a memo that
// clears a row and writes it anew keeps what it writes.
func (g *Register) droppedBy(tombstone Stamp) bool { return g.Stamp.Compare(tombstone) < 0 }

// compare orders writes of one cell: the greater one wins. One memo writes a
// cell once, so beyond the stamp only forged states differ; for them the
// greater encoding wins, so that a join never depends on its order.
func (g *Register) compare(o *Register) int {
	if c := g.Stamp.compareAll(o.Stamp); c != 0 || *g == *o {
		return c
	}
	return bytes.Compare(appendRegister(nil, g), appendRegister(nil, o))
}
