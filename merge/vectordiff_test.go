package merge_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// TestDiffVectorIsWhatDiffers compares with both vectors read whole; a tree whose
// keys are no authors is refused.
func TestDiffVectorIsWhatDiffers(t *testing.T) {
	p := testParams()
	rapid.Check(t, func(t *rapid.T) {
		b := blocks{}
		var x, y memo.Vector
		for i := range rapid.IntRange(0, 400).Draw(t, "authors") {
			mark := memo.Mark{Head: memo.Head{Author: memo.Author(memo.Sum([]byte{byte(i), byte(i >> 8)})), Seq: 1, ID: memo.ID{1}}, Time: 7}
			in := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 2, 3, 4}).Draw(t, "in")
			if in != 1 {
				x.Set(mark)
			}
			if in == 3 {
				mark.Seq++
			}
			if in == 4 {
				mark.ID = memo.ID{2}
			}
			if in != 2 {
				y.Set(mark)
			}
		}
		a, errA := merge.BuildVector(p, x, b)
		c, errC := merge.BuildVector(p, y, b)
		if err := errors.Join(errA, errC); err != nil {
			t.Fatal(err)
		}
		got := map[memo.Author]merge.VectorDifference{}
		for d, err := range merge.DiffVector(p, b, a, c) {
			if err != nil {
				t.Fatal(err)
			}
			got[d.Old.Author] = d
		}
		all := x.Clone()
		all.Join(y)
		for m := range all.All() {
			old, _ := x.Get(m.Author)
			new, _ := y.Get(m.Author)
			old.Author, new.Author = m.Author, m.Author
			d, differs := got[m.Author]
			if want := old.Head != new.Head; want != differs || want && (d.Old != old || d.New != new) {
				t.Fatalf("author %s: %+v, want %+v and %+v", m.Author, d, old, new)
			}
		}
	})
	b := blocks{}
	root, err := merge.Build(p, entriesOf(valued([]string{"short"})), b)
	empty, errE := merge.BuildVector(p, memo.Vector{}, b)
	if err := errors.Join(err, errE); err != nil {
		t.Fatal(err)
	}
	for _, err := range merge.DiffVector(p, b, empty, root) {
		if !errors.Is(err, memo.ErrMalformed) {
			t.Fatalf("keys that are no authors: %v", err)
		}
	}
}
