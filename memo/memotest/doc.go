// Package memotest draws memos: a test shows its DAG as a picture, and gets real
// memos, keys, seals and runs for it.
//
//	d := memotest.Draw(t, `
//	    G -> A1@alice -> A2@alice
//	         | -> B1@bob
//	    A2, B1 -> C1
//
//	    A1: animals/11 name=Cat legs=4
//	    B1: animals/11 -name ; animals/12 name="Polar Bear"
//	    C1: animals/11 !
//	`)
//
// # Arrows
//
// A -> B says that A is a direct cause of B. Lists fan out and in: A, B -> C, D
// draws four arrows. A bar repeats the name that stands above it in the line
// before, bars included. A => B is an arrow too, between memos of one author
// that share a run; every other memo is a run of its own. A comment starts with
// two slashes.
//
// The first name is the genesis, the only memo without a cause. All the rest of
// a memo follows from the arrows: Prev and Seq from its author's memo before,
// which must be in its past, for this package draws no forks; Deps from its
// other causes, one by author, the newest. A first memo also depends on the
// genesis, as it must, without an arrow.
//
// # Authors and clocks
//
// A name is letters, then digits. Its author is called by its letters, so A1 and
// A2 are of one, unless a mention of it adds @author. An author's name always has
// the same key.
//
// The n-th name of a drawing is written at n ms, or a tick after its latest cause
// if that is later: of two concurrent memos the one drawn later wins. A line such
// as "B1 at 70: …" sets the milliseconds, right or wrong: a clock drawn behind its
// causes stays there.
//
// # Edits
//
// "NAME: topic/row CHANGE… ; topic/row CHANGE…" is what the memo does:
//
//	field=value   writes a register; the field may be empty
//	-field        deletes it
//	!             is the row's tombstone
//
// A value is an integer, true, false, null, "a quoted text" or else a text without
// blanks. A memo without such a line says nothing but its causes: a memo.Join. "NAME:
// ping" makes it a memo.Ping, whose arrows from other authors are its refs.
//
// Draw ends the test on a bad drawing and names the line; Parse returns an error.
// Methods that take names panic on one that is not drawn.
package memotest
