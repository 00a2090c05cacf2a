package gossip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
)

// behind is a world of two replicas that parted after they agreed on one memo of
// b's; since then both wrote more than fits into one window.
func behind(t *testing.T) *world {
	w := newWorld(1, 2, faults{delay: 20 * time.Millisecond, noGossip: true})
	a, b := w.replicas[0], w.replicas[1]
	w.connect(a, b)
	w.run(time.Second, nil)
	b.write(1, 10)
	w.run(calm, func() bool { return w.converged() && w.idle() })
	w.disconnect(a, b)
	for range 8 {
		a.write(2, 80_000)
		b.write(1, 100_000)
	}
	w.run(time.Second, nil)
	w.bytes = traffic{}
	return w
}

// TestCutAtEveryFrame breaks a session at its first frame, its second, and so on:
// what was attached is kept, and the next sessions complete it.
func TestCutAtEveryFrame(t *testing.T) {
	whole := behind(t)
	whole.connect(whole.replicas[0], whole.replicas[1])
	if !whole.run(calm, func() bool { return whole.converged() && whole.idle() }) {
		t.Fatal("no agreement without a cut")
	}
	need := whole.bytes.recon
	for n := 1; n <= whole.bytes.frames; n++ {
		w := behind(t)
		a, b := w.replicas[0], w.replicas[1]
		w.cutNext = n
		w.connect(a, b)
		if !w.run(10*time.Second, func() bool { return w.converged() && w.idle() }) {
			t.Errorf("cut at frame %d: a %s, b %s", n, w.vector(a.shelf.vec), w.vector(b.shelf.vec))
			continue
		}
		if len(w.blamed) > 0 {
			t.Errorf("cut at frame %d: %v", n, w.blamed)
		}
		// Lost are at most both windows that were under way, and one more handshake.
		if most := need + 2*(sessionCredit+sessionBytes/1000) + 1000; w.bytes.recon > most {
			t.Errorf("cut at frame %d: %d bytes in all, %d without a cut", n, w.bytes.recon, need)
		}
	}
	t.Logf("%d frames, %d bytes without a cut", whole.bytes.frames, need)
}

// TestClosedEarly: a peer that ends a session orderly but too early is tried
// again like one that failed.
func TestClosedEarly(t *testing.T) {
	for _, state := range victimStates {
		t.Run(state, func(t *testing.T) {
			v := newVictim(t)
			v.core.Know(v.now, v.space, v.evil.id)
			id := v.session(state)
			before := v.core.Stats().Failed
			known := v.core.sessions[id] != nil
			v.step(Closed{Session: id})
			failed := v.core.Stats().Failed - before
			if want := known && state != "equal" && state != "done"; (failed == 1) != want {
				t.Errorf("counted %d failures", failed)
			}
			v.step(Closed{Session: id, Err: errors.New("again")}) // no harm
			v.healthy()
		})
	}
}

// TestNoUselessSessions has four replicas write all the time, with messages that
// overtake each other. Hints always differ then and runs come before their
// causes; sessions remain those of the timer.
func TestNoUselessSessions(t *testing.T) {
	w := newWorld(3, 4, faults{delay: 5 * time.Millisecond, jitter: 40 * time.Millisecond, double: 0.2})
	w.connectAll()
	w.run(5*time.Second, nil)
	opened := func() (n int) {
		for _, r := range w.replicas {
			n += r.opened
		}
		return n
	}
	before, bytes := opened(), w.bytes
	const span = 30 * time.Second
	for _, r := range w.replicas {
		for at := time.Duration(0); at < span; at += 100 * time.Millisecond {
			w.at(w.now+at+time.Duration(r.index)*17*time.Millisecond, func() { r.write(1, 20) })
		}
	}
	w.run(span, nil)
	n := opened() - before
	if most := 4 * int(span/(antiEntropy/2)); n > most {
		t.Errorf("%d sessions in %v of constant traffic, want at most the timer's %d", n, span, most)
	}
	w.run(calm, func() bool { return w.converged() && w.idle() })
	if !w.converged() || len(w.blamed) > 0 {
		t.Errorf("converged %v, blamed %v", w.converged(), w.blamed)
	}
	t.Logf("%d sessions, %d bytes of recon, %d of gossip", n, w.bytes.recon-bytes.recon, w.bytes.gossip-bytes.gossip)
}

// TestLatePeerGetsEachRunOnce connects a replica that lacks far more than one
// window to many at the same time.
func TestLatePeerGetsEachRunOnce(t *testing.T) {
	for _, late := range []int{0, 6} { // its id is the least, the greatest
		t.Run(fmt.Sprintf("late=%d", late), func(t *testing.T) {
			w := newWorld(4, 7, faults{delay: 10 * time.Millisecond, noGossip: true})
			x, writer := w.replicas[late], w.replicas[1]
			writer.shelf.attach(Deliver{Runs: []*memo.Run{w.genesis}})
			for i, r := range w.replicas {
				for _, o := range w.replicas[:i] {
					if r != x && o != x {
						w.connect(r, o)
					}
				}
			}
			for range 40 {
				writer.write(1, 150_000)
			}
			w.run(calm, func() bool {
				for _, r := range w.replicas {
					if r != x && r.shelf.memos != 41 {
						return false
					}
				}
				return w.idle()
			})
			need, before := 40*150_300, w.bytes.recon
			for _, r := range w.replicas {
				if r != x {
					w.connect(x, r)
				}
			}
			if !w.run(5*time.Second, func() bool { return w.converged() && w.idle() }) {
				t.Fatal("the late peer does not catch up")
			}
			if got := w.bytes.recon - before; got > need+need/10 {
				t.Errorf("%d bytes on the wire for %d bytes of runs", got, need)
			}
			if len(w.blamed) > 0 {
				t.Errorf("blamed: %s", strings.Join(w.blamed, "; "))
			}
		})
	}
}

// TestLargeCatchUpTakesTwoSessions has more to bring than one session may.
func TestLargeCatchUpTakesTwoSessions(t *testing.T) {
	w := newWorld(1, 2, faults{delay: 10 * time.Millisecond, noGossip: true})
	a, b := w.replicas[0], w.replicas[1]
	const size = 190_000
	for range sessionBytes/size + 10 {
		a.write(1, size)
	}
	w.connect(a, b)
	if !w.run(5*time.Second, func() bool { return w.converged() && w.idle() }) {
		t.Fatal("no agreement")
	}
	if n := a.opened + b.opened; n < 2 || n > 3 {
		t.Errorf("%d sessions, want two, and perhaps a last look", n)
	}
	if n := a.core.Stats().Failed + b.core.Stats().Failed; n > 0 || len(w.blamed) > 0 {
		t.Errorf("%d sessions failed, blamed %v", n, w.blamed)
	}
}
