package merge

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"lightcone/memo"
)

// A row state, the value of a row everywhere it is stored or hashed:
//
//	[ [[author, seq, digest, time], …], tombstone, cell, … ]
//	  provenance table: strictly ascending, every entry used
//	  tombstone: index into the table, or null
//	  cell: [field, type, …], strictly ascending by (field, type)
//	    register (type 0): [field, 0, index, 1, value] or, deleted, [field, 0, index, 0]
//	    multi (1), set (3): [field, type, [index, …], [seen, …], [index, k, value], …]
//	      the last memo of each writer; what was seen of each author; the live atoms
//	      seen: [author, last k, from, to, …]; from, to: gaps, ascending
//	      author: index of his first memo in the table, or his key
//	    counter (2): [field, 2, [index, base, k, plus, minus], …], zeros at the end left out
//	      base: null, 1 for the row's tombstone, or [time, author, digest] of a later one
//
// A stamp is written once however many cells it wrote: most rows have a table
// of one entry.

// provenanceParts, cellSet and cellDeleted are the lengths of the arrays above.
const (
	provenanceParts = 4
	cellSet         = 5
	cellDeleted     = 4
)

// minProvenance is the least encoded size of an entry of the provenance table:
// two 32-byte strings, two small integers and four heads.
const minProvenance = 1 + 34 + 1 + 34 + 1

// minCell is the least encoded size of a cell: a deleted one without a name.
const minCell = 1 + 1 + 1 + 1 + 1

// Encode returns the canonical bytes of the row state.
func (r Row) Encode() ([]byte, error) {
	table := r.Provenance()
	size := 8 + len(table)*(minProvenance+16)
	for i := range r.Cells {
		size += len(r.Cells[i].Field) + r.Cells[i].Register.Value.Size() + 16
	}
	b := make([]byte, 0, size)
	b = appendArray(b, 2+len(r.Cells))
	b = appendArray(b, len(table))
	for i := range table {
		b = appendStamp(b, &table[i])
	}
	if r.Tombstone.IsZero() {
		b = append(b, itemNull)
	} else {
		b = appendUint(b, indexOf(table, r.Tombstone))
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		if !c.whole() {
			return nil, fmt.Errorf("row state: field %q: %w: %d", c.Field, ErrUnknownCellType, c.Type)
		}
		b = appendCell(b, c, table, r.Tombstone)
	}
	return b, nil
}

func appendCell(b []byte, c *Cell, table []Stamp, tombstone Stamp) []byte {
	n := cellDeleted
	switch {
	case c.Counter != nil:
		n = 2 + len(c.Counter.Tallies)
	case c.Atoms != nil:
		n = 4 + len(c.Atoms.Live)
	case c.Register.Set:
		n = cellSet
	}
	b = appendBytes(appendArray(b, n), c.Field)
	b = appendUint(b, uint64(c.Type))
	switch {
	case c.Counter != nil:
		return appendCounter(b, c.Counter, table, tombstone)
	case c.Atoms != nil:
		return appendAtoms(b, c.Atoms, table)
	default:
		b = appendUint(b, indexOf(table, c.Register.Stamp))
		return appendRegister(b, &c.Register)
	}
}

func appendStamp(b []byte, s *Stamp) []byte {
	b = appendArray(b, provenanceParts)
	b = appendBytes(b, s.Author[:])
	b = appendUint(b, s.Seq)
	b = appendBytes(b, s.ID[:])
	return appendUint(b, uint64(s.Time))
}

// appendRegister appends what g holds: 1 and the value, or 0.
func appendRegister(b []byte, g *Register) []byte {
	if !g.Set {
		return appendUint(b, 0)
	}
	return appendValue(appendUint(b, 1), g.Value)
}

func appendValue(b []byte, v memo.Value) []byte {
	if v.Kind() == memo.TextValue { // by far the most frequent
		s := v.Text()
		return append(appendHead(b, majorText, uint64(len(s))), s...)
	}
	raw, err := v.MarshalCBOR()
	if err != nil {
		panic(err) // a Value that exists always encodes
	}
	return append(b, raw...)
}

func indexOf(table []Stamp, s Stamp) uint64 {
	if len(table) == 1 {
		return 0
	}
	i, _ := slices.BinarySearchFunc(table, s, Stamp.compareProvenance)
	return uint64(i)
}

// DecodeRow reads a row state strictly: it accepts nothing but what Encode
// writes. On an error the row is zero. A cell type of a newer version is
// ErrUnknownCellType; everything else is memo.ErrMalformed or
// memo.ErrNotCanonical. The row keeps no reference to data.
func DecodeRow(data []byte) (Row, error) {
	row, err := decodeRow(data)
	if err == nil {
		err = row.check()
	}
	if err == nil {
		err = row.encodesTo(data)
	}
	if err != nil {
		return Row{}, fmt.Errorf("row state: %w", err)
	}
	return row, nil
}

// encodesTo tells whether data is the canonical form of r.
func (r Row) encodesTo(data []byte) error {
	again, err := r.Encode()
	if err == nil && !bytes.Equal(again, data) { // an unused entry of the table, for one
		err = memo.ErrNotCanonical
	}
	return err
}

// decodeRow reads the form of a row state, or of a piece of one; Row.check says
// whether it is a row.
func decodeRow(data []byte) (Row, error) {
	r := &reader{b: data}
	n := r.array(math.MaxInt32)
	if r.err == nil && n < 2 {
		r.fail("no provenance and tombstone")
	}
	table := make([]Stamp, r.array(len(r.b)/minProvenance))
	for i := range table {
		table[i] = r.stamp()
		if i > 0 && table[i-1].compareProvenance(table[i]) >= 0 {
			r.fail("provenance is not strictly ascending at entry %d", i)
		}
	}
	var row Row
	if !r.null() {
		row.Tombstone = r.indexed(table)
	}
	if n > 2 && n-2 > len(r.b)/minCell {
		r.fail("%d cells in %d bytes", n-2, len(r.b))
	}
	if n > 2 && r.err == nil {
		row.Cells = make([]Cell, n-2)
	}
	for i := range row.Cells {
		if row.Cells[i] = r.cell(table, row.Tombstone); r.err != nil {
			return Row{}, r.err
		}
	}
	return row, r.end()
}

func (r *reader) stamp() Stamp {
	r.arrayOf(provenanceParts, "an entry of the provenance table")
	s := Stamp{Author: r.digest(), Seq: r.uint(), ID: r.digest(), Time: memo.Time(r.uint())}
	if r.err == nil && (s.Seq == 0 || s.ID.IsZero() || s.Time > memo.MaxTime) {
		r.fail("a stamp that no memo has: seq %d, time %d", s.Seq, uint64(s.Time))
	}
	return s
}

// indexed reads an index into the provenance table.
func (r *reader) indexed(table []Stamp) Stamp {
	i := r.uint()
	if i >= uint64(len(table)) {
		r.fail("entry %d of a provenance table of %d", i, len(table))
		return Stamp{}
	}
	return table[i]
}

func (r *reader) cell(table []Stamp, tombstone Stamp) Cell {
	n := r.array(math.MaxInt32)
	c := Cell{Field: string(r.bytes(memo.MaxField)), Type: memo.CellType(r.uint())}
	if r.err != nil {
		return Cell{}
	}
	switch c.Type {
	case memo.Register:
		c.Register = r.register(n, c.Field, table)
	case memo.Counter:
		c.Counter = r.counter(n-2, table, tombstone)
	case memo.Multi, memo.Set:
		c.Atoms = r.atoms(n-4, table)
	default:
		r.err = fmt.Errorf("field %q: %w: %d", c.Field, ErrUnknownCellType, c.Type)
	}
	return c
}

// register reads the rest of a cell of n parts.
func (r *reader) register(n int, field string, table []Stamp) Register {
	g := Register{Stamp: r.indexed(table)}
	switch set := r.uint(); {
	case set == 0 && n == cellDeleted:
	case set == 1 && n == cellSet:
		g.Set = true
		g.Value = r.value()
	default:
		r.fail("field %q: a register ends with 1 and its value, or with 0", field)
	}
	return g
}

// value reads what a register or an atom holds. It does by hand what memo.Value's own
// decoder does through the CBOR library, at a fraction of the allocations.
func (r *reader) value() memo.Value {
	raw := r.item()
	if r.err != nil {
		return memo.Value{}
	}
	var v memo.Value
	var err error
	one := reader{b: raw}
	switch first := raw[0]; {
	case first == itemNull:
	case first == itemFalse || first == itemTrue:
		v = memo.Bool(first == itemTrue)
	case first == itemFloat:
		v, err = memo.Float(math.Float64frombits(binary.BigEndian.Uint64(raw[1:])))
	case first&majorMask == majorUint:
		n := one.uint()
		if n > math.MaxInt64 {
			r.fail("%d is above the largest int64", n)
		}
		v = memo.Int(int64(n))
	case first&majorMask == majorNeg:
		v = memo.Int(-1 - int64(one.head(majorNeg, "an integer")))
	case first&majorMask == majorBytes:
		v = memo.Blob(one.bytes(len(raw)))
	case first&majorMask == majorText:
		v, err = memo.Text(string(one.take(one.head(majorText, "a text"))))
	default:
		r.fail("a value that no cell can hold")
	}
	if err != nil {
		r.fail("%v", err)
	}
	return v
}
