package node

import (
	"context"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// scribe writes memos of an author who is no node, on as many branches as wanted.
type scribe struct {
	*testing.T
	key   ed25519.PrivateKey
	space *Space
	n     int
}

func newScribe(t *testing.T, s *Space, name string) *scribe {
	seed := memo.Sum([]byte(name))
	return &scribe{T: t, key: ed25519.NewKeyFromSeed(seed[:]), space: s}
}

// run seals a memo with a body behind prev, or at the beginning of the chain.
func (w *scribe) run(prev *memo.Memo, body memo.Body, deps ...memo.Head) *memo.Run {
	w.Helper()
	m := memo.Memo{Space: w.space.id, Author: memo.Author(w.key.Public().(ed25519.PublicKey)), Seq: 1, Body: body, Deps: deps}
	g, _ := w.space.node.view.Load().store.Genesis(w.space.id)
	if m.Time = memo.Next(0, g.Time); prev != nil {
		m.Seq, m.Prev, m.Time = prev.Seq+1, prev.ID(), memo.Next(0, prev.Time)
	} else {
		m.Deps = append(m.Deps, g.Head())
		memo.SortDeps(m.Deps)
	}
	out, err := memo.New(m)
	if err != nil {
		w.Fatal(err)
	}
	return &memo.Run{Space: w.space.id, Memos: []*memo.Memo{out}, Seal: memo.Sign(w.key, w.space.id, out.Head())}
}

// edit seals a memo that writes what no other does.
func (w *scribe) edit(prev *memo.Memo, row string) *memo.Run {
	w.n++
	return w.run(prev, &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
		Row: memo.Bytes(row), Deltas: []memo.Delta{{Field: "n", Op: memo.Op{Set: true, Value: memo.Int(int64(w.n))}}},
	}}}}})
}

// prove seals a proof of what two runs contradict.
func (w *scribe) prove(prev *memo.Memo, a, b *memo.Run) *memo.Run {
	w.Helper()
	p, err := memo.ProveFork(a, b)
	if err != nil {
		w.Fatal(err)
	}
	return w.run(prev, p, a.Head())
}

// forkedRuns are two chains with branches, proofs of both, and an honest chain, in a
// causal order.
func forkedRuns(t *testing.T, s *Space) []*memo.Run {
	x, y, honest := newScribe(t, s, "x"), newScribe(t, s, "y"), newScribe(t, s, "honest")
	x1 := x.edit(nil, "x")
	left, right := x.edit(x1.Memos[0], "both"), x.edit(x1.Memos[0], "both")
	right2 := x.edit(right.Memos[0], "right")
	y1, y2 := y.edit(nil, "y"), y.edit(nil, "both")
	h1 := honest.edit(nil, "both")
	h2 := honest.prove(h1.Memos[0], left, right)
	h3 := honest.prove(h2.Memos[0], y1, y2)
	return []*memo.Run{x1, left, right, right2, y1, y2, h1, h2, h3, y.edit(y2.Memos[0], "y"), honest.edit(h3.Memos[0], "end")}
}

// TestForkedRootsAreOne: nodes that hold the same memos have one root, whatever order
// branches and proofs came in and whatever was folded in between, and it marks those
// who are proved to have forked. The root serves exact reads on each.
func TestForkedRootsAreOne(t *testing.T) {
	ctx, first := context.Background(), newSpace(t)
	runs := forkedRuns(t, first)
	spaces := []*Space{first}
	for range 2 {
		s := enter(t, openNode(t, t.TempDir(), Options{}), first)
		copyMemos(t, first, s, 1)
		spaces = append(spaces, s)
	}
	said := gossip.Announced{Space: first.id, Unequal: memo.ID{1}, Announcement: &gossip.Announcement{From: PeerID{3}, ID: memo.ID{2}}}
	first.node.onOwner(t, func(o *owner) { o.doubt(said) }) // its maker may hold other branches
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range spaces {
		for _, i := range rng.Perm(len(runs)) {
			s.node.onOwner(t, func(o *owner) {
				o.proving = map[accused]time.Time{} // its own proofs are not of this test
				if a := o.deliver(gossip.Deliver{Space: s.id, Runs: runs[i : i+1]}); a.Bad != nil {
					t.Error(a.Bad)
				}
			})
			if rng.IntN(2) == 0 {
				if _, err := s.fold(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	first.node.onOwner(t, func(o *owner) { o.tickDoubts(o.n.opts.Now().Add(doubtFor)) })
	if st := spaceStatus(t, first); len(st.Alarms)+len(st.Liars) > 0 || len(st.Forks) != 2 {
		t.Errorf("alarms %+v, liars %v, forks %+v", st.Alarms, st.Liars, st.Forks)
	}
	var roots []memo.ID
	for i, s := range spaces {
		now, err := s.fold(ctx)
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, now.id)
		marked := map[bool]int{}
		for m := range now.vector.All() {
			marked[m.Forked]++
		}
		if marked[true] != 2 || marked[false] != 2 {
			t.Errorf("node %d: %d authors are marked, %d not", i, marked[true], marked[false])
		}
		tok := causal.Token{}
		if tok, err = spaces[0].Session().ExactToken(ctx); err != nil {
			t.Fatal(err)
		}
		if row, err := s.Session(From(tok), Read{Mode: Exact}).Get(ctx, "t", "right"); err != nil || row.Fields["n"].Int() == 0 {
			t.Errorf("node %d: exact read under the first one's root: %v", i, err)
		}
	}
	if diff := cmp.Diff([]memo.ID{roots[0], roots[0], roots[0]}, roots); diff != "" {
		t.Error(diff)
	}
}
