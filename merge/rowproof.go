package merge

import (
	"fmt"

	"lightcone/memo"
)

// This file shows rows and heads of a root to someone who has nothing but the root,
// and compares a row with what one memo did to it.

// ProveRow returns the proof of a row in the state tree under root, present or not:
// the blocks that StateRow reads, all of a nested row.
func ProveRow(p Params, g BlockGetter, root memo.ID, key string) (Proof, error) {
	t := tracer{g: g}
	if _, _, err := StateRow(p, &t, root, key); err != nil {
		return nil, fmt.Errorf("prove row %q: %w", key, err)
	}
	return t.read, nil
}

// VerifyRow returns the row that proof shows the state tree under root to have at
// key, or that there is none. As VerifyProof it trusts p and root alone.
func VerifyRow(p Params, root memo.ID, key string, proof Proof) (row Row, found bool, err error) {
	rest := proof
	row, found, err = StateRow(p, (*replay)(&rest), root, key)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: %d blocks too many", ErrProof, len(rest))
	}
	if err != nil {
		return Row{}, false, fmt.Errorf("proof of row %q: %w", key, err)
	}
	return row, found, nil
}

// ProveHead returns the proof of an author's entry in the vector tree under root.
func ProveHead(p Params, g BlockGetter, root memo.ID, author memo.Author) (Proof, error) {
	return Prove(p, g, root, string(author[:]))
}

// VerifyHead returns the entry that proof shows the vector tree under root to have of
// an author. Unlike a row, it has to be there.
func VerifyHead(p Params, root memo.ID, author memo.Author, proof Proof) (memo.Mark, error) {
	value, found, err := VerifyProof(p, root, string(author[:]), proof)
	if err != nil {
		return memo.Mark{}, err
	}
	if !found {
		return memo.Mark{}, fmt.Errorf("%w: the cut has nothing of author %s", ErrProof, author)
	}
	e, err := decodeVectorEntry(value)
	if err != nil {
		return memo.Mark{}, fmt.Errorf("proof of author %s: %w", author, err)
	}
	return memo.Mark{Head: memo.Head{Author: author, Seq: e.Seq, ID: e.ID}, Time: e.Time, Forked: e.Forked}, nil
}

// Forges reports whether r shows as the work of the memo stamped s what that memo did
// not do: d is its delta to the row, the zero Row if it has none. No join of true
// deltas does, since joins keep or drop atoms and never change one; that atoms are
// missing is another matter, see Includes.
func (r Row) Forges(s Stamp, d Row) bool {
	for _, p := range r.Provenance() {
		if p.ID == s.ID && p != s {
			return true
		}
	}
	if r.Tombstone == s && d.Tombstone != s {
		return true
	}
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.forges(s, d.cell(c)) {
			return true
		}
	}
	return false
}

// cell returns the cell of c's key, nil if r has none.
func (r Row) cell(c *Cell) *Cell {
	for i := range r.Cells {
		if r.Cells[i].compareKey(c) == 0 {
			return &r.Cells[i]
		}
	}
	return nil
}

// forges is Forges of one cell; d is nil if the memo did nothing to it.
func (c *Cell) forges(s Stamp, d *Cell) bool {
	switch {
	case c.Counter != nil:
		t := c.Counter.of(s.Author)
		return t != nil && t.Stamp == s && (d == nil || *t != d.Counter.Tallies[0])
	case c.Atoms == nil:
		return c.Register.Stamp == s && (d == nil || c.Register != d.Register)
	case d == nil && c.Atoms.lastOf(s.Author) == s:
		return true
	}
	for _, a := range c.Atoms.Live {
		if a.Stamp == s && (d == nil || !d.Atoms.live(a)) {
			return true
		}
	}
	return false
}

func (x *Atoms) live(a Atom) bool {
	for _, o := range x.Live {
		if o == a {
			return true
		}
	}
	return false
}
