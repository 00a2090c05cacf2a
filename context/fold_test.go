package causal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
)

// model is a context and the cut that it is to hold.
type model struct {
	qc  causal.Context
	cut memo.Vector
}

func drawBudget(t *rapid.T) causal.Budget {
	b := causal.Budget{Memos: rapid.IntRange(0, 12).Draw(t, "memos")}
	if rapid.Bool().Draw(t, "bounded") {
		b.Bytes = rapid.IntRange(1, 2000).Draw(t, "bytes")
	}
	return b
}

// Several contexts learn memos, are folded in full and in part, and are joined in
// any order. None of that changes what they hold: the cut, the vector, the state.
// Folded in full at the end each has the root of its cut, and the union of them
// the root of the union.
func TestFoldsAndJoinsChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, rapid.IntRange(1, 40).Draw(t, "n"))
		all := make([]model, 3)
		for i := range all {
			all[i].qc.Space = h.trees.Params.Space
		}
		for range rapid.IntRange(1, 14).Draw(t, "steps") {
			m := &all[rapid.IntRange(0, len(all)-1).Draw(t, "context")]
			what := rapid.SampledFrom([]string{"with", "with", "with", "fold", "part", "part", "join", "join trees"}).Draw(t, "step")
			h.step(t, what, m, all[rapid.IntRange(0, len(all)-1).Draw(t, "other")])
			h.check(t, what, m.qc, m.cut)
		}
		var union model
		union.qc.Space = h.trees.Params.Space
		for i, m := range all {
			h.step(t, "join", &union, m)
			h.step(t, "fold", &m, m)
			if len(m.qc.Loose) > 0 || !m.qc.IsEmpty() && m.qc.Root != h.rootOf(t, m.cut) {
				t.Fatalf("context %d folded in full is %v", i, m.qc)
			}
		}
		h.step(t, "fold", &union, union)
		h.check(t, "the union", union.qc, union.cut)
	})
}

// step does one thing to a context and to its model.
func (h *history) step(t *rapid.T, what string, m *model, other model) {
	before := h.memos
	var err error
	switch what {
	case "with":
		learnt := h.drawHead(t)
		m.qc = m.qc.With(learnt.Head())
		m.cut = union(m.cut, h.cuts[learnt.ID()])
	case "fold":
		m.qc, err = m.qc.Fold(h.trees, rapid.Permutation(before).Draw(t, "order"))
	case "part":
		b, was := drawBudget(t), m.qc
		m.qc, err = m.qc.FoldPart(h.trees, before, b)
		h.checkBudget(t, was, m.qc, b)
	case "join":
		m.qc, err = causal.Join(m.qc, other.qc)
		m.cut = union(m.cut, other.cut)
	case "join trees":
		m.qc, err = h.trees.Join(m.qc, other.qc)
		m.cut = union(m.cut, other.cut)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (h *history) checkBudget(t *rapid.T, was, is causal.Context, b causal.Budget) {
	x, y := must(was.Tail(h.memos)), must(is.Tail(h.memos))
	if n := len(x.Memos) - len(y.Memos); b.Memos > 0 && n > b.Memos || b.Bytes > 0 && x.Bytes-y.Bytes > b.Bytes {
		t.Fatalf("%d memos of %d bytes were folded, the budget is %+v", n, x.Bytes-y.Bytes, b)
	}
	if again := must(was.FoldPart(h.trees, h.memos, b)); !again.Equal(is) {
		t.Fatalf("the same fold twice gives %v and %v", is, again)
	}
	if b.Memos > 0 && b.Bytes == 0 && len(x.Memos) > 0 && len(x.Memos) == len(y.Memos) {
		t.Fatalf("nothing was folded of %d memos, the budget is %+v", len(x.Memos), b)
	}
}

func union(a, b memo.Vector) (out memo.Vector) {
	out.Join(a)
	out.Join(b)
	return out
}

// The laws of the join hold for contexts with roots.
func TestJoinLawsWithRoots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, 25)
		var qc [3]causal.Context
		for i := range qc {
			m := model{qc: causal.Context{Space: h.trees.Params.Space}}
			for range rapid.IntRange(0, 5).Draw(t, "steps") {
				h.step(t, rapid.SampledFrom([]string{"with", "part", "fold"}).Draw(t, "step"), &m, m)
			}
			qc[i] = m.qc
		}
		a, b, c := qc[0], qc[1], qc[2]
		same(t, "a∨b, b∨a", join(t, a, b), join(t, b, a))
		same(t, "(a∨b)∨c, a∨(b∨c)", join(t, join(t, a, b), c), join(t, a, join(t, b, c)))
		same(t, "a∨a, a", join(t, a, a), a)
		ab := join(t, a, b)
		for _, cut := range []memo.Vector{a.Below, h.vector(t, a), h.vector(t, b)} {
			var want []memo.Head
			for head := range ab.Heads() {
				if !cut.Covers(head.Author, head.Seq) {
					want = append(want, head)
				}
			}
			if got := ab.Missing(causal.NewCut(cut)); !slices.Equal(got, want) {
				t.Fatalf("missing are %v, want %v", got, want)
			}
		}
		for _, x := range []causal.Context{a, b} {
			for head := range x.Heads() {
				if !ab.Covers(head) {
					t.Fatalf("a∨b does not cover %s", head)
				}
			}
		}
	})
}

// Two roots that share nothing, of more authors than a context has loose heads,
// cannot be one context without their trees.
func TestManyHeadsAreMerged(t *testing.T) {
	h := wide(2*causal.MaxLoose + 2)
	half := func(odd int) causal.Context {
		qc := causal.Context{Space: h.trees.Params.Space}.With(h.memos[0].Head())
		for i, m := range h.memos[1:] {
			if i%2 == odd {
				qc = must(qc.With(m.Head()).Fold(h.trees, h.memos[:i+2]))
			}
		}
		return qc
	}
	a, b := half(0), half(1)
	if _, err := causal.Join(a, b); !errors.Is(err, causal.ErrTooManyHeads) {
		t.Fatalf("joined without trees: %v", err)
	}
	both, err := h.trees.Join(a, b)
	if err != nil {
		t.Fatal(err)
	}
	h.check(t, "merged", both, union(a.Below, b.Below))
	if len(both.Loose) != 0 || both.Root != h.rootOf(t, both.Below) {
		t.Errorf("the join of two roots has %d loose heads", len(both.Loose))
	}
	more := h.after(h.memos[2], put("more"))
	if beyond, err := h.trees.Join(a, b.With(more.Head())); err != nil || beyond.Root != both.Root || !slices.Equal(beyond.Loose, []memo.Head{more.Head()}) {
		t.Errorf("what is loose beyond both roots: %v (%v)", beyond.Loose, err)
	}
	loose := causal.Context{Space: a.Space}
	for _, m := range h.memos[:len(h.memos)-1] {
		loose = loose.With(m.Head())
	}
	if _, err := h.trees.Join(causal.Context{Space: a.Space}, loose); !errors.Is(err, causal.ErrTooManyHeads) {
		t.Errorf("a context of %d loose heads was joined: %v", len(loose.Loose), err)
	}
	if folded := must(loose.Fold(h.trees, h.memos)); folded.Root != both.Root {
		t.Errorf("the fold of everything has another root than the merge")
	}
}

// wide is a history of n authors who write one row each, all at once.
func wide(n int) *history {
	h := newHistory()
	g := h.memos[0]
	for i := range n {
		h.add(must(memo.New(memo.Memo{
			Space: h.trees.Params.Space, Author: author(i + 1), Seq: 1, Deps: []memo.Head{g.Head()}, Time: memo.Next(2, g.Time),
			Body: put(fmt.Sprint(i)),
		})), g)
	}
	return h
}

func put(rows ...string) *memo.Edit {
	topic := memo.TopicEdit{Topic: "t"}
	for _, r := range rows {
		op := memo.Op{Set: true, Value: memo.Int(1)}
		topic.Rows = append(topic.Rows, memo.RowEdit{Row: memo.Bytes(r), Deltas: []memo.Delta{{Field: "f", Op: op}}})
	}
	e := &memo.Edit{Topics: []memo.TopicEdit{topic}}
	e.Sort()
	return e
}

// A tail that lacks a memo is refused, whatever else is given; and so are trees of
// another space, and a root that is not held.
func TestFoldsAreRefused(t *testing.T) {
	h := wide(3)
	qc := causal.Context{Space: h.trees.Params.Space}
	for _, m := range h.memos {
		qc = qc.With(m.Head())
	}
	for i := range h.memos {
		some := slices.Delete(slices.Clone(h.memos), i, i+1)
		if got, err := qc.Fold(h.trees, some); !errors.Is(err, causal.ErrTail) {
			t.Errorf("folded without memo %d: %v, %v", i, got, err)
		}
	}
	other := h.trees
	other.Params.Space = memo.SpaceID{1}
	if _, err := qc.Fold(other, h.memos); !errors.Is(err, causal.ErrOtherSpace) {
		t.Errorf("folded into another space: %v", err)
	}
	forged := h.memos[1].Head()
	forged.Seq = 9
	if _, err := qc.With(forged).Fold(h.trees, h.memos); !errors.Is(err, causal.ErrTail) {
		t.Errorf("a head that names a memo by another place: %v", err)
	}
	folded := must(qc.With(h.memos[0].Head()).Fold(h.trees, h.memos))
	more := h.after(h.memos[1], put("more"))
	other = h.trees
	other.Get = blocks{}
	if _, err := folded.With(more.Head()).Fold(other, h.memos); err == nil {
		t.Error("folded over a root that is not held")
	}
	other = h.trees
	other.Params.M++
	if _, err := folded.With(more.Head()).Fold(other, h.memos); !errors.Is(err, merge.ErrParams) {
		t.Errorf("folded into trees of another shape: %v", err)
	}
}

// after adds a memo of the author of m, which is the last one.
func (h *history) after(m *memo.Memo, body memo.Body, causes ...*memo.Memo) *memo.Memo {
	next := memo.Memo{Space: h.trees.Params.Space, Author: m.Author, Seq: m.Seq + 1, Prev: m.ID(), Time: memo.Next(2, m.Time), Body: body}
	for _, c := range causes {
		next.Deps, next.Time = append(next.Deps, c.Head()), memo.Next(2, next.Time, c.Time)
	}
	memo.SortDeps(next.Deps)
	made := must(memo.New(next))
	h.add(made, append(causes, m)...)
	return made
}

// A partial fold takes what is dense and leaves what is not: many edits of one
// row, with the causes they have elsewhere, before rows of one edit each.
func TestPartialFoldsAreDense(t *testing.T) {
	h := wide(40) // rows 0…39, one edit each
	qc := causal.Context{Space: h.trees.Params.Space}.With(h.memos[0].Head())
	qc = must(qc.Fold(h.trees, h.memos))
	for _, m := range h.memos[1:] {
		qc = qc.With(m.Head())
	}
	hot, want := h.memos[7], []*memo.Memo{h.memos[7], h.memos[3]}
	for i := range 6 {
		var causes []*memo.Memo
		if i == 0 {
			causes = append(causes, h.memos[3])
		}
		hot = h.after(hot, put("hot"), causes...)
		want = append(want, hot)
	}
	qc = qc.With(hot.Head())
	part := must(qc.FoldPart(h.trees, h.memos, causal.Budget{Memos: len(want)}))
	h.check(t, "a dense part", part, union(qc.Below, h.vector(t, qc)))
	for _, m := range want {
		if !part.Below.Covers(m.Author, m.Seq) {
			t.Errorf("%s was not folded", m.Head())
		}
	}
	if left := len(part.Loose); left != 38 {
		t.Errorf("%d loose heads are left, want those of the other 38 rows", left)
	}
	// With room for fewer it takes the first of them, and with room for nothing nothing.
	if few := must(qc.FoldPart(h.trees, h.memos, causal.Budget{Memos: 4})); !few.Below.Covers(hot.Author, 3) || few.Below.Covers(hot.Author, 4) {
		t.Errorf("with room for four memos the root covers %v", slices.Collect(few.Below.All()))
	}
	if none := must(qc.FoldPart(h.trees, h.memos, causal.Budget{Bytes: 1})); !none.Equal(qc) {
		t.Errorf("with room for nothing the context became %v", none)
	}
}

// Of rows that are equally dense the first are taken, every time.
func TestPartialFoldsAreDeterministic(t *testing.T) {
	h := wide(40)
	qc := causal.Context{Space: h.trees.Params.Space}
	for _, m := range h.memos {
		qc = qc.With(m.Head())
	}
	for range 5 {
		part := must(qc.FoldPart(h.trees, h.memos, causal.Budget{Memos: 4})) // the genesis and three
		for _, i := range []int{0, 1, 10} {                                  // rows as they sort
			if m := h.memos[i+1]; !part.Below.Covers(m.Author, 1) {
				t.Fatalf("row %d was not folded", i)
			}
		}
	}
}

// A memo that another one has forked is joined with it, in whatever order they
// come, and the vector keeps the greater digest.
func TestForksInTheTail(t *testing.T) {
	h := wide(3)
	one := h.after(h.memos[1], put("one"))
	other := h.after(h.memos[1], put("other"))
	greater := one
	if one.ID().Compare(other.ID()) < 0 {
		greater = other
	}
	for _, swap := range []bool{false, true} {
		x, y := h.memos[2], h.memos[3]
		if swap {
			x, y = y, x
		}
		a, b := h.after(x, memo.Join{}, one), h.after(y, memo.Join{}, other)
		qc := must(causal.Context{Space: h.trees.Params.Space}.With(a.Head()).With(b.Head()).Fold(h.trees, h.memos))
		if m, _ := qc.Below.Get(greater.Author); m.ID != greater.ID() {
			t.Errorf("swapped %v: the vector has %s, want %s", swap, m.Head, greater.Head())
		}
		for _, row := range []string{"one", "other"} {
			root := must(merge.DecodeRoot(h.kept[qc.Root]))
			if _, ok, err := merge.StateRow(h.trees.Params, h.kept, root.State, merge.RowKey("t", row)); err != nil || !ok {
				t.Errorf("swapped %v: row %s is not there (%v)", swap, row, err)
			}
		}
	}
}

// Memos that touch no further row come along, join memos among them: heads are
// loose no more, for free.
func TestWhatIsFreeComesAlong(t *testing.T) {
	h := wide(4)
	gathered := h.after(h.memos[1], memo.Join{}, h.memos[2:]...)
	qc := causal.Context{Space: h.trees.Params.Space}.With(gathered.Head())
	if part := must(qc.FoldPart(h.trees, h.memos, causal.Budget{Memos: len(h.memos)})); len(part.Loose) != 0 {
		t.Errorf("loose is %v", part.Loose)
	}
	again := h.after(gathered, put("0"))
	other := h.after(h.memos[2], put("9"))
	folded := must(qc.Fold(h.trees, h.memos)).With(h.after(h.memos[3], memo.Join{}).Head()).With(other.Head()).With(again.Head())
	part := must(folded.FoldPart(h.trees, h.memos, causal.Budget{Memos: 2}))
	if !slices.Equal(part.Loose, []memo.Head{other.Head()}) {
		t.Errorf("the join and the first of two edits were to be folded; loose is %v", part.Loose)
	}
}

// A tail whose every dense part has a past beyond the budget is folded from its
// beginning: a fold with room for a memo gets somewhere.
func TestFoldsGetSomewhere(t *testing.T) {
	h := wide(1)
	last := h.memos[1]
	for i := range 200 { // a hundred rows of one edit, and behind them fifty of two
		last = h.after(last, put(fmt.Sprint(min(i, 100+i%50))))
	}
	qc := causal.Context{Space: h.trees.Params.Space}.With(last.Head())
	for folds := 0; len(qc.Loose) > 0; folds++ {
		if folds > 202/10+1 {
			t.Fatalf("%d folds of ten memos each, and %v is loose", folds, qc.Loose)
		}
		qc = must(qc.FoldPart(h.trees, h.memos, causal.Budget{Memos: 10}))
	}
	h.check(t, "folded bit by bit", qc, h.cuts[last.ID()])
}

// A long chain is no deep recursion, and a large tail no slow choice.
func TestLongTails(t *testing.T) {
	h := wide(1)
	last, rng := h.memos[1], rand.New(rand.NewPCG(1, 2))
	made := []*memo.Memo{}
	for range 20_000 {
		next := must(memo.New(memo.Memo{
			Space: last.Space, Author: last.Author, Seq: last.Seq + 1, Prev: last.ID(), Time: memo.Next(2, last.Time),
			Body: put(fmt.Sprint(rng.IntN(500))),
		}))
		made, last = append(made, next), next
	}
	qc := causal.Context{Space: h.trees.Params.Space}.With(last.Head())
	tail, err := qc.Tail(append(made, h.memos...))
	if err != nil || len(tail.Memos) != len(made)+2 || tail.Memos[0] != h.memos[0] {
		t.Fatalf("a tail of %d memos (%v)", len(tail.Memos), err)
	}
	p := causal.DefaultPolicy()
	part := must(qc.FoldPart(h.trees, append(made, h.memos...), p.Part))
	if m, _ := part.Below.Get(last.Author); m.Seq == 0 || m.Seq > causal.DefaultPartMemos {
		t.Errorf("a part of %d memos", m.Seq)
	}
}

// Figure 10: amid her work Alice folds F1, F2 and E1, and A0 stays what it is. F1
// and F2, concurrent, show in the root as one row.
func TestFig10PartBelow(t *testing.T) {
	d := memotest.Draw(t, `
		A0 -> F1@bob
		|  -> F2@carol
		|  -> E1@dave
		|  -> H1@erin
		F1: animals/11 b=Cat
		F2: animals/11 a=Panda
		E1: animals/12 a=Owl
		H1: animals/90 a=Yak
	`)
	kept := blocks{}
	trees := causal.Trees{Params: merge.DefaultParams(d.Space), Get: kept, Put: kept}
	var memos []*memo.Memo
	qc := causal.Context{Space: d.Space}
	for _, name := range d.Names() {
		memos = append(memos, d.Memo(name))
		qc = qc.With(d.Memo(name).Head())
	}
	whole := must(qc.Fold(trees, memos))
	part := must(qc.FoldPart(trees, memos, causal.Budget{Memos: 4}))
	if len(part.Loose) != 1 {
		t.Fatalf("loose are %v", part.Loose)
	}
	row, ok, err := merge.StateRow(trees.Params, kept, must(merge.DecodeRoot(kept[part.Root])).State, merge.RowKey("animals", "11"))
	if err != nil || !ok || len(row.Cells) != 2 || row.Cells[0].Register.Value.Text() != "Panda" || row.Cells[1].Register.Value.Text() != "Cat" {
		t.Errorf("the row is %+v (%v)", row, err)
	}
	if got := must(part.Fold(trees, memos)); !got.Equal(whole) {
		t.Errorf("folded in two steps: %v, in one: %v", got, whole)
	}
}

func TestPolicies(t *testing.T) {
	p := causal.DefaultPolicy()
	whole := causal.Budget{}
	for _, c := range []struct {
		what        string
		policy      causal.Policy
		on          causal.Occasion
		loose, tail int
		want        causal.Budget
		due         bool
	}{
		{"few heads", p, causal.Grown, causal.DefaultLoose, causal.DefaultTail, p.Part, false},
		{"many heads", p, causal.Grown, causal.DefaultLoose + 1, 0, p.Part, true},
		{"a long tail", p, causal.Grown, 1, causal.DefaultTail + 1, p.Part, true},
		{"at rest", p, causal.Idle, 1, 0, whole, true},
		{"at rest and folded", p, causal.Idle, 0, 0, whole, false},
		{"to be sent", p, causal.Sending, 1, 0, p.Part, false},
		{"to be sent, and folded for that", causal.Policy{Sending: true}, causal.Sending, 1, 0, whole, true},
		{"asked for", causal.Policy{}, causal.Asked, 1, 0, whole, true},
		{"not asked for", causal.Policy{}, causal.Grown, causal.MaxLoose, 1 << 40, whole, false},
		{"too many heads", p, causal.Grown, causal.MaxLoose + 1, 0, whole, true},
	} {
		got, due := c.policy.Due(c.on, c.loose, c.tail)
		if due != c.due || due && got != c.want {
			t.Errorf("%s: %+v %v, want %+v %v", c.what, got, due, c.want, c.due)
		}
	}
}
