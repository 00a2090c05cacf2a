package worlds

import (
	"context"

	"lightcone/simulations/cores"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a network that falls in two, both parts of which write, and heals.

func partition(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	p, cfg := s.Split, config(s, o)
	cfg.Network.Partitions = append(cfg.Network.Partitions, engine.Partition{From: ticks(p.Begin), To: ticks(p.Heal), Share: p.Share})
	var w *cores.World
	var before spent // until they meet
	var had int
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		if now <= ticks(p.Heal) {
			before = spentBy(e)
			had, _ = held(w)
		}
		o.tell(e)
	}
	w, err := cores.New(cores.Config{
		Engine: cfg, Links: p.Links,
		Begin: func(x *cores.Peer) { x.At(ticks(p.Begin)+1, 0) },
		Act:   func(x *cores.Peer, arg uint32) { writeApart(w, s, x, int(arg)) },
	})
	if err == nil {
		err = w.Run(ctx)
	}
	if err != nil {
		return err
	}
	after := spentBy(w.Engine).less(before)
	last := lastChange(w)
	took := max(0, last.Seconds()-ticks(p.Heal).Seconds())
	_, most := held(w)
	lack := float64(most*s.Peers - had) // bytes that peers had to get
	way := 2 * firstLatency(s).Seconds()
	r.Facts = append(r.Facts,
		fact("equal at the end", 100*equalShare(w), "%", 100, "every memo arrives everywhere"),
		report.Fact{Name: "time to equality", Value: took, Unit: "s"},
		fact("round trips to equality", took/way, "", 2, "HELLO, HELLO and VEC, VEC, RUNS: two, of peers that have a link to the other half"),
		fact("bytes to equality", after.bytes/1e6, "MB", lack/1e6, "the runs that each peer lacked, once"),
		report.Fact{Name: "overhead in bytes", Value: after.bytes / max(1, lack)},
		report.Fact{Name: "difference", Value: lack / float64(s.Peers) / 1e3, Unit: "kB a peer"},
		report.Fact{Name: "frames a peer", Value: after.frames / float64(s.Peers)})
	r.Facts = append(r.Facts, sessions(w)...)
	r.Charts = append(r.Charts, catchingUp(w, ticks(p.Heal), "the halves met", everybody))
	finishCores(r, w)
	return nil
}

// writeApart has a peer that is one of the writers of its half write its part, run by
// run, evenly over the time apart. Which half it is in shows by whom it reaches.
func writeApart(w *cores.World, s *scenario.Scenario, x *cores.Peer, done int) {
	p := s.Split
	if done == 0 {
		rank := 0
		for q := range x.Number {
			if x.Port().Reachable(q) {
				rank++
			}
		}
		if rank >= p.Writers {
			return
		}
		// what remains of the division is the first writers'
		x.Quota = p.Memos / p.Writers
		if rank < p.Memos%p.Writers {
			x.Quota++
		}
	}
	if done >= x.Quota {
		return
	}
	n := min(p.Run, x.Quota-done)
	x.Write(n, p.Size, rows(x, done))
	runs := engine.Time((x.Quota + p.Run - 1) / p.Run)
	x.At(max(1, (ticks(p.Heal)-ticks(p.Begin)-2)/runs), uint32(done+n))
}
