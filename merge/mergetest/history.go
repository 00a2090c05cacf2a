package mergetest

import (
	"fmt"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// Write is what one memo does to the row under test.
type Write struct {
	Stamp merge.Stamp
	Edit  memo.RowEdit
}

// The generator draws from few names so that writes meet: two memos of one
// author with one seq are a fork, equal times are ordered by author.
const (
	authors   = 3
	seqs      = 4
	times     = 5
	fields    = 4
	maxWrites = 8
)

// Histories generates the writes of a few authors to one row, in arrival order.
// Equal stamps mean equal writes, as digests promise.
func Histories() *rapid.Generator[[]Write] {
	return rapid.SliceOfN(writes(), 0, maxWrites)
}

func writes() *rapid.Generator[Write] {
	return rapid.Custom(func(t *rapid.T) Write {
		w := Write{
			Stamp: merge.Stamp{
				Time:   memo.Time(rapid.Uint64Range(0, times).Draw(t, "time")),
				Author: Author(rapid.IntRange(1, authors).Draw(t, "author")),
				Seq:    rapid.Uint64Range(1, seqs).Draw(t, "seq"),
			},
			Edit: memo.RowEdit{Row: "row", Tombstone: rapid.IntRange(0, 3).Draw(t, "tombstone") == 0},
		}
		for i := range fields {
			switch rapid.IntRange(0, 3).Draw(t, "delta") {
			case 0, 1:
				continue
			case 2:
				w.Edit.Deltas = append(w.Edit.Deltas, memo.Delta{Field: field(i)})
			case 3:
				op := memo.Op{Set: true, Value: Values().Draw(t, "value")}
				w.Edit.Deltas = append(w.Edit.Deltas, memo.Delta{Field: field(i), Op: op})
			}
		}
		if len(w.Edit.Deltas) == 0 {
			w.Edit.Tombstone = true
		}
		w.Stamp.ID = memo.Sum(fmt.Appendf(nil, "%d %v %d %v", w.Stamp.Time, w.Stamp.Author, w.Stamp.Seq, w.Edit))
		return w
	})
}

// Author returns the n-th author of the tests.
func Author(n int) memo.Author { return memo.Author(memo.Sum([]byte{'a', byte(n)})) }

// field names include the empty one, the field of plain key-value data.
func field(i int) string { return "cba"[:i%4] }

// Values generates values of every kind a register holds.
func Values() *rapid.Generator[memo.Value] {
	return rapid.OneOf(
		rapid.Just(memo.Null()),
		rapid.Map(rapid.Bool(), memo.Bool),
		rapid.Map(rapid.Int64(), memo.Int),
		rapid.Map(rapid.Float64(), func(f float64) memo.Value {
			v, err := memo.Float(f)
			if err != nil {
				return memo.Null()
			}
			return v
		}),
		rapid.Map(rapid.String(), func(s string) memo.Value {
			v, err := memo.Text(s)
			if err != nil {
				return memo.Blob([]byte(s))
			}
			return v
		}),
		rapid.Map(rapid.SliceOf(rapid.Byte()), memo.Blob),
	)
}

// Deltas returns the writes as elements of the lattice.
func Deltas(ws []Write) ([]merge.Row, error) {
	out := make([]merge.Row, len(ws))
	for i, w := range ws {
		var err error
		if out[i], err = merge.Delta(w.Stamp, w.Edit); err != nil {
			return nil, err
		}
	}
	return out, nil
}
