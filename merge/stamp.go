package merge

import (
	"cmp"

	"lightcone/memo"
)

// Stamp names the memo an atom of state came from and orders it among all
// others: by time, then author, then digest. An honest causal successor always
// has the larger time, so it always wins. Seq is provenance only. The zero
// Stamp means "none"; no memo has it, since none has a zero digest.
type Stamp struct {
	Time   memo.Time
	Author memo.Author
	ID     memo.ID
	Seq    uint64
}

// StampOf returns the stamp of every delta in m.
func StampOf(m *memo.Memo) Stamp {
	return Stamp{Time: m.Time, Author: m.Author, ID: m.ID(), Seq: m.Seq}
}

// Compare orders stamps by (Time, Author, ID). Stamps that compare equal are of
// the same memo.
func (s Stamp) Compare(o Stamp) int {
	if c := cmp.Compare(s.Time, o.Time); c != 0 {
		return c
	}
	if c := s.Author.Compare(o.Author); c != 0 {
		return c
	}
	return s.ID.Compare(o.ID)
}

// IsZero reports whether s names no memo.
func (s Stamp) IsZero() bool { return s.ID.IsZero() }

// compareAll is Compare made total over forged stamps too: a state that claims
// another seq for a memo must not make a join depend on the order of its
// arguments.
func (s Stamp) compareAll(o Stamp) int {
	if c := s.Compare(o); c != 0 {
		return c
	}
	return cmp.Compare(s.Seq, o.Seq)
}

// compareProvenance is the order of a row state's provenance table. The time
// comes last: it tells apart only forged entries.
func (s Stamp) compareProvenance(o Stamp) int {
	if c := s.Author.Compare(o.Author); c != 0 {
		return c
	}
	if c := cmp.Compare(s.Seq, o.Seq); c != 0 {
		return c
	}
	if c := s.ID.Compare(o.ID); c != 0 {
		return c
	}
	return cmp.Compare(s.Time, o.Time)
}
