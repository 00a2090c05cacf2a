package worlds

import (
	"context"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/simulations/cores"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a peer that comes late, and what it waits for.

// newcomer is what happened to it.
type newcomer struct {
	w       *cores.World
	s       *scenario.Scenario
	wanted  memo.Head // the memo behind the row that it reads first
	row     string
	root    merge.Root // of the state that it fetches
	known   bool       // that root
	asked   bool
	first   engine.Time // when it had the row
	state   engine.Time // when it had the state
	curve   report.Curve
	fetches int // that failed
}

func late(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	l, cfg := s.Late, config(s, o)
	last := engine.Peer(s.Peers - 1)
	n := &newcomer{s: s, curve: report.Curve{Name: "memos it has"}}
	var before spent
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		if now <= ticks(l.Join) {
			before = spentBy(e)
		} else {
			n.curve.X = append(n.curve.X, now.Seconds()-ticks(l.Join).Seconds())
			n.curve.Y = append(n.curve.Y, float64(n.w.Peer(last).Shelf.Memos))
		}
		o.tell(e)
	}
	var err error
	n.w, err = cores.New(cores.Config{
		Engine: cfg, Links: l.Links,
		Joins: func(p engine.Peer) engine.Time {
			if p == last {
				return ticks(l.Join)
			}
			return 0
		},
		Begin: func(x *cores.Peer) {
			if int(x.Number) < l.Writers {
				x.At(engine.Seconds(0.5), 0)
			}
		},
		Act:      n.write,
		Attached: n.attached,
		Effects:  n.effects,
	})
	if err == nil {
		err = n.w.Run(ctx)
	}
	if err != nil {
		return err
	}
	n.report(r, before)
	return nil
}

// write has a writer write all of its part, in runs of the greatest length, over three
// seconds.
func (n *newcomer) write(x *cores.Peer, done uint32) {
	l := n.s.Late
	quota := share(l.Memos, l.Writers, int(x.Number))
	k := min(memo.MaxRunMemos, quota-int(done))
	if k <= 0 {
		return
	}
	r := x.Write(k, l.Size, rows(x, int(done)))
	if x.Number == 0 { // the row that is read first is the newest of one writer
		n.wanted, n.row = r.Head(), rows(x, int(done)+k-1)()
	}
	runs := engine.Time((quota + memo.MaxRunMemos - 1) / memo.MaxRunMemos)
	x.At(max(1, engine.Seconds(3)/runs), done+uint32(k))
}

// share is the i-th of n parts of a whole.
func share(whole, n, i int) int {
	if i < whole%n {
		return whole/n + 1
	}
	return whole / n
}

// attached notes when the newcomer has the row that it waits for, and, when it has the
// genesis, asks for the state.
func (n *newcomer) attached(x *cores.Peer, _ int) {
	if int(x.Number) != n.s.Peers-1 {
		return
	}
	if n.s.Late.By == "state" && !n.asked {
		n.asked = true
		for to := range x.Links { // of another than recon pulls from, whose uplink is busy
			if to.ID != x.Source {
				x.Step(gossip.Fetch{Space: x.Shelf.Space(), Origin: to.ID, Parts: gossip.StatePart})
				break
			}
		}
	}
	if n.first == 0 && x.Shelf.Vector(memo.SpaceID{}).Covers(n.wanted.Author, n.wanted.Seq) {
		n.first = x.Changed
	}
}

// effects notes what of the state the newcomer has.
func (n *newcomer) effects(x *cores.Peer, e *gossip.Effects) {
	if int(x.Number) != n.s.Peers-1 || n.s.Late.By != "state" {
		return
	}
	key := merge.RowKey("t", n.row)
	for _, f := range e.Fetched {
		switch {
		case f.Err != nil:
			n.fetches++
		case f.Parts == gossip.VectorPart:
			n.root, n.known = f.Made, true
			x.Step(gossip.Prefer{Space: f.Space, Root: f.Root, Key: key})
		case f.Parts == gossip.StatePart:
			n.state = x.Port().Now()
		}
	}
	if n.known && n.first == 0 && len(e.Keep) > 0 {
		if _, ok, err := merge.StateRow(n.root.Params, x.Shelf.Blocks(), n.root.State, key); err == nil && ok {
			n.first = x.Port().Now()
		}
	}
}

// report says what it waited for.
func (n *newcomer) report(r *report.Result, before spent) {
	s, l, x := n.s, n.s.Late, n.w.Peer(engine.Peer(n.s.Peers-1))
	join, way := ticks(l.Join).Seconds(), 2*firstLatency(s).Seconds()
	after := spentBy(n.w.Engine).less(before)
	since := func(t engine.Time) float64 {
		if t == 0 {
			return ticks(s.Until).Seconds() - join
		}
		return t.Seconds() - join
	}
	size := float64(x.Shelf.Bytes)
	carry := 0.0
	if s.Network.Uplink > 0 {
		carry = size / s.Network.Uplink
	}
	asked := x.Changed
	first, source := 2*way, "two round trips: HELLO, HELLO and VEC, VEC, RUNS"
	if l.By == "state" {
		asked = n.state
		first, source = 4*way, "four round trips: recon of the genesis, FETCH, the root, the row under it; more by the height of the trees"
	}
	r.Facts = append(r.Facts,
		fact("time to the first answer", since(n.first), "s", first, source),
		fact("time to equality", since(x.Changed), "s", 2*way+carry, "two round trips, and the runs through one uplink"),
		report.Fact{Name: "time to what it asked for", Value: since(asked), Unit: "s"},
		fact("equal at the end", 100*equalShare(n.w), "%", 100, "every memo arrives everywhere"),
		fact("bytes sent by all since it came", after.bytes/1e6, "MB", size/1e6, "the runs, once"),
		report.Fact{Name: "fetches that failed", Value: float64(n.fetches)})
	r.Facts = append(r.Facts, sessions(n.w)...)
	r.Charts = append(r.Charts, report.Chart{
		Name: "newcomer", Title: "What the newcomer has", X: report.Axis{Label: "time since it came", Unit: "s"}, Y: report.Axis{Label: "memos"},
		Curves: []report.Curve{n.curve, {Name: "all there are", X: n.curve.X, Y: level(len(n.curve.X), float64(l.Memos+1)), Theory: true}},
	})
	finishCores(r, n.w)
}

// level is a curve that stays.
func level(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
