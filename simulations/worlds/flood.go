package worlds

import (
	"context"
	"strings"

	"lightcone/memo"
	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is the flood: a few messages, heard by everybody.

// The events and counters of a flood, behind those of the mesh.
const (
	publish = mesh.FirstKind + iota // a timer: Arg is the message
	push                            // a message pushed to a peer that was drawn
	second                          // a timer: the Ear's second is over
	turn                            // a timer: a round of message Arg begins
	told                            // a call, or an answer, that brings message Arg
	asked                           // a call of somebody who lacks message Arg
)

const (
	firsts     = mesh.FirstCounter + iota // messages that a peer got for the first time
	floodSteps                            // calls of Ear
)

// What a flood measures.
const (
	latency engine.Measure = iota // ticks from publication to a first copy
	hops
)

// flooder is the protocol of a flood.
type flooder struct {
	*mesh.Mesh
	ears
	*rounder // nil: it does not spread by rounds
	s        *scenario.Scenario
	first    engine.Peer
	wrote    []memo.Author // of each message
}

func flood(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	cfg := config(s, o)
	f := s.Flood
	var times, covered []float64
	all := float64(s.Peers) * float64(f.Messages)
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		times = append(times, now.Seconds())
		covered = append(covered, float64(e.Total(firsts))/all)
		o.tell(e)
	}
	var wrote []memo.Author
	for m := range f.Messages {
		wrote = append(wrote, authorOf(s.Seed, writer(s, m)))
	}
	e, err := engine.New(cfg, func(sh *engine.Shard) engine.Protocol {
		x := &flooder{
			Mesh: mesh.New(sh, s.Peers, s.Mesh.Params(), f.Messages, func(uint32) int { return f.Size }),
			ears: newEars(sh), s: s, first: sh.First, wrote: wrote,
		}
		if f.Rounds() {
			x.rounder = newRounder(sh, s)
		}
		return x
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		return err
	}
	reportFlood(r, e, s, times, covered)
	finish(r, e)
	return nil
}

// reportFlood says who got it; times and covered are the samples.
func reportFlood(r *report.Result, e *engine.Engine, s *scenario.Scenario, times, covered []float64) {
	f := s.Flood
	chart := report.Chart{
		Name: "coverage", Title: "Who has it", X: report.Axis{Label: "time", Unit: "s"}, Y: report.Axis{Label: "share of the peers"},
		Curves: []report.Curve{{Name: "has the message", X: times, Y: covered}},
	}
	delivery, count := report.Fact{Name: "delivery ratio", Value: covered[len(covered)-1]}, "links"
	what := report.Steps{Package: "simulations/mesh", What: "Mesh.Step: relaying, a model of gossipsub", Events: e.Total(engine.Events), Model: true}
	if f.Spread != "mesh" {
		what.Package, what.What = "simulations/worlds", "who calls whom: "+f.Spread
	}
	switch {
	case f.Spread == "push":
		u := pushesOf(s)
		delivery = fact(delivery.Name, delivery.Value, "", finalSize(u.f), "x = 1 − e^(−fx): the final size of an epidemic in which each infects f others (Kermack, McKendrick 1927)")
		if y, ok := u.over(s, times); ok {
			chart.Curves = append(chart.Curves, report.Curve{Name: "1 - e^(-fx), x a way before", X: times, Y: y, Theory: true})
		}
	case f.Rounds():
		delivery, count = fact(delivery.Name, delivery.Value, "", 1, "everybody gets it"), "rounds"
	}
	r.Facts = append(r.Facts, delivery)
	if f.Rounds() {
		reportRounds(r, e, s)
	}
	r.Facts = append(r.Facts, copies(e, s)...)
	r.Facts = append(r.Facts, spans("latency", e.Measured(latency))...)
	r.Charts = append(r.Charts, chart,
		histogram("hops", strings.ToUpper(count[:1])+count[1:]+" a first copy came by", count, 1, e.Measured(hops)),
		cumulative("latency", "From publication to the first copy", "ms", engine.Resolution.Seconds()*1e3, e.Measured(latency)))
	r.Steps = append(r.Steps,
		report.Steps{Package: "p2p/gossip", What: "Ear.Hear, Ear.Tick: a message that comes first is heard", Events: e.Total(floodSteps)}, what)
}

// Start is the protocol's: the writer of a message is drawn.
func (f *flooder) Start(p *engine.Port) {
	if f.s.Flood.Spread == "mesh" {
		f.Mesh.Start(p)
	}
	for m := range uint32(f.s.Flood.Messages) {
		switch {
		case writer(f.s, int(m)) == p.Self():
			p.After(floodAt(f.s, m), publish, m)
		case f.rounder != nil && f.pull:
			p.After(floodAt(f.s, m), turn, m)
		}
	}
}

// floodBegins is when the first message is published: meshes had a heartbeat or more.
var floodBegins = engine.Seconds(1)

// floodAt is when a message is published.
func floodAt(s *scenario.Scenario, msg uint32) engine.Time {
	return floodBegins + ticks(s.Flood.Apart)*engine.Time(msg)
}

// writer draws who publishes a message.
func writer(s *scenario.Scenario, m int) engine.Peer {
	return engine.Peer(engine.Draw(s.Seed^0xf100d, uint32(m), 0) % uint64(s.Peers))
}

// Step is the protocol's.
func (f *flooder) Step(p *engine.Port, ev engine.Event) {
	switch ev.Kind {
	case publish:
		f.publish(p, ev)
	case push:
		p.Count(mesh.Copies, 1)
		if !f.See(p.Local(), ev.Arg) {
			p.Count(mesh.Duplicates, 1)
			return
		}
		f.take(p, ev.Arg, ev.Aux)
		f.push(p, ev)
	case second:
		p.Count(floodSteps, 1)
		f.tick(p.Local(), p.Clock())
	case turn:
		f.call(p, ev.Arg)
	case told:
		f.tell(p, ev.Arg)
	case asked:
		f.answer(p, ev)
	default:
		if msg, hops, first := f.Mesh.Step(p, ev); first {
			f.take(p, msg, hops)
		}
	}
}

// publish has the writer send its message.
func (f *flooder) publish(p *engine.Port, ev engine.Event) {
	f.take(p, ev.Arg, 0)
	switch {
	case f.s.Flood.Spread == "mesh":
		f.Publish(p, ev.Arg)
	case f.rounder != nil:
		f.See(p.Local(), ev.Arg)
		f.came[ev.Arg][0]++
		f.call(p, ev.Arg)
	default:
		f.See(p.Local(), ev.Arg)
		f.push(p, ev)
	}
}

// Touch is the protocol's: what may be heard first needs the Ear too.
func (f *flooder) Touch(soon []engine.Event) uint64 {
	sum := f.Mesh.Touch(soon)
	for i := range soon {
		if k := soon[i].Kind; k >= push || f.Carries(k) {
			sum += f.touch(int(soon[i].To - f.first))
		}
	}
	return sum
}

// push sends a message to some that are drawn, unless this peer does not relay.
func (f *flooder) push(p *engine.Port, ev engine.Event) {
	if f.s.Flood.Relay < 1 && ev.Kind == push && p.Float64() >= f.s.Flood.Relay {
		return
	}
	for range f.s.Flood.Fanout {
		p.Send(engine.Peer(p.IntN(f.s.Peers)), push, ev.Arg, ev.Aux+1, f.s.Flood.Size)
	}
}

// take is what a peer does with a message that it has not had: nobody is short of
// anything, so its Ear hears all. It has a tick when its second is over, and else none.
func (f *flooder) take(p *engine.Port, msg uint32, n uint16) {
	if f.silent(p.Local()) {
		p.After(engine.Seconds(1), second, 0)
	}
	p.Count(floodSteps, 2)
	if f.hear(p.Local(), p.Clock(), f.wrote[msg], 1) {
		p.Count(firsts, 1)
	}
	p.Observe(hops, uint64(n))
	p.Observe(latency, uint64(p.Now()-floodAt(f.s, msg)))
}

// Digest is the protocol's.
func (f *flooder) Digest(id engine.Peer) uint64 { return f.digest(int(id - f.first)) }
