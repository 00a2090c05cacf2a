package merge

import (
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// ErrCounterFull reports an addition beyond what one author may add to, or take
// from, a counter in all: memo.MaxCount each. Clearing the row starts anew.
var ErrCounterFull = errors.New("the author's sum on this counter is full; delete the row to start anew")

// Writer makes the deltas of one author's next memo on one row. It is a pure
// function of its fields.
//
// What the operations replace or remove is what Row shows: what the author saw.
// Own goes on from where the author was, so it must hold every earlier memo of the
// author, and may be newer than Row: two memos with one k are a fork to everybody,
// which costs an increment or both values. Clears says that the memo has a
// tombstone for the row, which then needs no removal; its stamp is above
// everything in Own. A memo has one delta a cell, so call one method a field and
// type, once.
type Writer struct {
	Author memo.Author
	Row    Row
	Own    Row
	Clears bool
}

// Put returns the delta that writes v to a multi in place of all values there.
func (w Writer) Put(field string, v memo.Value) memo.Delta {
	return w.change(field, memo.Multi, []memo.Value{v}, w.live(field, memo.Multi))
}

// Clear returns the delta that removes all values of a multi; false when there
// are none, and so nothing to do.
func (w Writer) Clear(field string) (memo.Delta, bool) {
	gone := w.live(field, memo.Multi)
	return w.change(field, memo.Multi, nil, gone), len(gone) > 0
}

// Change returns the delta that removes elements from a set and adds others; what
// is in both is added. An element that is there already is added anew, and so
// wins over a concurrent removal. False says that there is nothing to do: nothing
// to add and nothing there to remove. Above memo.MaxElements and memo.MaxRemoved
// no memo takes the delta; split it over several.
func (w Writer) Change(field string, add, remove []memo.Value) (memo.Delta, bool) {
	add = slices.Clone(add)
	slices.SortFunc(add, memo.Value.Compare)
	add = slices.Compact(add)
	touched := slices.Concat(add, remove)
	slices.SortFunc(touched, memo.Value.Compare)
	var gone []Atom
	for _, a := range w.live(field, memo.Set) {
		if _, ok := slices.BinarySearchFunc(touched, a.Value, memo.Value.Compare); ok {
			gone = append(gone, a)
		}
	}
	return w.change(field, memo.Set, add, gone), len(add)+len(gone) > 0
}

// Add returns the delta that adds n to a counter; n may be negative. Error:
// ErrCounterFull.
func (w Writer) Add(field string, n int64) (memo.Delta, error) {
	var c memo.Count
	var held *Counter
	base := w.Own.Tombstone.asBase()
	if cell := w.Own.Cell(field, memo.Counter); cell != nil && !w.Clears {
		held = cell.Counter
	}
	if t := held.of(w.Author); t != nil {
		base = t.Base
		c.K, c.Plus, c.Minus = t.K, t.Plus, t.Minus
	}
	switch {
	case w.Clears:
		c.Base.Own = true
	case !base.IsZero():
		c.Base = memo.Base{Time: base.Time, Author: base.Author, ID: base.ID}
	}
	c.K++
	sum, step := &c.Plus, uint64(n)
	if n < 0 {
		sum, step = &c.Minus, -uint64(n) // of the smallest int64, too
	}
	if c.K > memo.MaxCount || step > memo.MaxCount-*sum {
		return memo.Delta{}, fmt.Errorf("field %q: add %d: %w", field, n, ErrCounterFull)
	}
	*sum += step
	return memo.Delta{Field: field, Type: memo.Counter, Op: memo.Op{Operands: &c}}, nil
}

// live returns the atoms of a multi or set that the author saw and that the memo
// does not clear.
func (w Writer) live(field string, t memo.CellType) []Atom {
	cell := w.Row.Cell(field, t)
	if cell == nil || w.Clears {
		return nil
	}
	return cell.Atoms.Live
}

// change makes the delta that adds values and removes atoms.
func (w Writer) change(field string, t memo.CellType, add []memo.Value, gone []Atom) memo.Delta {
	c := &memo.Change{Add: add}
	if len(add) > 0 {
		c.K = 1
		if cell := w.Own.Cell(field, t); cell != nil {
			c.K = cell.Atoms.Seen.free(w.Author, len(add))
		}
	}
	for _, a := range gone { // ascending by author and k
		author := a.Stamp.Author
		if author == w.Author {
			author = memo.Author{}
		}
		last := len(c.Remove) - 1
		switch {
		case last < 0 || c.Remove[last].Author != author:
			c.Remove = append(c.Remove, memo.Dots{Author: author, Ks: []uint64{a.K}})
		case c.Remove[last].Ks[len(c.Remove[last].Ks)-1] != a.K: // else a forged atom
			c.Remove[last].Ks = append(c.Remove[last].Ks, a.K)
		}
	}
	slices.SortFunc(c.Remove, func(a, b memo.Dots) int { return a.Author.Compare(b.Author) })
	return memo.Delta{Field: field, Type: t, Op: memo.Op{Operands: c}}
}
