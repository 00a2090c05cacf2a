package gossip

import (
	"fmt"
	"testing"
	"time"

	"lightcone/memo"
)

// Each session tells both sides how far the other one has their chain, before it brings
// anything: whoever opened it, and whether vectors are listed, walked, or equal.
func TestToldOfTheOwnChain(t *testing.T) {
	const both, one = 3, 2 // runs of a memo each that both hold, or one of them
	for _, c := range []struct {
		name         string
		mine, theirs bool   // who holds what was written last
		want         uint64 // of mine that they have
		equal        bool
	}{
		{"they have more", false, true, both + one, false},
		{"they have less", true, false, both, false},
		{"they have as much", true, true, both + one, false},
		{"they have the same", true, true, both + one, true},
	} {
		for _, others := range []int{0, treeFrom + 50} {
			for seed := range uint64(4) {
				t.Run(fmt.Sprintf("%s beside %d others, seed %d", c.name, others, seed), func(t *testing.T) {
					w := newWorld(seed, 2, faults{delay: 10 * time.Millisecond})
					them, me := w.replicas[0], w.replicas[1]
					me.shelf.put(w.genesis)
					_, runs := crowd(w.genesis.Head(), 9, others)
					me.shelf.putAll(runs)
					them.shelf.putAll(runs)
					_, more := crowd(w.genesis.Head(), 10, 1) // of another author
					if me.shelf.putAll(more); c.equal {
						them.shelf.putAll(more)
					}
					for i := range both + one {
						r := me.author.write(w.space, time.Duration(i)*time.Second, []memo.Head{w.genesis.Head()}, 1, 10)
						if i < both || c.mine {
							me.shelf.put(r)
						}
						if i < both || c.theirs {
							them.shelf.put(r)
						}
					}
					w.connectAll()
					w.run(5*time.Second, nil)
					if !w.converged() {
						t.Fatal("not converged")
					}
					if len(me.words) == 0 || len(them.words) == 0 {
						t.Fatalf("nothing was told: %v, %v", me.words, them.words)
					}
					if got := me.words[0]; got.Own != c.want || got.Peer != them.id || got.Space != w.space {
						t.Errorf("told at first %+v, want %d", got, c.want)
					}
					if got := them.words[0]; got.Own != 1 {
						t.Errorf("they are told at first %+v, want their genesis", got)
					}
				})
			}
		}
	}
}
