package figures

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/memo/memotest"
)

// interpret is the naive interpreter: the encoded state of every row, and the keys
// of the live ones, from the set of all memos at once, by the rules and the format
// as DESIGN.md §4 tells them. It shares no code with package merge.
func interpret(t memotest.TB, memos []*memo.Memo) (states map[string]string, live []string) {
	t.Helper()
	edits := map[string][]edited{}
	for _, m := range memos {
		e, ok := m.Body.(*memo.Edit)
		if !ok {
			continue
		}
		for _, topic := range e.Topics {
			for _, row := range topic.Rows {
				key := topic.Topic + "\x00" + string(row.Row)
				edits[key] = append(edits[key], edited{m, row})
			}
		}
	}
	states, live = map[string]string{}, []string{}
	for key, es := range edits {
		row, isLive := fold(es)
		state, err := memo.Marshal(row)
		if err != nil {
			t.Fatalf("%v", err)
		}
		states[key] = string(state)
		if isLive {
			live = append(live, key)
		}
	}
	slices.Sort(live)
	return states, live
}

// edited is one memo's edit of a row.
type edited struct {
	memo *memo.Memo
	edit memo.RowEdit
}

// stamp orders memos by (time, author, digest).
func stamp(a, b *memo.Memo) int {
	return cmp.Or(
		cmp.Compare(a.Time, b.Time),
		bytes.Compare(a.Author[:], b.Author[:]),
		bytes.Compare(idBytes(a), idBytes(b)),
	)
}

func idBytes(m *memo.Memo) []byte {
	id := m.ID()
	return id[:]
}

// fold returns the row state [provenance, tombstone, cell, …] for Marshal, and
// whether a field is set in it.
func fold(es []edited) (state []any, live bool) {
	slices.SortFunc(es, func(a, b edited) int { return stamp(a.memo, b.memo) })
	// The last tombstone drops all that was written before it; of the rest, every
	// field keeps its last write. One sweep in the order of stamps does both.
	var tombstone *memo.Memo
	type write struct {
		by *memo.Memo
		op memo.Op
	}
	last := map[string]write{}
	for _, e := range es {
		if e.edit.Tombstone {
			tombstone = e.memo
			clear(last)
		}
		for _, d := range e.edit.Deltas {
			last[d.Field] = write{e.memo, d.Op}
		}
	}
	used := map[*memo.Memo]bool{}
	if tombstone != nil {
		used[tombstone] = true
	}
	for _, w := range last {
		used[w.by] = true
	}
	table := slices.SortedFunc(maps.Keys(used), func(a, b *memo.Memo) int {
		return cmp.Or(bytes.Compare(a.Author[:], b.Author[:]), cmp.Compare(a.Seq, b.Seq), bytes.Compare(idBytes(a), idBytes(b)))
	})
	provenance := []any{}
	for _, m := range table {
		provenance = append(provenance, []any{m.Author, m.Seq, m.ID(), m.Time})
	}
	state = []any{provenance, nil}
	if tombstone != nil {
		state[1] = slices.Index(table, tombstone)
	}
	for _, f := range slices.Sorted(maps.Keys(last)) {
		cell := []any{memo.Bytes(f), memo.Register, slices.Index(table, last[f].by), 0}
		if last[f].op.Set {
			cell[3], live = 1, true
			cell = append(cell, last[f].op.Value)
		}
		state = append(state, cell)
	}
	return state, live
}
