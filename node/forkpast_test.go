package node

import (
	"context"
	"testing"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// twoBranches are the beginning of a chain and two branches of it, of which the second
// is caused nothing and causes h, an honest memo.
func twoBranches(t *testing.T, s *Space) (left, right, h *memo.Run) {
	x, honest := newScribe(t, s, "x"), newScribe(t, s, "honest")
	x1 := x.edit(nil, "x")
	left, right = x.edit(x1.Memos[0], "row"), x.edit(x1.Memos[0], "row")
	h = honest.run(nil, memo.Join{}, right.Head())
	deliver(t, s.node, x1, left, right, h)
	return left, right, h
}

// TestPastStopsAtAFork: a memo of a forked author is in nobody's past for sure, since a
// place does not tell which one was seen; what it wrote before the fork is.
func TestPastStopsAtAFork(t *testing.T) {
	s := newSpace(t)
	left, right, h := twoBranches(t, s)
	r := s.node.view.Load().store.Reader()
	for name, c := range map[string]struct {
		head       memo.Head
		yes, known bool
	}{
		"the branch that was not seen": {left.Head(), false, false},
		"the branch that was":          {right.Head(), false, false},
		"the memo before":              {memo.Head{Author: left.Author(), Seq: 1, ID: left.Memos[0].Prev}, true, true},
	} {
		top, _, err := r.Head(s.id, h.Head())
		if err != nil {
			t.Fatal(err)
		}
		left := maxWalk
		w, err := newWalk(r, top.Memo, nobody, &left)
		if err != nil {
			t.Fatal(err)
		}
		f, ok, err := r.Head(s.id, c.head)
		if err != nil || !ok || f.Memo.ID() != c.head.ID {
			t.Fatalf("%s is not found by its digest: %v", name, err)
		}
		if yes, known, err := w.find(c.head, f.Place); err != nil || yes != c.yes || known != c.known {
			t.Errorf("%s: in the past %v, known %v (%v)", name, yes, known, err)
		}
	}
}

// TestTokensOfEitherBranch: a token is covered where the memo that it names is held, on
// whatever branch; not where another one has its place.
func TestTokensOfEitherBranch(t *testing.T) {
	s := newSpace(t)
	left, right, _ := twoBranches(t, s)
	lost := newScribe(t, s, "x")
	lost.n = 100
	for name, c := range map[string]struct {
		head    memo.Head
		covered bool
	}{
		"first": {left.Head(), true}, "second": {right.Head(), true}, "one that is not here": {lost.edit(nil, "x").Head(), false},
	} {
		tok, err := causal.Context{Space: s.id, Loose: []memo.Head{c.head}}.Token(PeerID{1})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Session(From(tok), Read{Wait: -1}).Get(context.Background(), "t", "row")
		if (err == nil) != c.covered {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLongForkIsProved: the longest run is evidence, and what proves it is written,
// sealed, stored and short enough to be published.
func TestLongForkIsProved(t *testing.T) {
	s := newSpace(t)
	x := newScribe(t, s, "x")
	x1 := x.edit(nil, "x")
	a, b := x.edit(x1.Memos[0], "row"), x.edit(x1.Memos[0], "row")
	for range 2 { // of which the seal is elsewhere
		b.Memos = append(b.Memos, x.edit(b.Memos[len(b.Memos)-1], "row").Memos...)
	}
	long := memo.Blob(make([]byte, 74<<10))
	for i, m := range b.Memos {
		body := &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{Row: "long", Deltas: []memo.Delta{{Field: "f", Op: memo.Op{Set: true, Value: long}}}}}}}}
		next := memo.Memo{Space: m.Space, Author: m.Author, Seq: m.Seq, Prev: m.Prev, Time: m.Time, Body: body}
		if i > 0 {
			next.Prev = b.Memos[i-1].ID()
		}
		out, err := memo.New(next)
		if err != nil {
			t.Fatal(err)
		}
		b.Memos[i] = out
	}
	b.Seal = memo.Sign(x.key, s.id, b.Head())
	deliver(t, s.node, x1, a, b)
	s.node.onOwner(t, func(o *owner) {
		if err := o.prove(s, o.n.view.Load().store, x1.Author()); err != nil {
			t.Error(err)
		}
	})
	v := s.node.view.Load().store
	proof, ok := v.Proof(s.id, x1.Author())
	raw, err := v.Run(s.id, proof.Author, proof.Seq)
	if err != nil || !ok || proof.Author != s.node.id {
		t.Fatalf("proved %v: %v", ok, err)
	}
	const header = 9 // of a publication: version and hint
	if len(raw) <= memo.MaxRunBytes-4<<10 || len(raw)+header > gossip.MaxMessage {
		t.Errorf("the proof has %d bytes, a message %d", len(raw), gossip.MaxMessage)
	}
	if m, _ := v.Vector(s.id).Get(x1.Author()); !m.Forked {
		t.Error("the author is not marked")
	}
}
