package gossip

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"lightcone/memo"
)

// tangle is a world of two replicas that parted: a random DAG of several authors, some
// of whom forked their chains into branches that are held here, there, or by both; and,
// in every other one, more authors than a vector lists. all are the memos of both.
type tangle struct {
	*world
	rng *rand.Rand
	all map[memo.ID]bool

	lies func(message) []message // what the liar says in the place of a message; nil: the truth
}

// lie makes a replica say what it is told to say.
func (t *tangle) lie(r *replica, lies func(message) []message) {
	t.lies = lies
	var rest [][]byte // of what stands for one frame, but the first
	r.twist = func(data []byte) []byte {
		if t.lies == nil {
			return data
		}
		m, err := decode(data)
		if err != nil {
			panic(err)
		}
		rest = rest[:0]
		for _, m := range t.lies(m) {
			rest = append(rest, encode(m))
		}
		if len(rest) == 0 {
			return nil
		}
		r.after = rest[1:]
		return rest[0]
	}
}

func newTangle(seed uint64) *tangle {
	t := &tangle{
		world: newWorld(seed, 2, faults{delay: 20 * time.Millisecond, noGossip: true}),
		rng:   rand.New(rand.NewPCG(seed, 21)), all: map[memo.ID]bool{},
	}
	a, b := t.replicas[0], t.replicas[1]
	both := []*replica{a, b}
	t.put(t.genesis, both)
	if seed%2 == 1 {
		_, runs := crowd(t.genesis.Head(), seed+5, treeFrom+50)
		for i, r := range runs {
			t.put(r, [][]*replica{both, both, both, both, {a}, {b}}[min(i, 5-min(i%40, 5))])
		}
	}
	strays := authors(seed+9, 6)
	for _, s := range strays {
		t.grow(s, both)
	}
	for i := range 20 {
		r := both[i%2]
		if t.rng.IntN(2) == 0 {
			r.write(1+t.rng.IntN(3), t.rng.IntN(3000))
		}
	}
	for _, r := range both {
		maps.Copy(t.all, r.shelf.has)
	}
	t.run(time.Second, nil)
	t.bytes = traffic{}
	return t
}

// put puts a run onto shelves.
func (t *tangle) put(r *memo.Run, at []*replica) {
	for _, x := range at {
		x.shelf.put(r)
	}
}

// grow makes an author's chain: a trunk that both hold, and branches of it and of each
// other, at random, each held by one or both of those who hold what it goes on from.
func (t *tangle) grow(s *author, both []*replica) {
	type place struct {
		head memo.Head
		at   []*replica
	}
	trunk := place{at: both}
	chain := func(from place, n int) place {
		s.head = from.head
		if from.head.Seq > 0 && len(from.at) > 1 {
			from.at = [][]*replica{both, both[:1], both[1:]}[t.rng.IntN(3)]
		}
		for range n {
			var deps []memo.Head
			if s.head.Seq == 0 {
				deps = []memo.Head{t.genesis.Head()}
			}
			now := time.Duration(t.rng.IntN(10_000)) * time.Millisecond
			t.put(s.write(t.space, now, deps, 1+t.rng.IntN(3), t.rng.IntN(300)), from.at)
		}
		return place{s.head, from.at}
	}
	trunk = chain(trunk, 1+t.rng.IntN(5))
	ends := []place{trunk}
	for range t.rng.IntN(5) {
		ends = append(ends, chain(ends[t.rng.IntN(len(ends))], 1+t.rng.IntN(20)))
	}
}

// same reports whether both hold all memos.
func (t *tangle) same() bool {
	for _, r := range t.replicas[:2] {
		if len(r.shelf.has) != len(t.all) || len(r.shelf.pending) > 0 {
			return false
		}
	}
	return true
}

func (t *tangle) settle(tb testing.TB, what string) {
	tb.Helper()
	a, b := t.replicas[0], t.replicas[1]
	if !t.run(calm, func() bool { return t.same() && t.idle() && t.converged() }) {
		tb.Fatalf("%s: of %d memos a holds %d and b %d; %d and %d runs wait; forks %d and %d", what,
			len(t.all), len(a.shelf.has), len(b.shelf.has), len(a.shelf.pending), len(b.shelf.pending), len(a.shelf.forks), len(b.shelf.forks))
	}
	if len(t.blamed) > 0 {
		tb.Fatalf("%s: %v", what, t.blamed)
	}
}

// TestTanglesCutAtEveryFrame: whatever DAG, forks and branches two replicas hold, they
// end with the union, also if a session breaks at its first frame, its second, …
func TestTanglesCutAtEveryFrame(t *testing.T) {
	const seeds, cutSeeds = 30, 2
	frames := 0
	for seed := range uint64(seeds) {
		w := newTangle(seed)
		w.connect(w.replicas[0], w.replicas[1])
		w.settle(t, fmt.Sprintf("seed %d", seed))
		if seed >= cutSeeds {
			continue
		}
		need := w.bytes
		for n := 1; n <= need.frames; n++ {
			w := newTangle(seed)
			w.cutNext = n
			w.connect(w.replicas[0], w.replicas[1])
			w.settle(t, fmt.Sprintf("seed %d cut at frame %d", seed, n))
			if w.bytes.recon > 3*need.recon {
				t.Errorf("seed %d cut at frame %d: %d bytes in all, %d without a cut", seed, n, w.bytes.recon, need.recon)
			}
		}
		frames += need.frames
	}
	t.Logf("%d tangles; cut at each of %d frames", seeds, frames)
}
