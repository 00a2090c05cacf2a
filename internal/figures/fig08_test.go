package figures

import (
	"testing"

	"lightcone/memo"
	"lightcone/memo/memotest"
)

// In figures 8 and 9 nobody makes parents: an edit is one leaf memo, added
// directly to the context of who made it.
const leaves = `
	G -> A0@zoe -> C1@alice -> F1@alice
	     |      -> E1@bob -> F2@bob

	A0: animals/C name=Crow ; animals/E name=Eel ; animals/F a=Fox b=Bear
	C1: animals/C name=Cat
	F1: animals/F b=Cat
	E1: animals/E name=Emu
	F2: animals/F a=Panda
`

// apart is Alice and Bob after two edits each, before they meet.
func apart(t *testing.T, d *memotest.DAG) (alice, bob *peer) {
	t.Helper()
	alice, bob = two(t, d)
	alice.hears("G", "A0")
	bob.hears("G", "A0")
	alice.writes("C1")
	alice.writes("F1")
	bob.writes("E1")
	bob.writes("F2")
	return alice, bob
}

// memosOf counts the memos that p holds.
func memosOf(p *peer) (n uint64) {
	for mark := range p.cut().Vector().All() {
		n += mark.Seq
	}
	return n
}

// Figure 8. The creation of parent memos is skipped.
func TestFig08(t *testing.T) {
	alice, bob := apart(t, memotest.Draw(t, leaves))
	for who, p := range map[string]*peer{"Alice": alice, "Bob": bob} {
		// The genesis, A0 and two edits: one memo an edit, for three rows of one tree.
		if n := memosOf(p); n != 4 {
			t.Errorf("%s holds %d memos, want 4", who, n)
		}
		if p.qc.Root != (memo.ID{}) {
			t.Errorf("%s's context has a root, and nobody made one", who)
		}
	}
	// The context holds what nothing else in it links to, as loose leaves.
	holds(t, "Alice", alice, "F1")
	holds(t, "Bob", bob, "F2")
	// At query time the procedure is the same as before.
	want(t, "Alice", alice, "animals/C", "name=Cat")
	want(t, "Alice", alice, "animals/F", "a=Fox b=Cat")
	want(t, "Bob", bob, "animals/C", "name=Crow")
	want(t, "Bob", bob, "animals/F", "a=Panda b=Bear")
}

// Figure 9. They exchange contexts and project the same state again, from all
// memos in the context, directly there or by reference.
func TestFig09(t *testing.T) {
	d := memotest.Draw(t, leaves)
	alice, bob := apart(t, d)
	exchange(alice, bob)
	for who, p := range map[string]*peer{"Alice": alice, "Bob": bob} {
		holds(t, who, p, "F1", "F2")
		if n := memosOf(p); n != 6 {
			t.Errorf("%s holds %d memos, want 6: meeting makes none", who, n)
		}
		if !p.cut().Covers(d.Memo("C1").Head()) || !p.cut().Covers(d.Memo("E1").Head()) {
			t.Errorf("%s lacks what the leaves refer to", who)
		}
		want(t, who, p, "animals/C", "name=Cat")
		want(t, who, p, "animals/E", "name=Emu")
		want(t, who, p, "animals/F", "a=Panda b=Cat")
	}
	agree(t, alice, bob)
	if s := alice.token().String(); len(s) > 200 {
		t.Errorf("the context of this conversation takes %d characters", len(s))
	}
}
