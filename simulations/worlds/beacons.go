package worlds

import (
	"cmp"
	"context"
	"math"
	"time"

	"lightcone/beacon"
	"lightcone/internal/portable"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is how often beacons ping: the controller of package beacon, or the rule
// that the idea of beacons came with.

const beaconTick = engine.FirstKind // a timer, every beacon.Tick

// What beacons count.
const (
	pings   = engine.FirstCounter + iota
	decided // times that a peer made up its mind
)

// moments is how many moments a second has at which peers make up their minds, at least:
// of more peers several share one, one event for all, and are looked at in the order in
// which they lie in memory. Nothing that they see depends on the moment.
const moments = 10_000

// heardFor is how long, in samples a second, the inverse rule remembers a beacon: a
// minute.
const heardFor = 60.0 // s

// air is what everybody hears of pings: those written until the last sample. It
// changes while no shard runs, so how a ping spreads is a model: all have it when the
// next sample is taken.
type air struct {
	total  uint32   // pings so far
	heard  int      // distinct beacons within heardFor
	last   []uint32 // sample in which each beacon pinged last, from 1; 0: never
	recent []int    // how many beacons pinged last in each sample
	window int      // heardFor in samples
	sample int
	ear    ears   // one for all: they hear the same
	digest uint64 // of the Ear
}

// pass ends a sample in which these peers pinged, as seed and now have it: a ping is a
// memo that the topic brings.
func (a *air) pass(who []pinged, seed uint64, now time.Time) {
	a.ear.tick(0, now)
	for _, p := range who {
		if a.ear.hear(0, now, authorOf(seed, p.by), uint64(a.sample+1)) { // nobody pings twice in a sample
			a.total++
		}
	}
	a.digest = a.ear.digest(0)
	a.sample++
	a.recent = append(a.recent, 0)
	for _, p := range who {
		if before := int(a.last[p.by]); before > 0 && a.sample-before <= a.window {
			a.recent[before-1]--
		}
		a.last[p.by] = uint32(a.sample)
		a.recent[a.sample-1]++
	}
	a.heard = 0
	for _, n := range a.recent[max(0, len(a.recent)-a.window):] {
		a.heard += n
	}
}

// beaconer is the protocol.
type beaconer struct {
	s        *scenario.Scenario
	air      *air
	lag      *lags
	first    engine.Peer
	emitters []beacon.Emitter
	seen     []uint32 // of air.total, at the last tick
	came     []uint8  // how often each peer came up: a tick of an earlier time is none
	group    int      // so many peers share a moment
	pinged   []pinged
}

func beacons(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	cfg := config(s, o)
	theory, source := s.Beacons.Target, "ρ, the target of the space"
	if s.Beacons.Rule == "inverse" {
		theory, source = inverseRate(s.Beacons.Target, float64(s.Peers)), "the fixed point of p = ρ / N(1 − e^(−60p)): grows as √N"
	}
	lag, err := newLags(s, theory)
	if err != nil {
		return err
	}
	a := &air{last: make([]uint32, s.Peers), window: int(heardFor / cfg.SampleEvery.Seconds()), ear: ears{of: make([]gossip.Ear, 1)}}
	var times, rate []float64
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		var who []pinged
		for p := range e.Protocols {
			b := p.(*beaconer)
			who = append(who, b.pinged...)
			b.pinged = b.pinged[:0]
		}
		a.pass(who, s.Seed, time.Unix(0, 0).Add(now.Duration()))
		if err == nil {
			err = lag.pass(now, who)
		}
		times, rate = append(times, now.Seconds()), append(rate, float64(len(who))/cfg.SampleEvery.Seconds())
		o.tell(e)
	}
	e, failed := engine.New(cfg, func(sh *engine.Shard) engine.Protocol {
		n := sh.Last - sh.First
		b := &beaconer{
			s: s, air: a, lag: lag, first: sh.First, group: groupOf(s),
			emitters: make([]beacon.Emitter, n), seen: make([]uint32, n), came: make([]uint8, n),
		}
		for i := range b.emitters {
			b.emitters[i] = *beacon.NewEmitter(s.Beacons.Target)
		}
		return b
	})
	if failed == nil {
		failed = e.Run(ctx)
	}
	if failed = cmp.Or(failed, err); failed != nil {
		return failed
	}
	half := mean(rate[len(rate)/2:])
	r.Facts = append(r.Facts,
		report.Fact{Name: "pings a second, second half", Value: half, Unit: "1/s", Theory: &theory, Source: source},
		report.Fact{Name: "pings of the target", Value: 100 * half / s.Beacons.Target, Unit: "%"},
		report.Fact{Name: "pings", Value: float64(e.Total(pings))})
	r.Charts = append(r.Charts, report.Chart{
		Name: "rate", Title: "Pings of all beacons together", X: report.Axis{Label: "time", Unit: "s"}, Y: report.Axis{Label: "pings", Unit: "1/s"},
		Curves: []report.Curve{
			{Name: s.Beacons.Rule + ", mean over 10 s", X: times, Y: smooth(rate, int(10/cfg.SampleEvery.Seconds()))},
			{Name: "target", X: []float64{0, times[len(times)-1]}, Y: []float64{s.Beacons.Target, s.Beacons.Target}, Theory: true},
		},
	})
	pkg, model := report.Steps{Package: "beacon", What: "Emitter.Step: whether to ping", Events: e.Total(decided)}, s.Beacons.Rule == "inverse"
	if model {
		pkg = report.Steps{Package: "simulations/worlds", What: "the inverse rule", Events: e.Total(decided), Model: true}
	}
	r.Steps = append(r.Steps, pkg, report.Steps{
		Package: "p2p/gossip", What: "Ear.Hear: each ping, once for all peers, who hear the same", Events: e.Total(pings),
	}, report.Steps{
		Package: "simulations/worlds", What: "how pings spread: all have them at the next sample", Events: e.Total(pings), Model: true,
	})
	lag.report(r, theory)
	finish(r, e)
	return nil
}

// groupOf is how many peers share a moment. Those that come and go do so alone.
func groupOf(s *scenario.Scenario) int {
	if s.Network.Churn != nil {
		return 1
	}
	return max(1, s.Peers/moments)
}

// Start is the protocol's.
func (b *beaconer) Start(p *engine.Port) {
	if p.Local()%b.group > 0 {
		return // the first of the group has its moment
	}
	p.After(engine.Time(p.IntN(int(engine.Ticks(beacon.Tick))))+1, beaconTick, 0)
}

// Step is the protocol's.
func (b *beaconer) Step(p *engine.Port, ev engine.Event) {
	i := p.Local()
	switch {
	case ev.Kind == engine.Up:
		b.came[i]++
		p.After(engine.Ticks(beacon.Tick), beaconTick, uint32(b.came[i]))
		return
	case ev.Kind != beaconTick || uint8(ev.Arg) != b.came[i]:
		return
	}
	now := p.Clock()
	for to := min(i+b.group, len(b.emitters)); i < to; i++ {
		if b.decide(i, now, p.Float64()) {
			p.Count(pings, 1)
			b.pinged = append(b.pinged, pinged{at: p.Now(), by: b.first + engine.Peer(i)})
		}
		p.Count(decided, 1)
	}
	p.After(engine.Ticks(beacon.Tick), beaconTick, ev.Arg)
}

// decide has a peer make up its mind whether to ping.
func (b *beaconer) decide(i int, now time.Time, random float64) bool {
	news := b.air.total - b.seen[i]
	b.seen[i] = b.air.total
	if b.s.Beacons.Rule == "inverse" {
		return random*float64(max(1, b.air.heard)) < b.s.Beacons.Target
	}
	return b.emitters[i].Step(now, beacon.Observed{
		News: !b.s.Beacons.Idle, Pings: int(news), Authors: float64(b.s.Peers), Random: random,
	})
}

// Digest is the protocol's.
func (b *beaconer) Digest(id engine.Peer) uint64 {
	var seen uint64
	if id == 0 {
		seen = b.lag.sum
	}
	return seen ^ uint64(b.air.last[id]) ^ b.air.digest ^ math.Float64bits(b.emitters[id-b.first].Chance()) ^ math.Float64bits(b.emitters[id-b.first].Rate())<<1
}

// inverseRate is the rate at which the inverse rule comes to rest: p is ρ by how many
// distinct beacons ping within a minute, which are N(1 − e^(−60p)).
func inverseRate(rho, n float64) float64 {
	lo, hi := 0.0, 1.0
	for range 100 {
		p := (lo + hi) / 2
		if p*math.Max(1, n*(1-portable.Exp(-heardFor*p))) < rho {
			lo = p
		} else {
			hi = p
		}
	}
	return n * math.Min(1, hi)
}
