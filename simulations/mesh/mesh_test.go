package mesh

import (
	"testing"
	"time"

	"lightcone/simulations/engine"
)

// publish has one peer send one message, and nothing more.
type publish struct{ *Mesh }

const say = FirstKind

func (f *publish) Start(p *engine.Port) {
	f.Mesh.Start(p)
	if p.Self() == 0 {
		p.After(engine.Seconds(4), say, 0)
	}
}

func (f *publish) Step(p *engine.Port, ev engine.Event) {
	if ev.Kind == say {
		f.Publish(p, ev.Arg)
	} else {
		f.Mesh.Step(p, ev)
	}
}

func (f *publish) Digest(id engine.Peer) uint64 { return uint64(f.Degree(int(id - f.first))) }

// spread publishes one message and returns the share of the peers that got it, and the
// engine.
func spread(t *testing.T, peers int, params Params, net engine.Network) (float64, *engine.Engine) {
	t.Helper()
	e, err := engine.New(engine.Config{Peers: peers, Seed: 3, Until: engine.Seconds(9), Network: net}, func(s *engine.Shard) engine.Protocol {
		return &publish{Mesh: New(s, peers, params, 1, func(uint32) int { return 400 })}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for p := range e.Protocols {
		m := p.(*publish)
		for i := range m.count() {
			if m.Seen(i, 0) {
				seen++
			}
			if d := m.Degree(i); d < 1 && net.Churn.Up == 0 || d > params.High+slack {
				t.Errorf("a peer has %d links", d)
			}
		}
	}
	return float64(seen) / float64(peers), e
}

// count is how many peers a shard has.
func (f *publish) count() int { return len(f.rows.all) / f.rows.stride }

// meanDegree is how many links a peer has, those that are gone among them.
func meanDegree(e *engine.Engine) float64 {
	sum := 0
	for p := range e.Protocols {
		m := p.(*publish)
		for i := range m.count() {
			sum += m.Degree(i)
		}
	}
	return float64(sum) / float64(e.Peers())
}

// TestEverybodyGetsIt: a message reaches all in as many copies as peers have links,
// less the ones it came by; with loss, IHAVE brings what links lost.
func TestEverybodyGetsIt(t *testing.T) {
	for _, p := range []Params{Production, Gossipsub} {
		got, e := spread(t, 5000, p, engine.Network{})
		copies, links := float64(e.Total(Copies))/5000, meanDegree(e)
		if got != 1 || copies < links-1.01 || copies > links-0.7 {
			t.Errorf("degree %d: %v of the peers got it, in %v copies over %v links a peer", p.D, got, copies, links)
		}
		if links < float64(p.Low) || links >= float64(p.High) {
			t.Errorf("degree %d, at rest from %d to %d: %v links a peer", p.D, p.Low, p.High-1, links)
		}
	}
	without := Production
	without.Lazy = 0
	lossy := engine.Network{Loss: 0.2}
	got, _ := spread(t, 5000, without, lossy)
	if told, _ := spread(t, 5000, Production, lossy); told < (1+got)/2 {
		t.Errorf("with 20 %% loss %v of the peers got it, and %v where ids are told", got, told)
	}
}

// TestMeshMends: while peers come and go, those that are there have links.
func TestMeshMends(t *testing.T) {
	churn := engine.Network{Churn: engine.Churn{Up: 2 * time.Second, Down: 2 * time.Second, Keep: 1}}
	got, e := spread(t, 5000, Production, churn)
	if e.Total(Grafts) == 0 || e.Total(Prunes) == 0 {
		t.Errorf("%d grafts and %d prunes: nothing was mended", e.Total(Grafts), e.Total(Prunes))
	}
	if links := meanDegree(e); links < 0.4*float64(Production.D) {
		t.Errorf("%v links a peer, half of which are there", links)
	}
	if got < 0.45 {
		t.Errorf("%v of the peers got a message while half of them were there", got)
	}
}

// TestLargeMessagesAreRefused: who has a large message says so to its links, and is
// sent no copy by those that get it later.
func TestLargeMessagesAreRefused(t *testing.T) {
	u, r := unwanted{}, make(row, 1)
	u.add(0, r, 7, 3)
	for range unwantedBeats {
		if !u.has(0, r, 7, 3) || u.has(0, r, 7, 4) || u.has(0, r, 8, 3) {
			t.Fatal("it refuses another message than the one it should")
		}
		u.pass(0, r)
	}
	if u.has(0, r, 7, 3) || len(u) > 0 {
		t.Fatalf("a refusal is remembered after %d heartbeats", unwantedBeats)
	}
}

// TestLargeMessagesCostLess: over links that are not all as long, large messages come
// in fewer copies than small ones, and still to everybody.
func TestLargeMessagesCostLess(t *testing.T) {
	copies := func(size int) float64 {
		cfg := engine.Config{Peers: 3000, Seed: 3, Until: engine.Seconds(9), Network: engine.Network{Jitter: 100 * time.Millisecond}}
		e, err := engine.New(cfg, func(s *engine.Shard) engine.Protocol {
			return &publish{Mesh: New(s, 3000, Gossipsub, 1, func(uint32) int { return size })}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := e.Total(Copies) - e.Total(Duplicates); got != 2999 {
			t.Errorf("a message of %d B came to %d peers", size, got)
		}
		return float64(e.Total(Copies)) / 3000
	}
	if small, large := copies(unwantedFrom-1), copies(unwantedFrom); large > 0.97*small {
		t.Errorf("%v copies a peer of a large message, %v of a small one", large, small)
	}
}

// TestRefusalHolds: who said that it has a message is not sent it, by nobody's relaying
// and not when it asks.
func TestRefusalHolds(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		sent := 0
		a := &asking{refuses: refuses, sent: &sent}
		e, err := engine.New(engine.Config{Peers: 2, Until: engine.Seconds(1), Workers: 1}, func(s *engine.Shard) engine.Protocol {
			a.Mesh = New(s, 2, Production, 1, func(uint32) int { return unwantedFrom })
			return a
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if (sent == 0) != refuses {
			t.Errorf("peer 1 refuses: %v; it was sent %d copies", refuses, sent)
		}
	}
}

// asking has peer 1 ask peer 0 for a message, having refused it or not.
type asking struct {
	*Mesh
	refuses bool
	sent    *int
}

func (a *asking) Start(p *engine.Port) {
	if p.Self() == 0 {
		a.See(0, 0)
		return
	}
	if a.refuses {
		p.Send(0, unwant, 0, 0, 1)
	}
	p.Send(0, iwant, 0, 0, 1)
}

func (a *asking) Step(p *engine.Port, ev engine.Event) {
	if a.Carries(ev.Kind) {
		*a.sent++
	}
	a.Mesh.Step(p, ev)
}

func (a *asking) Digest(engine.Peer) uint64 { return 0 }

// TestLinksAreMutual: whose link a peer is, is a link of it, but for what is under way.
func TestLinksAreMutual(t *testing.T) {
	_, e := spread(t, 2000, Production, engine.Network{})
	links := map[[2]engine.Peer]bool{}
	for p := range e.Protocols {
		m := p.(*publish)
		for i := range m.count() {
			for _, to := range m.Links(i) {
				links[[2]engine.Peer{m.first + engine.Peer(i), to}] = true
			}
		}
	}
	alone := 0
	for l := range links {
		if !links[[2]engine.Peer{l[1], l[0]}] {
			alone++
		}
	}
	if alone*100 > len(links) {
		t.Errorf("of %d links %d are of one side", len(links), alone)
	}
}

// TestComebacksBeat: a peer that comes back beats once a heartbeat, as one that stayed.
func TestComebacksBeat(t *testing.T) {
	params := Production
	params.Lazy = 0
	for _, down := range []time.Duration{20 * time.Millisecond, 2 * time.Second} { // shorter than a heartbeat, and longer
		beats, all, ups := 0.0, 0.0, 0.0
		net := engine.Network{Churn: engine.Churn{Up: 2 * time.Second, Down: down}}
		cfg := engine.Config{Peers: 500, Seed: 4, Until: engine.Seconds(40), Network: net, Workers: 1, SampleEvery: engine.Seconds(1)}
		cfg.Sample = func(e *engine.Engine, _ engine.Time) { ups += float64(e.Present()) }
		e, err := engine.New(cfg, func(s *engine.Shard) engine.Protocol {
			return &counting{publish{Mesh: New(s, 500, params, 1, func(uint32) int { return 400 })}, &beats, &all}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A peer that is up for 2 s at the mean begins to beat a heartbeat after it came.
		want := ups / params.Heartbeat.Seconds()
		if got := beats / want; got < 0.8 || got > 1.02 {
			t.Errorf("down for %v: %.2f of the beats that peers which are up have", down, got)
		}
		if got := all / want; got > 1.2 { // the timer of the time before may end after it, once
			t.Errorf("down for %v: with those of earlier times %.2f of the beats", down, got)
		}
	}
}

// counting counts the beats of all peers, and those that are not of an earlier time.
type counting struct {
	publish
	beats, all *float64
}

func (c *counting) Step(p *engine.Port, ev engine.Event) {
	if ev.Kind == beat {
		*c.all++
		if ev.Arg == c.rows.of(p.Local()).life() {
			*c.beats++
		}
	}
	c.publish.Step(p, ev)
}
