package node

import (
	"testing"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// TestHoldsOnlyWhatNeedsNoSeal: a run is taken without a look at its seal only if its head
// is attached, as it is, and its author did not fork.
func TestHoldsOnlyWhatNeedsNoSeal(t *testing.T) {
	s := newSpace(t)
	n := s.node
	deliver := func(rs ...*memo.Run) {
		n.onOwner(t, func(o *owner) {
			if a := o.deliver(gossip.Deliver{Space: s.id, Runs: rs}); a.Bad != nil {
				t.Fatal(a.Bad)
			}
		})
	}
	w := newScribe(t, s, "w")
	first := w.edit(nil, "first")
	left, right := w.edit(first.Memos[0], "left"), w.edit(first.Memos[0], "right")
	check := func(when string, r *memo.Run, want bool) {
		t.Helper()
		if got := n.holds(s.id, r.Head()); got != want {
			t.Errorf("%s it holds memo %d: %v, want %v", when, r.Head().Seq, got, want)
		}
	}
	check("before it came", first, false)
	deliver(first)
	check("attached", first, true)
	deliver(left)
	check("attached", left, true)
	check("of another branch", right, false)
	if n.holds(memo.SpaceID{9}, first.Head()) {
		t.Error("it is held in a space that is not here")
	}
	deliver(right)
	check("of an author who forked", first, false)
	check("of an author who forked", left, false)
}
