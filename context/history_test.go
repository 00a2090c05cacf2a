package causal_test

import (
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
)

// history is a random DAG of real memos, and of each the cut that is its past.
type history struct {
	memos []*memo.Memo // causes first
	cuts  map[memo.ID]memo.Vector
	trees causal.Trees
	kept  blocks
}

// blocks is a store of blocks in memory.
type blocks map[memo.ID][]byte

func (b blocks) PutBlock(id memo.ID, data []byte) error {
	b[id] = data
	return nil
}

func (b blocks) Block(id memo.ID) ([]byte, error) {
	if data, ok := b[id]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no block %s", id)
}

func author(i int) memo.Author { return memo.Author(memo.Sum([]byte{'a', byte(i), byte(i >> 8)})) }

// newHistory makes a genesis. Trees are small, so that few rows make many nodes.
func newHistory() *history {
	genesis := must(memo.New(memo.Memo{
		Author: author(0), Seq: 1, Time: 1,
		Body: &memo.Genesis{Name: "drawn", W: 2, M: 8, D: 2, Rho: memo.DefaultRho},
	}))
	h := &history{cuts: map[memo.ID]memo.Vector{}, kept: blocks{}}
	space := genesis.SpaceID()
	h.trees = causal.Trees{Params: merge.Params{Space: space, W: 2, M: 8, D: 2}, Get: h.kept, Put: h.kept}
	h.add(genesis)
	return h
}

// drawHistory makes n memos by some authors, who see a few heads of others each
// time.
func drawHistory(t *rapid.T, n int) *history {
	h := newHistory()
	genesis, space := h.memos[0], h.trees.Params.Space
	authors := rapid.IntRange(1, 8).Draw(t, "authors")
	heads := map[memo.Author]*memo.Memo{genesis.Author: genesis}
	for range n {
		a := author(rapid.IntRange(0, authors-1).Draw(t, "author"))
		m := memo.Memo{Space: space, Author: a, Seq: 1, Body: memo.Join{}}
		past := []*memo.Memo{}
		if prev := heads[a]; prev != nil {
			m.Seq, m.Prev = prev.Seq+1, prev.ID()
			past = append(past, prev)
		} else {
			m.Deps, past = append(m.Deps, genesis.Head()), append(past, genesis)
		}
		for range rapid.IntRange(0, 2).Draw(t, "causes") {
			c := h.memos[rapid.IntRange(0, len(h.memos)-1).Draw(t, "cause")]
			if c.Author != a && !slices.ContainsFunc(m.Deps, func(d memo.Head) bool { return d.Author == c.Author }) {
				m.Deps, past = append(m.Deps, c.Head()), append(past, c)
			}
		}
		memo.SortDeps(m.Deps)
		if rapid.IntRange(0, 4).Draw(t, "kind") > 0 {
			m.Body = drawEdit(t)
		}
		for _, c := range past {
			m.Time = max(m.Time, c.Time)
		}
		m.Time = memo.Next(rapid.Uint64Range(1, 3).Draw(t, "ms"), m.Time)
		made := must(memo.New(m))
		h.add(made, past...)
		heads[a] = made
	}
	return h
}

// drawEdit writes, deletes or clears some of few rows.
func drawEdit(t *rapid.T) *memo.Edit {
	rows := rapid.SliceOfNDistinct(rapid.IntRange(0, 30), 1, 3, rapid.ID[int]).Draw(t, "rows")
	slices.Sort(rows)
	topic := memo.TopicEdit{Topic: "t"}
	for _, r := range rows {
		e := memo.RowEdit{Row: memo.Bytes(fmt.Sprintf("%02d", r)), Tombstone: rapid.IntRange(0, 9).Draw(t, "!") == 0}
		op := memo.Op{Set: true, Value: memo.Int(rapid.Int64Range(0, 99).Draw(t, "value"))}
		e.Deltas = []memo.Delta{{Field: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "field"), Op: op}}
		topic.Rows = append(topic.Rows, e)
	}
	return &memo.Edit{Topics: []memo.TopicEdit{topic}}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (h *history) add(m *memo.Memo, past ...*memo.Memo) {
	var cut memo.Vector
	for _, c := range past {
		cut.Join(h.cuts[c.ID()])
	}
	cut.Set(memo.Mark{Head: m.Head(), Time: m.Time})
	h.memos, h.cuts[m.ID()] = append(h.memos, m), cut
}

// drawHead picks a memo.
func (h *history) drawHead(t *rapid.T) *memo.Memo {
	return h.memos[rapid.IntRange(0, len(h.memos)-1).Draw(t, "head")]
}

// in returns the memos of a cut.
func (h *history) in(cut memo.Vector) (out []*memo.Memo) {
	for _, m := range h.memos {
		if cut.Covers(m.Author, m.Seq) {
			out = append(out, m)
		}
	}
	return out
}

// rows is the state that memos make, encoded, by row key: without any tree.
func rows(t fataler, memos []*memo.Memo, state map[string]merge.Row) map[string]string {
	t.Helper()
	for _, m := range memos {
		e, ok := m.Body.(*memo.Edit)
		if !ok {
			continue
		}
		for _, topic := range e.Topics {
			for _, r := range topic.Rows {
				delta, err := merge.Delta(merge.StampOf(m), r)
				if err != nil {
					t.Fatalf("%v", err)
				}
				key := merge.RowKey(topic.Topic, string(r.Row))
				state[key] = merge.Join(state[key], delta)
			}
		}
	}
	out := map[string]string{}
	for key, row := range state {
		b, err := row.Encode()
		if err != nil {
			t.Fatalf("%v", err)
		}
		out[key] = string(b)
	}
	return out
}

// projected is the state of a context: its root's rows and its tail joined in.
func (h *history) projected(t fataler, qc causal.Context) map[string]string {
	t.Helper()
	state := map[string]merge.Row{}
	if !qc.Root.IsZero() {
		root, err := merge.DecodeRoot(must(h.kept.Block(qc.Root)))
		if err != nil {
			t.Fatalf("%v", err)
		}
		for r, err := range merge.StateRows(h.trees.Params, h.kept, root.State, "") {
			if err != nil {
				t.Fatalf("%v", err)
			}
			state[r.Key] = r.Row
		}
	}
	tail, err := qc.Tail(h.memos)
	if err != nil {
		t.Fatalf("the tail of %v: %v", qc, err)
	}
	return rows(t, tail.Memos, state)
}

// rootOf is the root of a cut, built in one go.
func (h *history) rootOf(t fataler, cut memo.Vector) memo.ID {
	t.Helper()
	state := rows(t, h.in(cut), map[string]merge.Row{})
	r := merge.Root{Params: h.trees.Params}
	var err error
	r.State, err = merge.BuildState(r.Params, func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(state)) {
			if !yield(merge.KeyedRow{Key: key, State: []byte(state[key])}, nil) {
				return
			}
		}
	}, nil)
	if err == nil {
		r.Vector, err = merge.BuildVector(r.Params, cut, nil)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return memo.Sum(must(r.Encode()))
}

// check compares a context with the cut that it is to hold.
func (h *history) check(t fataler, what string, qc causal.Context, want memo.Vector) {
	t.Helper()
	for _, m := range h.in(qc.Below) { // closed under causes
		if !qc.Below.CoversAll(h.cuts[m.ID()]) {
			t.Fatalf("%s: the root covers %s and not all of its causes", what, m.Head())
		}
	}
	for i, head := range qc.Loose {
		if qc.Below.Covers(head.Author, head.Seq) || i > 0 && qc.Loose[i-1].Author.Compare(head.Author) >= 0 {
			t.Fatalf("%s: loose head %s is below the root or out of order", what, head)
		}
	}
	if got := h.vector(t, qc); !got.CoversAll(want) || !want.CoversAll(got) || got.Hint() != want.Hint() {
		t.Fatalf("%s: the cut is %v, want %v", what, slices.Collect(got.All()), slices.Collect(want.All()))
	}
	if !qc.Root.IsZero() && qc.Root != h.rootOf(t, qc.Below) {
		t.Fatalf("%s: root %s is not that of what it covers", what, qc.Root)
	}
	if got, want := h.projected(t, qc), rows(t, h.in(want), map[string]merge.Row{}); !maps.Equal(got, want) {
		t.Fatalf("%s: the state is %q, want %q", what, got, want)
	}
}

// vector is the whole cut of a context.
func (h *history) vector(t fataler, qc causal.Context) (v memo.Vector) {
	t.Helper()
	tail, err := qc.Tail(h.memos)
	if err != nil {
		t.Fatalf("the tail of %v: %v", qc, err)
	}
	v.Join(qc.Below)
	for _, m := range tail.Memos {
		var one memo.Vector
		one.Set(memo.Mark{Head: m.Head(), Time: m.Time})
		v.Join(one)
	}
	return v
}
