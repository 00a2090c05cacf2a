package worlds

import (
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/simulations/cores"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is what the worlds have in common that run whole cores.

// spent is what a world cost up to some moment.
type spent struct{ bytes, frames, topics float64 }

func spentBy(e *engine.Engine) spent {
	return spent{float64(e.Total(engine.SentBytes)), float64(e.Total(cores.Frames)), float64(e.Total(cores.TopicBytes))}
}

func (a spent) less(b spent) spent {
	return spent{a.bytes - b.bytes, a.frames - b.frames, a.topics - b.topics}
}

// fact is one with a theory.
func fact(name string, value float64, unit string, theory float64, source string) report.Fact {
	return report.Fact{Name: name, Value: value, Unit: unit, Theory: &theory, Source: source}
}

// rows names rows of a peer's own, from the n-th on.
func rows(x *cores.Peer, n int) func() string {
	return func() string {
		n++
		return fmt.Sprintf("%04d-%06d", x.Number, n-1)
	}
}

// union is the cut of some peers together.
func union(w *cores.World, of func(*cores.Peer) bool) (v memo.Vector) {
	for x := range w.All {
		if of(x) {
			v.Join(x.Shelf.Vector(memo.SpaceID{}))
		}
	}
	return v
}

func everybody(*cores.Peer) bool { return true }

// equalShare is the share of peers that hold everything.
func equalShare(w *cores.World) float64 {
	all, n := union(w, everybody), 0
	for x := range w.All {
		if x.Shelf.Vector(memo.SpaceID{}).CoversAll(all) {
			n++
		}
	}
	return float64(n) / float64(w.Peers())
}

// lastChange is when somebody attached something last.
func lastChange(w *cores.World) (last engine.Time) {
	for x := range w.All {
		last = max(last, x.Changed)
	}
	return last
}

// held is how many bytes of runs all peers hold together, and the most that one does.
func held(w *cores.World) (all, most int) {
	for x := range w.All {
		all, most = all+x.Shelf.Bytes, max(most, x.Shelf.Bytes)
	}
	return all, most
}

// firstLatency is the delay within the first region.
func firstLatency(s *scenario.Scenario) time.Duration {
	if len(s.Network.Latency) == 0 {
		return engine.DefaultLatency
	}
	return time.Duration(s.Network.Latency[0][0])
}

// sessions are the facts of recon.
func sessions(w *cores.World) []report.Fact {
	var begun, failed, again, equal int
	for x := range w.All {
		st := x.Core.Stats()
		begun, failed, again, equal = begun+st.Sessions, failed+st.Failed, again+st.Again, equal+st.Equal
	}
	per := float64(w.Peers())
	return []report.Fact{
		{Name: "recon sessions a peer", Value: float64(begun) / per},
		{Name: "recon sessions of equals", Value: 100 * float64(equal) / max(1, float64(begun)), Unit: "%"},
		{Name: "sessions that failed", Value: float64(failed)},
		{Name: "runs brought twice", Value: float64(again)},
		{Name: "blames", Value: float64(w.Total(cores.Blamed))},
	}
}

// catchingUp draws the share of some peers that attached their last memo by a time
// after a moment, which since tells.
func catchingUp(w *cores.World, from engine.Time, since string, of func(*cores.Peer) bool) report.Chart {
	var at []float64
	for x := range w.All {
		if !of(x) {
			continue
		}
		at = append(at, max(0, x.Changed.Seconds()-from.Seconds()))
	}
	slices.Sort(at)
	c := report.Curve{Name: "has all that it will have", X: []float64{0}, Y: []float64{0}}
	for i, t := range at {
		c.X, c.Y = append(c.X, t, t), append(c.Y, float64(i)/float64(len(at)), float64(i+1)/float64(len(at)))
	}
	return report.Chart{
		Name: "catching-up", Title: "Who has caught up", X: report.Axis{Label: "time since " + since, Unit: "s"},
		Y: report.Axis{Label: "share of the peers"}, Curves: []report.Curve{c},
	}
}

// finishCores fills in what every world of cores has.
func finishCores(r *report.Result, w *cores.World) {
	r.Steps = append(
		r.Steps,
		report.Steps{Package: "p2p/gossip", What: "Core.Step: the product's protocol", Events: w.Total(cores.Inputs)},
		report.Steps{Package: "simulations/cores", What: "streams and topics: frames and copies carried", Events: w.Total(cores.Frames) + w.Total(cores.Copies), Model: true},
	)
	finish(r, w.Engine)
}
