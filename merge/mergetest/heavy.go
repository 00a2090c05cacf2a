package mergetest

import (
	"slices"

	"pgregory.net/rapid"

	"lightcone/memo"
)

// What makes a history heavy: bytes that every value gets, and elements that every
// operation adds to a set besides.
var (
	paddings = []int{100, 2000, 8000}
	elements = []int{0, 40, maxElements}
)

const maxElements = 200

// Heavy generates what Histories does, but with values and sets so large that the
// states of many rows are beyond merge.MaxRowBlock and many are not, and that some
// memos take a row from one to the other.
func Heavy(types ...memo.CellType) *rapid.Generator[[]Write] {
	return rapid.Custom(func(t *rapid.T) []Write {
		h := weights{
			padding:  rapid.SampledFrom(paddings).Draw(t, "padding"),
			elements: rapid.SampledFrom(elements).Draw(t, "elements"),
			renamed:  map[memo.ID]memo.ID{},
		}
		ws := drawWrites(t, 2, types)
		for i := range ws {
			ws[i] = h.heavier(ws[i])
		}
		return ws
	})
}

// weights is what the writes of a history get.
type weights struct {
	padding, elements int
	renamed           map[memo.ID]memo.ID // memos have other digests with it
}

func (h *weights) heavier(w Write) Write {
	w.Edit.Deltas = slices.Clone(w.Edit.Deltas)
	for i := range w.Edit.Deltas {
		d := &w.Edit.Deltas[i]
		switch o := d.Op.Operands.(type) {
		case nil:
			if d.Op.Set {
				d.Op.Value = h.padded(d.Op.Value)
			}
		case *memo.Count:
			count := *o
			if id, ok := h.renamed[o.Base.ID]; ok {
				count.Base.ID = id
			}
			d.Op.Operands = &count
		case *memo.Change:
			d.Op.Operands = h.change(d.Type, o)
		}
	}
	was := w.Stamp.ID
	w.seal()
	h.renamed[was] = w.Stamp.ID
	return w
}

func (h *weights) change(of memo.CellType, c *memo.Change) *memo.Change {
	out := &memo.Change{K: c.K}
	for _, v := range c.Add {
		out.Add = append(out.Add, h.padded(v))
	}
	if of == memo.Set && c.K > 0 && c.K < memo.MaxCount-maxElements-4 {
		for i := range h.elements {
			out.Add = append(out.Add, memo.Int(int64(i)))
		}
	}
	slices.SortFunc(out.Add, memo.Value.Compare)
	out.Add = slices.Compact(out.Add)
	for _, r := range c.Remove {
		r.Ks = slices.DeleteFunc(slices.Clone(r.Ks), func(k uint64) bool {
			return r.Author == (memo.Author{}) && k >= c.K && k < c.K+uint64(len(out.Add))
		})
		if len(r.Ks) > 0 {
			out.Remove = append(out.Remove, r)
		}
	}
	return out
}

// padded returns the bytes of v and zeros behind them.
func (h *weights) padded(v memo.Value) memo.Value {
	data, err := v.MarshalCBOR()
	if err != nil {
		panic(err) // a Value that exists always encodes
	}
	return memo.Blob(append(data, make([]byte, h.padding)...))
}
