package worlds

import (
	"context"
	"time"

	"lightcone/memo"
	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is churn: peers come and go while a few that stay write, one message after
// the other.

// The events of churn, behind those of the mesh.
const (
	speak  = mesh.FirstKind + iota // a timer: Arg is the message
	judge                          // a timer: was message Arg heard in time?
	meet                           // a timer: Arg is the life of the peer that set it
	hello                          // Arg is the first message that the sender lacks
	lacked                         // a message that the receiver said it lacks
)

// What churn counts.
const (
	were   = mesh.FirstCounter + iota // peers that were there for a message
	heard                             // of these, in time
	caught                            // messages that recon brought
	hellos
	churnSteps // calls of Ear
)

// What churn measures, in ticks.
const (
	afterBack  engine.Measure = iota // from the return of a peer to a message that it missed
	afterWrite                       // from publication to a first copy by the mesh
)

// churner is the protocol of churn.
type churner struct {
	*mesh.Mesh
	ears
	s     *scenario.Scenario
	first engine.Peer
	wrote []memo.Author // keys of those that write
	since []engine.Time // when each peer came
	life  []uint32      // how often it came
	whole []uint32      // messages before this one it has all
	next  []uint32      // the first message that is not judged yet
	n     uint32        // messages
}

func churn(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	cfg := config(s, o)
	var times, degree, grafts []float64
	before := uint64(0)
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		links := 0
		for p := range e.Protocols {
			c := p.(*churner)
			for i := range c.since {
				links += c.Degree(i)
			}
		}
		made := e.Total(mesh.Grafts)
		times = append(times, now.Seconds())
		degree = append(degree, float64(links)/float64(max(1, e.Present())))
		grafts = append(grafts, float64(made-before)/float64(max(1, e.Present()))/cfg.SampleEvery.Seconds())
		before = made
		o.tell(e)
	}
	wrote := make([]memo.Author, s.Network.Churn.Keep)
	for p := range wrote {
		wrote[p] = authorOf(s.Seed, engine.Peer(p))
	}
	e, err := engine.New(cfg, func(sh *engine.Shard) engine.Protocol { return newChurner(sh, s, wrote) })
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		return err
	}
	share := func(a, b uint64) float64 { return float64(a) / float64(max(1, b)) }
	up := time.Duration(s.Network.Churn.Up).Seconds() / (time.Duration(s.Network.Churn.Up) + time.Duration(s.Network.Churn.Down)).Seconds()
	r.Facts = append(r.Facts,
		report.Fact{Name: "delivery ratio of those present", Value: share(e.Total(heard), e.Total(were))},
		report.Fact{
			Name: "peers present", Value: 100 * share(uint64(e.Present()), uint64(s.Peers)), Unit: "%", Theory: percent(up),
			Source: "up / (up + down), of those that come and go",
		},
		report.Fact{Name: "links of a peer, mean", Value: mean(degree[len(degree)/2:])},
		report.Fact{Name: "grafts a peer", Value: mean(grafts[len(grafts)/2:]), Unit: "1/s"},
		report.Fact{Name: "prunes in all", Value: float64(e.Total(mesh.Prunes))},
		report.Fact{Name: "messages that recon brought, a peer", Value: share(e.Total(caught), uint64(s.Peers))},
		report.Fact{Name: "duplicates", Value: 100 * share(e.Total(mesh.Duplicates), e.Total(mesh.Copies)), Unit: "%"},
		report.Fact{Name: "bytes sent a peer", Value: share(e.Total(engine.SentBytes), uint64(s.Peers)), Unit: "B"})
	r.Facts = append(r.Facts, spans("latency", e.Measured(afterWrite))...)
	r.Facts = append(r.Facts, spans("found after coming back", e.Measured(afterBack))...)
	ms := engine.Resolution.Seconds() * 1e3
	r.Charts = append(r.Charts,
		report.Chart{
			Name: "degree", Title: "The mesh while peers come and go", X: report.Axis{Label: "time", Unit: "s"}, Y: report.Axis{Label: "per peer present"},
			Curves: []report.Curve{{Name: "links", X: times, Y: degree}, {Name: "grafts a second", X: times, Y: grafts}},
		},
		cumulative("missed", "From coming back to each message missed", "ms", ms, e.Measured(afterBack)),
		cumulative("latency", "From publication to the first copy", "ms", ms, e.Measured(afterWrite)))
	r.Steps = append(r.Steps,
		report.Steps{Package: "p2p/gossip", What: "Ear.Hear, Ear.Tick: a message that comes first is heard", Events: e.Total(churnSteps)},
		report.Steps{Package: "simulations/mesh", What: "Mesh.Step: relaying, a model of gossipsub", Events: e.Total(engine.Events) - e.Total(hellos) - e.Total(caught), Model: true},
		report.Steps{Package: "simulations/worlds", What: "recon: one hello, and what is lacked comes back", Events: e.Total(hellos) + e.Total(caught), Model: true})
	finish(r, e)
	return nil
}

func newChurner(sh *engine.Shard, s *scenario.Scenario, wrote []memo.Author) *churner {
	n, messages := sh.Last-sh.First, s.Churn.Messages(s)
	return &churner{
		Mesh: mesh.New(sh, s.Peers, s.Mesh.Params(), messages, func(uint32) int { return s.Churn.Size }),
		ears: newEars(sh), s: s, first: sh.First, wrote: wrote, n: uint32(messages),
		since: make([]engine.Time, n), life: make([]uint32, n), whole: make([]uint32, n), next: make([]uint32, n),
	}
}

func percent(x float64) *float64 { x *= 100; return &x }

// published is when a message is.
func (c *churner) published(msg uint32) engine.Time {
	return engine.Ticks(scenario.ChurnBegins) + ticks(c.s.Churn.Apart)*engine.Time(msg)
}

// Start is the protocol's: those that stay write in turn.
func (c *churner) Start(p *engine.Port) {
	c.Mesh.Start(p)
	keep := uint32(c.s.Network.Churn.Keep)
	for m := p.Self(); p.Self() < engine.Peer(keep) && m < c.n; m += engine.Peer(keep) {
		p.After(c.published(m), speak, m)
	}
	c.come(p)
}

// come is what a peer does when it is there, again.
func (c *churner) come(p *engine.Port) {
	i := p.Local()
	c.life[i]++
	c.since[i] = p.Now()
	if p.Now() > 0 {
		c.greet(p)
	}
	c.later(p)
	next := uint32(0)
	if begun := c.published(0); p.Now() > begun {
		next = uint32((p.Now()-begun)/ticks(c.s.Churn.Apart)) + 1
	}
	c.judgeNext(p, next)
}

// later sets the timer of the next comparison.
func (c *churner) later(p *engine.Port) {
	every := ticks(c.s.Churn.Sync)
	p.After(every/2+engine.Time(p.IntN(int(every)+1)), meet, c.life[p.Local()])
}

// judgeNext sets the timer that judges a message.
func (c *churner) judgeNext(p *engine.Port, msg uint32) {
	if msg < c.n {
		p.After(c.published(msg)+ticks(c.s.Churn.Grace)-p.Now(), judge, msg)
	}
}

// greet tells some peer what is lacked here.
func (c *churner) greet(p *engine.Port) {
	if to, ok := c.Other(p); ok {
		p.Send(to, hello, c.lacks(p.Local()), 0, helloBytes)
	}
}

// helloBytes is what a hello of recon and its answer take when nothing differs.
const helloBytes = 300

// lacks returns the first message that a peer has not.
func (c *churner) lacks(i int) uint32 {
	for c.whole[i] < c.n && c.Seen(i, c.whole[i]) {
		c.whole[i]++
	}
	return c.whole[i]
}

// Step is the protocol's.
func (c *churner) Step(p *engine.Port, ev engine.Event) {
	i := p.Local()
	switch ev.Kind {
	case speak:
		c.Publish(p, ev.Arg)
	case judge:
		if ev.Arg < c.next[i] {
			break // a timer from before the peer was away, for a message judged since
		}
		if c.next[i] = ev.Arg + 1; c.since[i] <= c.published(ev.Arg) {
			p.Count(were, 1)
			if c.Seen(i, ev.Arg) {
				p.Count(heard, 1)
			}
		}
		c.judgeNext(p, ev.Arg+1)
	case meet:
		if ev.Arg == c.life[i] {
			c.greet(p)
			c.later(p)
		}
	case hello:
		p.Count(hellos, 1)
		for m := ev.Arg; m < c.n && c.published(m) <= p.Now(); m++ {
			if c.Seen(i, m) {
				p.Send(ev.From, lacked, m, 0, c.s.Churn.Size)
			}
		}
	case lacked:
		if c.See(i, ev.Arg) {
			p.Count(caught, 1)
			if c.published(ev.Arg) < c.since[i] {
				p.Observe(afterBack, uint64(p.Now()-c.since[i]))
			}
		}
	case engine.Up:
		c.Mesh.Step(p, ev)
		c.forget(i)
		c.come(p)
	default:
		if msg, _, first := c.Mesh.Step(p, ev); first {
			c.take(p, msg)
		}
	}
}

// take is what a peer does with a message that comes by the mesh: its Ear hears it. What
// recon brings was asked for, and is no offer.
func (c *churner) take(p *engine.Port, msg uint32) {
	p.Count(churnSteps, 2)
	keep := uint32(len(c.wrote))
	if c.hear(p.Local(), p.Clock(), c.wrote[msg%keep], uint64(msg/keep)+1) {
		p.Observe(afterWrite, uint64(p.Now()-c.published(msg)))
	}
}

// Digest is the protocol's.
func (c *churner) Digest(id engine.Peer) uint64 {
	i := int(id - c.first)
	return c.digest(i)<<1 ^ (uint64(c.lacks(i))<<8 | uint64(c.Degree(i)))
}
