package gossip

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// calm is how long, in virtual time, replicas may take to agree once faults end.
// The longest pause between attempts is 30 s.
const calm = 60 * time.Second

// plan is a random history: what is written where, and what goes wrong when.
type plan struct {
	seed    uint64
	peers   int
	faults  faults
	actions []action
}

// action happens at a time; what it does depends on kind.
type action struct {
	at         time.Duration
	kind       int
	a, b       int
	memos, len int
}

const (
	doWrite = iota
	doWriteMore
	doConnect
	doDisconnect
	doCut
)

func drawPlan(t *rapid.T) plan {
	ms := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
	}
	p := plan{
		seed:  rapid.Uint64().Draw(t, "seed"),
		peers: rapid.IntRange(2, 5).Draw(t, "peers"),
		faults: faults{
			delay: ms("delay", 200), jitter: ms("jitter", 300), attachLag: ms("attachLag", 100),
			lose:     rapid.SampledFrom([]float64{0, 0.1, 0.4, 1}).Draw(t, "lose"),
			double:   rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "double"),
			breaks:   rapid.SampledFrom([]float64{0, 0.05, 0.3}).Draw(t, "breaks"),
			noGossip: rapid.Bool().Draw(t, "noGossip"),
		},
	}
	p.actions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) action {
		return action{
			at:   ms("at", 10_000),
			kind: rapid.IntRange(doWrite, doCut).Draw(t, "kind"),
			a:    rapid.IntRange(0, p.peers-1).Draw(t, "a"), b: rapid.IntRange(0, p.peers-1).Draw(t, "b"),
			memos: rapid.IntRange(1, 3).Draw(t, "memos"), len: rapid.IntRange(0, 300).Draw(t, "len"),
		}
	}), 1, 40).Draw(t, "actions")
	return p
}

func (p plan) play(t rapid.TB) *world {
	w := newWorld(p.seed, p.peers, p.faults)
	written := 1 // the genesis
	for _, x := range p.actions {
		w.at(x.at, func() {
			a, b := w.replicas[x.a], w.replicas[x.b]
			switch {
			case x.kind <= doWriteMore && a.canWrite():
				a.write(x.memos, x.len)
				written += x.memos
			case x.kind == doCut && len(w.streams) > 0:
				w.breakStream(w.streams[x.memos%len(w.streams)], errNoRun)
			case a == b:
			case x.kind == doConnect:
				w.connect(a, b)
			case x.kind == doDisconnect:
				w.disconnect(a, b)
			}
		})
	}
	w.run(10*time.Second, nil)
	w.faults.breaks, w.faults.lose = 0, 0
	w.connectAll()
	if !w.run(calm, func() bool { return w.converged() && w.idle() }) {
		for _, r := range w.replicas {
			t.Logf("%v: %s, %d pending, %+v", r, w.vector(r.shelf.vec), len(r.shelf.pending), r.core.Stats())
		}
		t.Fatalf("no agreement %v after the last fault; %d streams open, idle %v", calm, len(w.streams), w.idle())
	}
	for _, r := range w.replicas {
		if r.shelf.memos != written || len(r.shelf.pending) > 0 {
			t.Fatalf("%v holds %d memos of %d, %d runs pending", r, r.shelf.memos, written, len(r.shelf.pending))
		}
	}
	if len(w.blamed) > 0 {
		t.Fatalf("honest peers were blamed: %v", w.blamed)
	}
	return w
}

// TestReplicasConverge plays random histories twice: everybody ends with the
// union, nobody is blamed, and both times every effect is the same.
func TestReplicasConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		first, second := p.play(t), p.play(t)
		if a, b := first.history.Sum(nil), second.history.Sum(nil); string(a) != string(b) {
			t.Fatalf("two runs of one seed differ: %s, %s", hex.EncodeToString(a), hex.EncodeToString(b))
		}
	})
}

// stormy is a long history with all faults at once.
func stormy(seed uint64) plan {
	rng := rand.New(rand.NewPCG(seed, 11))
	p := plan{
		seed: seed, peers: 3 + rng.IntN(4),
		faults: faults{
			delay: time.Duration(rng.IntN(100)) * time.Millisecond, jitter: 200 * time.Millisecond,
			attachLag: time.Duration(1+rng.IntN(50)) * time.Millisecond,
			lose:      0.4 * rng.Float64(), double: 0.3 * rng.Float64(), breaks: 0.1 * rng.Float64(),
			noGossip: rng.IntN(3) == 0,
		},
	}
	for range 150 {
		p.actions = append(p.actions, action{
			at: time.Duration(rng.IntN(10_000)) * time.Millisecond, kind: rng.IntN(doCut + 1),
			a: rng.IntN(p.peers), b: rng.IntN(p.peers), memos: 1 + rng.IntN(3), len: rng.IntN(300),
		})
	}
	return p
}

// TestStorms plays the same long histories every time.
func TestStorms(t *testing.T) {
	for seed := range uint64(40) {
		p := stormy(seed)
		first, second := p.play(t), p.play(t)
		if a, b := first.history.Sum(nil), second.history.Sum(nil); string(a) != string(b) {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
