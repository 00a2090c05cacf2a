package cores

import (
	"testing"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// TestCausesComeFirst: a shelf holds a run back until what it depends on is there, by
// whatever way it comes, and takes nothing twice.
func TestCausesComeFirst(t *testing.T) {
	var first, second *memo.Run
	w, err := New(Config{
		Engine: engine.Config{Peers: 3, Seed: 1, Until: engine.Seconds(1)}, Links: 2,
		Begin: func(x *Peer) {
			row := func() string { return "row" }
			switch x.Number {
			case 0:
				first = x.Write(2, 10, row)
			case 1: // saw it
				x.deliver(gossip.Deliver{Space: x.Shelf.Space(), Runs: []*memo.Run{first}})
				second = x.Write(3, 10, row)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Memos[0].Deps) != 1 || second.Memos[0].Deps[0] != first.Head() {
		t.Fatalf("the second run depends on %v", second.Memos[0].Deps)
	}
	s := newShelf(w.pool)
	s.put(w.genesis)
	for _, step := range []struct {
		run   *memo.Run
		fresh int
		waits bool
	}{{second, 0, true}, {first, 5, false}, {first, 0, false}, {second, 0, false}} {
		if fresh, waits := s.attach(w.pool.intern(step.run)); fresh != step.fresh || waits != step.waits {
			t.Errorf("%v: %d new memos, waits: %v", step.run.Head(), fresh, waits)
		}
	}
}
