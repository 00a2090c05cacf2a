package figures

import (
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
)

// In figure 14 the index A0 = {0: B0, 1: C0} is known to all. Alice, who knows X's
// second ping, edits B; Bob, who knows Y's first, edits C.
const crossing = `
	G -> B0@zoe -> C0@zoe -> X1 -> X2 -> B1@alice
	               |      -> Y1 -> C1@bob

	B0: animals/0 sound=Bark
	C0: animals/1 sound=Chirp
	B1: animals/0 sound=Woof
	C1: animals/1 sound=Tweet
`

// indexed is Alice and Bob before they cross: both have A0, each merges the index of
// their own edit into it.
func indexed(t *testing.T, d *memotest.DAG) (alice, bob *peer, a0, a3, a4 merge.Root) {
	t.Helper()
	alice, bob = two(t, d)
	roots := map[*peer]merge.Root{}
	for p, knows := range map[*peer][]string{alice: {"X1", "X2", "B1"}, bob: {"Y1", "C1"}} {
		p.hears("G", "B0", "C0")
		before, _ := p.folds(nil)
		if a0 != (merge.Root{}) && before != a0 {
			t.Fatalf("there are two A0: %+v and %+v", a0, before)
		}
		a0 = before
		p.hears(knows[:len(knows)-1]...)
		p.writes(knows[len(knows)-1])
		roots[p] = p.merges(a0, p.indexes(knows...))
		if all, _ := p.folds(nil); all != roots[p] {
			t.Errorf("the merged root is %+v, that of all memos %+v", roots[p], all)
		}
	}
	return alice, bob, a0, roots[alice], roots[bob]
}

// Figure 14. Each indexes their own edit, merges that with A0, and then they cross:
//
//	Alice: A1 = {0:B1} -> A3 = {0:B1, 1:C0} -.
//	                     /                    \
//	  A0 = {0:B0, 1:C0} <                      > A5 = {0:B1, 1:C1}
//	                     \                    /
//	Bob:   A2 = {1:C1} -> A4 = {0:B0, 1:C1} -´
//
// Both reach the identical A5 by either crossing, edits or keyframes.
func TestFig14(t *testing.T) {
	d := memotest.Draw(t, crossing)
	type crossed func(p, q *peer, mine, theirs merge.Root, edits ...string) merge.Root
	edits := func(p, _ *peer, mine, _ merge.Root, edits ...string) merge.Root {
		p.hears(edits...)
		r, _ := p.folds(&mine, edits...)
		return r
	}
	index := func(p, _ *peer, mine, _ merge.Root, edits ...string) merge.Root {
		p.hears(edits...)
		return p.merges(p.indexes(edits...), mine)
	}
	keyframes := func(p, q *peer, mine, theirs merge.Root, _ ...string) merge.Root {
		p.fetches(q, theirs, mine)
		return p.merges(mine, theirs)
	}
	both := func(p, q *peer, mine, theirs merge.Root, es ...string) merge.Root {
		return keyframes(p, q, edits(p, q, mine, theirs, es...), theirs)
	}
	ways := map[string]crossed{"edits": edits, "the index of edits": index, "keyframes": keyframes, "edits and keyframes": both}
	for name, way := range ways {
		for other, back := range ways {
			t.Run(name+", "+other, func(t *testing.T) {
				alice, bob, a0, a3, a4 := indexed(t, d)
				reads(t, alice, alice.under(a3), "0", "sound=Woof")
				reads(t, alice, alice.under(a3), "1", "sound=Chirp")
				reads(t, bob, bob.under(a4), "0", "sound=Bark")
				reads(t, bob, bob.under(a4), "1", "sound=Tweet")

				ours := way(alice, bob, a3, a4, "Y1", "C1")
				theirs := back(bob, alice, a4, a3, "X1", "X2", "B1")
				if alice.rootBytes(ours) != bob.rootBytes(theirs) {
					t.Fatalf("Alice's A5 is %+v, Bob's %+v", ours, theirs)
				}
				for _, p := range []*peer{alice, bob} {
					reads(t, p, p.under(ours), "0", "sound=Woof")
					reads(t, p, p.under(ours), "1", "sound=Tweet")
					reads(t, p, p.under(a0), "0", "sound=Bark")
				}
				if !slices.Equal(alice.reached(ours), bob.reached(theirs)) {
					t.Error("Alice's A5 and Bob's have not the same blocks")
				}
				naively(t, d, ours)
			})
		}
	}
}

// naively demands that a root is that of all memos by the naive interpreter.
func naively(t *testing.T, d *memotest.DAG, r merge.Root) {
	t.Helper()
	var memos []*memo.Memo
	for _, name := range d.Names() {
		memos = append(memos, d.Memo(name))
	}
	states, _ := interpret(t, memos)
	vector, err := merge.BuildVector(r.Params, d.Cut(d.Names()...), nil)
	if err != nil || r.Vector != vector || r.State != digestOf(t, d, states) {
		t.Errorf("the root is %+v, want vector %s and state %s (%v)", r, vector, digestOf(t, d, states), err)
	}
}
