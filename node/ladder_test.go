package node

import (
	"testing"

	"lightcone/memo"
	"lightcone/store"
)

// rungs makes paths: 2^rungs lead from the top of the ladder to the genesis.
const rungs = 48

// ladder writes two chains whose memos each depend on the memo before of both.
func ladder(t *testing.T, s *Space) (a, b memo.Head) {
	t.Helper()
	one, two := newAuthor(1), newAuthor(2)
	for i := range rungs {
		var overOne, overTwo []memo.Head
		if i > 0 {
			overOne, overTwo = []memo.Head{two.last.Head}, []memo.Head{one.last.Head}
		}
		left, right := one.run(t, s, 1, overOne...), two.run(t, s, 1, overTwo...)
		deliver(t, s.node, left, right)
	}
	return one.last.Head, two.last.Head
}

// Walks over ancestors remember where they were: of a ladder they read each memo
// once, not each path. See the faults in internal/figures.
func TestWalksReadEachMemoOnce(t *testing.T) {
	s, ctx := newSpace(t), t.Context()
	a, b := ladder(t, s)

	found, err := s.tail(ctx, memo.Vector{}, []memo.Head{a, b})
	if err != nil {
		t.Fatal(err)
	}
	read := map[memo.ID]int{}
	for _, m := range found.memos {
		read[m.ID()]++
	}
	if all := 2*rungs + 1; len(found.memos) != all || len(read) != all {
		t.Errorf("the tail of %d memos has %d, %d of them different", all, len(found.memos), len(read))
	}

	view := s.node.view.Load().store
	top, ok, err := view.Reader().Memo(s.id, a.Author, a.Seq)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	g, _ := view.Genesis(s.id)
	left := maxWalk
	w, err := newWalk(view.Reader(), top.Memo, func(memo.Head) *past { return nil }, &left)
	if err != nil {
		t.Fatal(err)
	}
	yes, known, err := w.find(g.Head(), store.Place{})
	if err != nil || !yes || !known {
		t.Errorf("the genesis is in the past of all: %v, known %v, %v", yes, known, err)
	}
	for len(w.edge) > 0 && left > 0 { // whatever find could leave out
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	// A memo is met as a cause and as the one before.
	if read := maxWalk - left; read > 2*(2*rungs+1) {
		t.Errorf("%d memos were read of the %d in the past", read, 2*rungs)
	}
}

// What rests on those walks answers under the bounds they have.
func TestLaddersAreRead(t *testing.T) {
	s, ctx := newSpace(t), t.Context()
	a, b := ladder(t, s)
	x := s.Session(Read{Mode: Exact})
	x.saw(a, b)
	row, err := x.Get(ctx, "t", "f5/0") // which the last memo of both that has seq%7 = 6 wrote
	if err != nil || len(row.Fields) == 0 {
		t.Errorf("an exact read under two heads: %v, %v", row, err)
	}
	for e, err := range s.History(ctx, "t", "f5/0", HistoryQuery{}) {
		if err != nil || e.Undecided {
			t.Errorf("undecided %v, %v", e.Undecided, err)
		}
	}
}
