package merge_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// fold joins the deltas of a history in arrival order.
func fold(t interface{ Fatal(...any) }, ws []mergetest.Write) merge.Row {
	ds, err := mergetest.Deltas(ws)
	if err != nil {
		t.Fatal(err)
	}
	var row merge.Row
	for _, d := range ds {
		row = merge.Join(row, d)
	}
	return row
}

// rows is the lattice of rows that come from the given histories.
func rows(histories *rapid.Generator[[]mergetest.Write]) mergetest.Lattice[merge.Row] {
	return mergetest.Lattice[merge.Row]{
		Element: rapid.Custom(func(t *rapid.T) merge.Row {
			return fold(t, histories.Draw(t, "history"))
		}),
		Deltas: rapid.Custom(func(t *rapid.T) []merge.Row {
			ds, err := mergetest.Deltas(histories.Draw(t, "history"))
			if err != nil {
				t.Fatal(err)
			}
			return ds
		}),
		Join:     merge.Join,
		Includes: merge.Row.Includes,
		Encode:   merge.Row.Encode,
	}
}

// TestRowLaws runs the laws for the rows of each cell type and of all together.
func TestRowLaws(t *testing.T) {
	for _, of := range mergetest.CellTypes {
		t.Run(fmt.Sprintf("type %d", of), func(t *testing.T) { mergetest.Laws(t, rows(mergetest.Histories(of))) })
	}
	t.Run("all", func(t *testing.T) { mergetest.Laws(t, rows(mergetest.Histories())) })
}

// What the generator draws is valid, or the laws would prove nothing.
func TestHistoriesAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, w := range rapid.OneOf(mergetest.Histories(), mergetest.Heavy()).Draw(t, "history") {
			if _, err := memo.New(memo.Memo{
				Space: memo.SpaceID{1}, Author: w.Stamp.Author, Seq: w.Stamp.Seq + 1, Prev: memo.ID{1}, Time: w.Stamp.Time,
				Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{w.Edit}}}},
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A lying peer can claim different writes, seqs and times for one digest. The
// result is its lie, but never a matter of order.
func TestRowLawsHoldForForgedStates(t *testing.T) {
	forged := rapid.Map(mergetest.Histories(), func(ws []mergetest.Write) []mergetest.Write {
		ws = slices.Clone(ws)
		for i := range ws {
			s := &ws[i].Stamp
			*s = merge.Stamp{Author: mergetest.Author(1), Seq: s.Seq, ID: memo.ID{1 + s.ID[0]%2}}
		}
		return ws
	})
	mergetest.Laws(t, rows(forged))
}

// Concurrent values must never be resolved by arrival order, and no detour
// through partial states may hide a concurrent branch (FIGURES.md, the faults
// of the original).
func TestArrivalOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ws := mergetest.Histories().Draw(t, "history")
		want := encode(t, mergetest.Naive(ws))

		arrived := slices.Concat(ws, ws[:rapid.IntRange(0, len(ws)).Draw(t, "duplicates")])
		arrived = rapid.Permutation(arrived).Draw(t, "order")
		if got := encode(t, fold(t, arrived)); !bytes.Equal(got, want) {
			t.Fatalf("one by one:\n%x\nnaive:\n%x", got, want)
		}
		if got := encode(t, merged(t, arrived)); !bytes.Equal(got, want) {
			t.Fatalf("by parts:\n%x\nnaive:\n%x", got, want)
		}
	})
}

// merged joins the writes as replicas do that each take in a part of them and
// then meet in pairs, in any order, until one has seen all the others.
func merged(t *rapid.T, ws []mergetest.Write) merge.Row {
	parts := make([][]mergetest.Write, rapid.IntRange(1, 5).Draw(t, "parts"))
	for _, w := range ws {
		i := rapid.IntRange(0, len(parts)-1).Draw(t, "part")
		parts[i] = append(parts[i], w)
	}
	replicas := make([]merge.Row, len(parts))
	for i, part := range parts {
		replicas[i] = fold(t, part)
	}
	for range rapid.IntRange(0, 6).Draw(t, "meetings") {
		i, j := rapid.IntRange(0, len(parts)-1).Draw(t, "one"), rapid.IntRange(0, len(parts)-1).Draw(t, "other")
		replicas[i] = merge.Join(replicas[i], replicas[j])
	}
	var all merge.Row
	for _, i := range rapid.Permutation(indices(len(parts))).Draw(t, "last") {
		all = merge.Join(replicas[i], all)
	}
	return all
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestRowStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := fold(t, mergetest.Histories().Draw(t, "history"))
		enc := encode(t, row)
		back, err := merge.DecodeRow(enc)
		if err != nil {
			t.Fatalf("%x: %v", enc, err)
		}
		if !bytes.Equal(encode(t, back), enc) || !back.Includes(row) || !row.Includes(back) {
			t.Fatalf("%x came back as another row", enc)
		}
	})
}

func encode(t interface{ Fatal(...any) }, r merge.Row) []byte {
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
