package node

import (
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// An author whose clock ran backward breaks its word, and no state of others that
// holds its memos: the vector's time is the greatest of a chain.
func TestStatesWithABackwardClockAreAdopted(t *testing.T) {
	maker, late := adopters(t, Options{}, 0)
	a := newAuthor(1)
	deliver(t, maker.node, a.run(t, maker, 1))
	ahead := a.last.Time
	a.last.Time = 0 // what run takes it from next
	r := a.run(t, maker, 1)
	m := *r.Memos[0]
	m.Time = ahead - 1<<20
	back, err := memo.New(m)
	if err != nil {
		t.Fatal(err)
	}
	r = &memo.Run{Space: maker.id, Memos: []*memo.Memo{back}}
	r.Seal = memo.Sign(a.key, maker.id, back.Head())
	deliver(t, maker.node, r)
	adoptAll(t, maker, late)
	if digestOf(t, late) != digestOf(t, maker) || len(spaceStatus(t, late).Liars) > 0 {
		t.Errorf("the state of an honest peer is refused: liars %v", spaceStatus(t, late).Liars)
	}
}

// A state that is ahead of the clock waits.
func TestStatesFromTheFuture(t *testing.T) {
	var past atomic.Int64
	maker, late := adopters(t, Options{Now: func() time.Time { return time.Now().Add(-time.Duration(past.Load())) }}, 0)
	past.Store(int64(10 * time.Minute))
	w := wordOf(t, maker)
	w.say(t, late, gossip.StatePart)
	if compared(t, late); covers(late, maker) || len(spaceStatus(t, late).Liars) > 0 {
		t.Error("a state from the future was judged")
	}
	past.Store(int64(30 * time.Second)) // a clock that is behind, and what it writes then comes later
	adoptAll(t, maker, late)
	if _, err := late.Put(t.Context(), "t", "row0", Fields{"v": memo.Int(99)}); err != nil {
		t.Fatal(err)
	}
	if row, err := late.Get(t.Context(), "t", "row0"); err != nil || row.Fields["v"] != memo.Int(99) {
		t.Errorf("an adopted value wins over what was written after it: %v %v", row.Fields, err)
	}
}

// compared waits until no state waits to be compared.
func compared(t testing.TB, s *Space) {
	t.Helper()
	waitUntil(t, "the state is compared", func() bool {
		busy := false
		s.node.onOwner(t, func(o *owner) { busy = o.adopting[s.id] != nil && o.adopting[s.id].busy })
		return !busy
	})
}
