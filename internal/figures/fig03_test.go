package figures

import (
	"bytes"
	"testing"

	"lightcone/memo"
	"lightcone/memo/memotest"
)

// Figure 3. One might think that Alice writes out the whole record F again, as
// F1. She emits a memo: an operation on F, and its causal descendant.
func TestFig03(t *testing.T) {
	d := memotest.Draw(t, `
		G -> F0@alice -> F1@alice

		F0: animals/F a=Fox b=Bear c="a long tail of other fields"
		F1: animals/F a=Wolf
	`)
	f0, f1 := d.Memo("F0"), d.Memo("F1")

	t.Run("F1 descends from F0", func(t *testing.T) {
		if f1.Prev != f0.ID() || f1.Time <= f0.Time {
			t.Errorf("F1 links to %q at %s, want F0 and a later time than %s", d.Name(f1.Prev), f1.Time, f0.Time)
		}
	})
	t.Run("F1 holds the delta only", func(t *testing.T) {
		row := f1.Body.(*memo.Edit).Topics[0].Rows[0]
		if row.Tombstone || len(row.Deltas) != 1 || row.Deltas[0].Field != "a" {
			t.Errorf("F1 does %+v", row)
		}
		enc, err := f1.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(enc, []byte("Bear")) || bytes.Contains(enc, []byte("tail")) {
			t.Error("F1 carries fields that it does not change")
		}
	})
	t.Run("the state is a projection of both", func(t *testing.T) {
		alice, bob := two(t, d)
		alice.hears("G")
		alice.writes("F0")
		alice.writes("F1")
		want(t, "Alice", alice, "animals/F", "a=Wolf b=Bear c=a long tail of other fields")

		// Bob hears of F1 alone. It is no record, so he has nothing to show for it;
		// he knows what it is an operation on, and asks for that.
		bob.hears("G")
		if res := bob.hears("F1"); len(res.Orphans) != 1 || d.Name(res.Orphans[0].ID) != "F0" {
			t.Errorf("Bob wants %v, not F0", res.Orphans)
		}
		want(t, "Bob", bob, "animals/F", "nothing")
		bob.hears("F0")
		agree(t, alice, bob)
	})
	t.Run("F0 is what it was", func(t *testing.T) {
		alice, bob := two(t, d)
		alice.hears("G", "F0", "F1")
		bob.hears("G", "F0")
		want(t, "Bob", bob, "animals/F", "a=Fox b=Bear c=a long tail of other fields")
		enc, err := f0.Encode()
		if err != nil || memo.Sum(enc) != f0.ID() {
			t.Errorf("F0 changed when F1 was made (%v)", err)
		}
	})
}
