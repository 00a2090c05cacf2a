package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// Roots of random cuts, be they near the last fold, long before it or beside it, are
// what the memos of the cut make from nothing.
func TestRootOfAnyCut(t *testing.T) {
	ctx := context.Background()
	for seed := range Seeds(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 3))
			s := newSpace(t)
			authors := []*author{newAuthor(0), newAuthor(1), newAuthor(2), newAuthor(3)}
			for range 12 {
				edit(t, rng, s, 1+rng.IntN(12))
				a := authors[rng.IntN(len(authors))]
				var deps []memo.Head
				if a.last.Seq > 0 && rng.IntN(2) == 0 {
					own, _ := s.node.view.Load().store.Vector(s.id).Get(s.node.id)
					deps = append(deps, own.Head)
				}
				deliver(t, s.node, a.run(t, s, 1+rng.IntN(9), deps...))
				if rng.IntN(3) == 0 {
					exactToken(t, s)
				}
			}
			now := s.node.view.Load().store.Vector(s.id)
			for range 25 {
				cut := randomCut(t, rng, s, now)
				want := fromNothing(t, s, cut)
				blocks := scratch{under: s.node.store.Blocks(s.id), own: map[memo.ID][]byte{}}
				root, id, err := s.rootOf(ctx, cut, blocks)
				if err != nil || id != want {
					t.Fatalf("the root of %d memos is %+v, %s (%v), want %s", lead(cut, memo.Vector{}), root, id, err, want)
				}
			}
		})
	}
}

// randomCut returns the past of some memos.
func randomCut(t *testing.T, rng *rand.Rand, s *Space, now memo.Vector) memo.Vector {
	t.Helper()
	v := s.node.view.Load().store
	var heads []memo.Head
	for m := range now.All() {
		if rng.IntN(3) == 0 {
			continue
		}
		seq := 1 + rng.Uint64N(m.Seq)
		found, _, err := v.Memo(s.id, m.Author, seq)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, found.Head())
	}
	past, err := s.tail(context.Background(), memo.Vector{}, heads)
	if err != nil {
		t.Fatal(err)
	}
	return past.vector
}

// fromNothing returns the root of a cut as its memos make it, none kept.
func fromNothing(t *testing.T, s *Space, cut memo.Vector) memo.ID {
	t.Helper()
	v := s.node.view.Load()
	memos, err := s.between(context.Background(), v.store, memo.Vector{}, cut)
	if err != nil {
		t.Fatal(err)
	}
	p, blocks := s.params(v), scratch{own: map[memo.ID][]byte{}}
	at, err := blocks.empty(p)
	if err == nil {
		at, err = at.With(memos)
	}
	root := merge.Root{Params: p}
	if err == nil {
		root.State, err = at.Digest(blocks)
	}
	if err == nil {
		root.Vector, err = merge.BuildVector(p, cut, blocks)
	}
	id, err2 := putRoot(root, blocks)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	return id
}
