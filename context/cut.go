package causal

import (
	"bytes"

	"lightcone/memo"
)

// Cut is a causal cut written as a vector: every author's chain up to a head.
// The zero Cut is empty.
type Cut struct{ vector memo.Vector }

// NewCut returns the cut that v describes. v must not change afterwards.
func NewCut(v memo.Vector) Cut { return Cut{vector: v} }

// Vector returns the heads of the cut.
func (c Cut) Vector() memo.Vector { return c.vector }

// Covers reports whether the memo of the head is in the cut.
func (c Cut) Covers(h memo.Head) bool { return c.vector.Covers(h.Author, h.Seq) }

// Includes reports whether o ⊑ c.
func (c Cut) Includes(o Cut) bool { return c.vector.CoversAll(o.vector) }

// Context returns the context of everything in the cut.
func (c Cut) Context(space memo.SpaceID) Context {
	qc := Context{Space: space}
	for m := range c.vector.All() {
		qc.Loose = append(qc.Loose, m.Head)
	}
	return qc
}

// resolve finds the author whose key starts with prefix; two authors with the
// same first 8 bytes are told apart by who reaches seq.
func (c Cut) resolve(prefix [8]byte, seq uint64) (memo.Author, bool) {
	var best memo.Mark
	found := false
	for m := range c.vector.All() {
		if bytes.Equal(m.Author[:8], prefix[:]) && (!found || m.Seq > best.Seq) {
			best, found = m, true
		}
	}
	return best.Author, found && best.Seq >= seq
}
