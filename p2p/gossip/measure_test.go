package gossip

import (
	"testing"
	"time"
)

// TestMeasureCatchUp logs what recon costs; that it brings everything is all it
// asserts.
func TestMeasureCatchUp(t *testing.T) {
	const rtt, memos = 100 * time.Millisecond, 10_000
	w := newWorld(1, 2, faults{delay: rtt / 2, noGossip: true})
	a, b := w.replicas[0], w.replicas[1]
	bytes := 0
	for range memos {
		r := a.author.write(w.space, w.now, nil, 1, 100)
		a.shelf.put(r)
		bytes += len(raw(r))
	}
	t.Logf("%d runs of one memo with a 100-byte value: %d bytes per run", memos, bytes/memos)
	session := func(what string) {
		t.Helper()
		w.bytes = traffic{}
		sessions, begun := b.core.Stats().Sessions, w.now
		w.connect(a, b)
		b.step(Want{Space: w.space, Origin: a.id})
		w.run(calm, func() bool { return w.converged() && b.core.Stats().Sessions > sessions })
		held := w.now - begun
		if !w.run(calm, func() bool { return w.converged() && w.idle() }) {
			t.Fatalf("%s: no agreement", what)
		}
		t.Logf("%-16s %9d bytes, %3d frames, held after %.1f round trips, over after %.1f", what,
			w.bytes.recon, w.bytes.frames, float64(held)/float64(rtt), float64(w.now-begun)/float64(rtt))
	}
	session("10k missing")
	session("equal")
	a.shelf.put(a.author.write(w.space, w.now, nil, 1, 100))
	session("1 missing of 10k")
}

// TestMeasureLive logs what a single write costs by gossip.
func TestMeasureLive(t *testing.T) {
	for _, peers := range []int{3, 8} {
		w := newWorld(1, peers, faults{delay: 10 * time.Millisecond})
		w.connectAll()
		w.run(5*time.Second, nil)
		w.bytes = traffic{}
		const writes = 100
		for i := range writes {
			w.replicas[i%peers].write(1, 100)
			w.run(200*time.Millisecond, nil)
		}
		w.run(2*time.Second, nil)
		if !w.converged() {
			t.Fatal("no agreement")
		}
		t.Logf("%d peers, full mesh, a 100-byte value: %d bytes per publication, %d per write and replica (flooded), %d more of recon",
			peers, w.bytes.gossip/w.bytes.copies, w.bytes.gossip/writes/(peers-1), w.bytes.recon/writes/(peers-1))
	}
}
