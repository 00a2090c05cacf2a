package node

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// A fetched root is here with the parts that were asked for, is kept, and is not taken
// for what this node computed until it has.
func TestFetchRoot(t *testing.T) {
	ctx := t.Context()
	a := fullOf(t, 300, 200)
	b := startLinked(t, t.TempDir(), Options{})
	joinOver(t, a, b, 10_000_000)
	a.converge(t, b)
	origin := [8]byte(a.id[:8])
	want, err := a.space.fold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []memo.ID{{}, want.id} {
		got, err := b.space.fetchRoot(ctx, id, origin, gossip.StatePart)
		if err != nil {
			t.Fatal(err)
		}
		if got.id != want.id || got.root != want.root || got.from != a.id || !sameCut(got.vector, want.vector) {
			t.Errorf("fetched %+v, want %+v", got, want)
		}
	}
	blocks := b.store.Blocks(b.space.id)
	if err := merge.Reach(blocks, want.root, func(memo.ID) bool { return true }); err != nil {
		t.Errorf("not all of it is here: %v", err)
	}
	pin, ok, err := blocks.Pinned(want.id)
	if err != nil || !ok || !pin.Foreign || pin.Until.Before(time.Now().Add(time.Hour)) {
		t.Errorf("its pin: %+v, %v, %v", pin, ok, err)
	}
	if err := b.space.computed(want.id); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("a peer's root is taken for one that was computed here: %v", err)
	}
	if own, err := b.space.fold(ctx); err != nil || own.id != want.id {
		t.Errorf("the own root is %s, want %s; %v", own.id, want.id, err)
	}
	if err := b.space.computed(want.id); err != nil {
		t.Errorf("the own root is taken for a peer's: %v", err)
	}
}

// A fetch that fails says who was asked and why; it frees its place among the bounded
// number that wait.
func TestFetchRootFails(t *testing.T) {
	ctx := t.Context()
	alone := newSpace(t)
	if _, err := alone.fetchRoot(ctx, memo.ID{1}, [8]byte{}, gossip.StatePart); !errors.Is(err, ErrNoNetwork) {
		t.Errorf("without a network: %v", err)
	}
	a := fullOf(t, 3, 10)
	b := startLinked(t, t.TempDir(), Options{})
	joinOver(t, a, b, 10_000_000)
	a.converge(t, b)
	for _, origin := range [][8]byte{[8]byte(a.id[:8]), {}} {
		_, err := b.space.fetchRoot(ctx, memo.ID{1}, origin, gossip.VectorPart)
		who := "any peer"
		if origin != ([8]byte{}) {
			who = a.id.String()
		}
		if !errors.Is(err, gossip.ErrUnavailable) || !strings.Contains(err.Error(), who) || !strings.Contains(err.Error(), memo.ID{1}.String()) {
			t.Errorf("a root that nobody has: %v", err)
		}
	}
	if _, err := b.space.fetchRoot(ctx, memo.ID{}, [8]byte{9}, gossip.VectorPart); err == nil || !strings.Contains(err.Error(), "no peer of that name") {
		t.Errorf("the newest root of a stranger: %v", err)
	}
	waiting := func() (n int) {
		b.onOwner(t, func(o *owner) { n = len(o.waiting) })
		return n
	}
	if n := waiting(); n != 0 {
		t.Errorf("%d calls wait that were answered", n)
	}
	b.onOwner(t, func(o *owner) { // the owner lets them wait until it gets to the answer
		for i := range maxFetchWaiters {
			c := &askFetch{space: b.space, id: memo.ID{byte(i), 7}, reply: make(chan fetchReply, 1)}
			o.waiting = append(o.waiting, c)
		}
		c := &askFetch{space: b.space, id: memo.ID{8}, reply: make(chan fetchReply, 1)}
		if c.do(o); !errors.Is((<-c.reply).err, ErrTooManyFetches) || len(o.waiting) != maxFetchWaiters {
			t.Error("more calls wait than may")
		}
		o.waiting = nil
	})
	hurried, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.space.fetchRoot(hurried, memo.ID{1}, [8]byte{}, gossip.VectorPart); !errors.Is(err, context.Canceled) || waiting() != 0 {
		t.Errorf("a call that gave up: %v, and %d wait", err, waiting())
	}
}
