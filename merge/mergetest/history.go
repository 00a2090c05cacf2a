package mergetest

import (
	"slices"

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
	fields    = 2
	maxWrites = 8
)

// CellTypes are the types of cells that histories write.
var CellTypes = []memo.CellType{memo.Register, memo.Multi, memo.Counter, memo.Set}

// Histories generates the writes of a few authors to one row, in arrival order,
// to cells of the given types, of all without one. Equal stamps mean equal writes,
// as digests promise. Beyond that, and the rules of validity, anything goes:
// authors are forked, number their operations as they like, and remove what they
// cannot have seen.
func Histories(types ...memo.CellType) *rapid.Generator[[]Write] {
	return rapid.Custom(func(t *rapid.T) []Write { return drawWrites(t, 0, types) })
}

// drawWrites draws a history of at least so many writes.
func drawWrites(t *rapid.T, least int, types []memo.CellType) (ws []Write) {
	for range rapid.IntRange(least, maxWrites).Draw(t, "writes") {
		ws = append(ws, drawWrite(t, types, ws))
	}
	return ws
}

// drawWrite draws a write that comes after those of past, not always knowing them.
func drawWrite(t *rapid.T, types []memo.CellType, past []Write) Write {
	w := Write{
		Stamp: merge.Stamp{
			Time:   memo.Time(rapid.Uint64Range(0, times).Draw(t, "time")),
			Author: Author(rapid.IntRange(1, authors).Draw(t, "author")),
			Seq:    rapid.Uint64Range(1, seqs).Draw(t, "seq"),
		},
	}
	var seen []merge.Stamp
	for _, p := range past {
		if p.Stamp.Time < w.Stamp.Time {
			seen = append(seen, p.Stamp)
		}
	}
	w.Edit = Edits(w.Stamp.Author, seen, types...).Draw(t, "edit")
	w.seal()
	return w
}

// Edits generates what a memo of author may do to cells of the given types, of all
// without one, in the row "row". Counters begin at one of the stamps in seen, which
// are earlier than the memo, or at none.
func Edits(author memo.Author, seen []merge.Stamp, types ...memo.CellType) *rapid.Generator[memo.RowEdit] {
	if len(types) == 0 {
		types = CellTypes
	}
	return rapid.Custom(func(t *rapid.T) memo.RowEdit {
		e := memo.RowEdit{Row: "row", Tombstone: rapid.IntRange(0, 3).Draw(t, "tombstone") == 0}
		for i := range fields {
			for _, of := range types {
				if rapid.IntRange(0, 2).Draw(t, "delta") == 0 {
					continue
				}
				d := memo.Delta{Field: field(i), Type: of}
				switch of {
				case memo.Register:
					if rapid.Bool().Draw(t, "set") {
						d.Op = memo.Op{Set: true, Value: Values().Draw(t, "value")}
					}
				case memo.Counter:
					d.Op.Operands = drawCount(t, e.Tombstone, seen)
				default:
					d.Op.Operands = drawChange(t, of, author)
				}
				e.Deltas = append(e.Deltas, d)
			}
		}
		if len(e.Deltas) == 0 {
			e.Tombstone = true
		}
		return e
	})
}

// seal gives w its digest, which depends on all that w says.
func (w *Write) seal() {
	data, err := memo.Marshal([]any{w.Stamp.Time, w.Stamp.Author, w.Stamp.Seq, w.Edit})
	if err != nil {
		panic(err) // an edit of plain values always encodes
	}
	w.Stamp.ID = memo.Sum(data)
}

// drawCount draws a count that begins at its own memo, if that clears the row, else
// at one of those seen or at none.
func drawCount(t *rapid.T, clears bool, seen []merge.Stamp) *memo.Count {
	few := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(0, memo.MaxCount))
	c := &memo.Count{
		K:    rapid.OneOf(rapid.Uint64Range(1, 3), rapid.Uint64Range(1, memo.MaxCount)).Draw(t, "k"),
		Plus: few.Draw(t, "plus"), Minus: few.Draw(t, "minus"),
	}
	if clears {
		c.Base.Own = true
		return c
	}
	if i := rapid.IntRange(-1, len(seen)-1).Draw(t, "base"); i >= 0 {
		c.Base = memo.Base{Time: seen[i].Time, Author: seen[i].Author, ID: seen[i].ID}
	}
	return c
}

// drawChange draws additions and removals of a multi or set by author.
func drawChange(t *rapid.T, of memo.CellType, author memo.Author) *memo.Change {
	dots := rapid.OneOf(rapid.Uint64Range(1, 6), rapid.Uint64Range(1, memo.MaxCount-4))
	c := &memo.Change{}
	most := 3
	if of == memo.Multi {
		most = 1
	}
	few := rapid.OneOf(rapid.Map(rapid.Int64Range(0, 3), memo.Int), Values())
	c.Add = rapid.SliceOfN(few, 0, most).Draw(t, "add")
	slices.SortFunc(c.Add, memo.Value.Compare)
	c.Add = slices.Compact(c.Add)
	if len(c.Add) > 0 {
		c.K = dots.Draw(t, "k")
	}
	for i := range authors {
		ks := rapid.SliceOfN(dots, 0, 3).Draw(t, "removed")
		of := Author(i + 1)
		if of == author {
			of = memo.Author{}
			ks = slices.DeleteFunc(ks, func(k uint64) bool { return k >= c.K && k < c.K+uint64(len(c.Add)) })
		}
		slices.Sort(ks)
		if ks = slices.Compact(ks); len(ks) > 0 {
			c.Remove = append(c.Remove, memo.Dots{Author: of, Ks: ks})
		}
	}
	slices.SortFunc(c.Remove, func(a, b memo.Dots) int { return a.Author.Compare(b.Author) })
	if len(c.Add) == 0 && len(c.Remove) == 0 {
		c.Remove = []memo.Dots{{Ks: []uint64{1}}}
	}
	return c
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
