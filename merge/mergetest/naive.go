package mergetest

import (
	"cmp"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
)

// Naive returns the state of the row after ws, by the rules as they are told
// (DESIGN §4) rather than by joining: all tombstones first, then all atoms, the
// dropped ones taken out, the last of each field kept.
func Naive(ws []Write) merge.Row {
	var row merge.Row
	for _, w := range ws {
		if w.Edit.Tombstone && older(row.Tombstone, w.Stamp) {
			row.Tombstone = w.Stamp
		}
	}
	type atom struct {
		stamp merge.Stamp
		delta memo.Delta
	}
	var atoms []atom
	for _, w := range ws {
		for _, d := range w.Edit.Deltas {
			if !older(w.Stamp, row.Tombstone) {
				atoms = append(atoms, atom{w.Stamp, d})
			}
		}
	}
	slices.SortStableFunc(atoms, func(a, b atom) int {
		switch {
		case older(a.stamp, b.stamp):
			return -1
		case older(b.stamp, a.stamp):
			return 1
		}
		return 0
	})
	last := map[string]atom{}
	for _, a := range atoms {
		last[a.delta.Field] = a
	}
	for f, a := range last {
		row.Cells = append(row.Cells, merge.Cell{
			Field:    f,
			Register: merge.Register{Stamp: a.stamp, Set: a.delta.Op.Set, Value: a.delta.Op.Value},
		})
	}
	slices.SortFunc(row.Cells, func(a, b merge.Cell) int { return strings.Compare(a.Field, b.Field) })
	return row
}

// older is the order of stamps, spelt out: time, author, digest.
func older(a, b merge.Stamp) bool {
	return cmp.Or(
		cmp.Compare(a.Time, b.Time),
		strings.Compare(string(a.Author[:]), string(b.Author[:])),
		strings.Compare(string(a.ID[:]), string(b.ID[:])),
	) < 0
}
