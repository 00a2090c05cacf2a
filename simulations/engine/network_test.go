package engine

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// acts is a protocol of functions, for tests of one thing.
type acts struct {
	start  func(p *Port)
	step   func(p *Port, ev Event)
	digest func(id Peer) uint64
}

func (a *acts) Start(p *Port) {
	if a.start != nil {
		a.start(p)
	}
}

func (a *acts) Step(p *Port, ev Event) {
	if a.step != nil {
		a.step(p, ev)
	}
}

func (a *acts) Digest(id Peer) uint64 {
	if a.digest != nil {
		return a.digest(id)
	}
	return 0
}

// each is acts for all shards. They share what a closes over: run them with one worker.
func (a *acts) each(*Shard) Protocol { return a }

const note = FirstKind // a message of acts

// TestUplink: what is sent at once comes in order and at the rate of the link, also
// where a message takes less than a tick, and what is sent later waits for nothing.
func TestUplink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 2000).Draw(t, "size")
		rate := float64(rapid.IntRange(10_000, 50_000_000).Draw(t, "rate"))
		const n = 300
		var came []Time
		a := &acts{start: func(p *Port) {
			if p.Self() == 0 {
				for i := range n {
					p.Send(1, note, uint32(i), 0, size)
				}
				p.After(Seconds(90), note, n)
			}
		}, step: func(p *Port, ev Event) {
			if ev.From == ev.To {
				p.Send(1, note, n, 0, size)
				return
			}
			if int(ev.Arg) != len(came) {
				t.Fatalf("message %d came as number %d", ev.Arg, len(came))
			}
			came = append(came, p.Now())
		}}
		e, err := New(Config{Peers: 2, Until: Seconds(200), Workers: 1, Network: Network{Uplink: rate}}, a.each)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(came) != n+1 {
			t.Fatalf("%d of %d messages came", len(came), n+1)
		}
		one := float64(size) / rate
		for i, at := range came {
			begun, queue := 0.0, i+1
			if i == n {
				begun, queue = 90, 1
			}
			want := begun + float64(queue)*one + DefaultLatency.Seconds()
			if d := at.Seconds() - want; math.Abs(d) > Resolution.Seconds() {
				t.Fatalf("message %d of %d B at %v B/s came at %v, want %v", i, size, rate, at.Duration(), want)
			}
		}
	})
}

// delays sends n messages from peer 0 to 1, each from a timer of its own, and returns
// how long those took that came.
func delays(t *testing.T, n int, net Network) (took []Time, e *Engine) {
	t.Helper()
	a := &acts{start: func(p *Port) {
		if p.Self() == 0 {
			for i := range n {
				p.After(Time(i+1), note, uint32(i+1))
			}
		}
	}, step: func(p *Port, ev Event) {
		if ev.From == ev.To {
			p.Send(1, note, ev.Arg, 0, 10)
		} else {
			took = append(took, p.Now()-Time(ev.Arg))
		}
	}}
	return took, run(t, Config{Peers: 2, Until: Seconds(60), Workers: 1, Network: net}, a.each)
}

func TestLossAndJitter(t *testing.T) {
	const n = 20_000
	took, e := delays(t, n, Network{Loss: 0.3, Jitter: 20 * time.Millisecond})
	if lost := e.Total(Lost); int(lost)+len(took) != n || math.Abs(float64(lost)/n-0.3) > 0.015 {
		t.Errorf("of %d messages %d were lost and %d came; want 30 %% lost", n, lost, len(took))
	}
	sum := 0.0
	for _, d := range took {
		if d < Ticks(DefaultLatency) {
			t.Fatalf("a message took %v, less than the latency", d.Duration())
		}
		sum += (d - Ticks(DefaultLatency)).Seconds() * 1e3
	}
	if mean := sum / float64(len(took)); math.Abs(mean-20) > 1 {
		t.Errorf("jitter is %v ms at the mean, want 20", mean)
	}
	over := 0
	for _, d := range took {
		if d > Ticks(DefaultLatency+40*time.Millisecond) {
			over++
		}
	}
	if got := float64(over) / float64(len(took)); math.Abs(got-math.Exp(-2)) > 0.02 {
		t.Errorf("%v of the messages had over twice the mean jitter; of an exponential %v", got, math.Exp(-2))
	}
}

// TestPartition: while a partition lasts nothing crosses it, and all else comes.
func TestPartition(t *testing.T) {
	for _, cut := range []Partition{{From: 3000, To: 7000, Share: 0.5}, {From: 3000, To: 7000, Regions: []int{1}}} {
		var sent, came [2]int // within a side, across; outside of the partition's time both are within
		net := Network{Regions: []float64{1, 1}, Partitions: []Partition{cut}}
		var e *Engine
		side := func(now Time, a, b Peer) int {
			if now >= cut.From && now < cut.To && e.links.side(0, a) != e.links.side(0, b) {
				return 1
			}
			return 0
		}
		a := &acts{start: func(p *Port) { p.After(Time(p.IntN(9999)), note, 0) }}
		a.step = func(p *Port, ev Event) {
			if ev.From != ev.To {
				came[side(Time(ev.Arg), ev.From, ev.To)]++
				return
			}
			to := Peer(p.IntN(2000))
			sent[side(p.Now(), p.Self(), to)]++
			if p.Reachable(to) != (side(p.Now(), p.Self(), to) == 0) {
				t.Errorf("%d to %d at %v: reachable is %v", p.Self(), to, p.Now(), p.Reachable(to))
			}
			p.Send(to, note, uint32(p.Now()), 0, 1)
		}
		e, err := New(Config{Peers: 2000, Seed: 3, Until: Seconds(3), Workers: 1, Network: net}, a.each)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if came != [2]int{sent[0], 0} || sent[1] < 300 {
			t.Errorf("%+v: sent within and across %v, came %v", cut, sent, came)
		}
		if e.Total(Cut) != uint64(sent[1]) {
			t.Errorf("%d counted as cut, %d were", e.Total(Cut), sent[1])
		}
	}
}

// TestDrift: a clock is off by the same share of the time at any time, at most Drift,
// and clocks are off by different ones.
func TestDrift(t *testing.T) {
	l := newLinks(Network{Drift: 0.01}, 1000, 5)
	var rates []float64
	for p := range Peer(1000) {
		rate := float64(l.clock(p, Seconds(1000)).Sub(epoch))/1e12 - 1
		if again := float64(l.clock(p, Seconds(10)).Sub(epoch))/1e10 - 1; math.Abs(again-rate) > 1e-9 {
			t.Fatalf("peer %d: off by %v, and later by %v", p, again, rate)
		}
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	if lo, mid, hi := rates[0], rates[500], rates[999]; lo < -0.01 || lo > -0.0095 || hi > 0.01 || hi < 0.0095 || math.Abs(mid) > 0.0015 {
		t.Errorf("clocks are off from %v to %v, half of them less than %v; want evenly from -0.01 to 0.01", lo, hi, mid)
	}
	if got := newLinks(Network{}, 1, 5).clock(0, Seconds(7)).Sub(epoch); got != 7*time.Second {
		t.Errorf("without drift a clock shows %v after 7 s", got)
	}
}

// TestChurn: peers come and go when the schedule says that anybody can ask, as often
// up as the means say; whoever is down gets nothing, and the first ones stay.
func TestChurn(t *testing.T) {
	const peers, every = 600, 1000
	net := Network{Churn: Churn{Up: 2 * time.Second, Down: 500 * time.Millisecond, Keep: 20}}
	up, moved := make([]bool, peers), make([]int, peers)
	var e *Engine
	a := &acts{start: func(p *Port) {
		up[p.Self()] = p.s.engine.links.starts(p.Self())
		for at := Time(every); at < Seconds(30); at += every {
			p.After(at, note, 0)
		}
	}}
	a.step = func(p *Port, ev Event) {
		switch ev.Kind {
		case Up, Down:
			if was := up[p.Self()]; was == (ev.Kind == Up) {
				t.Errorf("peer %d comes or goes twice", p.Self())
			}
			up[p.Self()] = ev.Kind == Up
			moved[p.Self()]++
		default:
			if !up[p.Self()] {
				t.Errorf("peer %d is down and gets an event", p.Self())
			}
		}
	}
	present, samples := 0.0, 0.0
	cfg := Config{Peers: peers, Seed: 9, Until: Seconds(30), Workers: 1, Network: net, SampleEvery: every}
	cfg.Sample = func(e *Engine, now Time) {
		n := 0
		for p := range Peer(peers) {
			if is := e.links.up(p, now-1); is != up[p] {
				t.Errorf("at %v peer %d is up: %v, by the schedule: %v", now, p, up[p], is)
			}
			if up[p] {
				n++
			}
		}
		if e.Present() != n {
			t.Errorf("%d peers are present, want %d", e.Present(), n)
		}
		present, samples = present+float64(n), samples+1
	}
	e = run(t, cfg, a.each)
	if share := (present/samples - 20) / (peers - 20); math.Abs(share-0.8) > 0.02 {
		t.Errorf("peers are up for %v of the time, want 0.8", share)
	}
	if kept := moved[:20]; slices.Max(kept) > 0 || slices.Max(moved) == 0 {
		t.Errorf("the peers that stay moved %v times", kept)
	}
	if e.Total(Events) == 0 {
		t.Error("nothing happened")
	}
}

// TestValidate: what cannot be is refused, and said.
func TestValidate(t *testing.T) {
	nan := math.NaN()
	for want, n := range map[string]Network{
		"it is a probability":       {Loss: nan},
		"bytes per second":          {Uplink: nan},
		"an uplink of 0.1":          {Uplink: 0.1},
		"a drift of NaN":            {Drift: nan},
		"a jitter of -1s":           {Jitter: -time.Second},
		"for 2 regions":             {Regions: []float64{1, 1}, Latency: [][]time.Duration{{time.Second}}},
		"has 1 entries":             {Regions: []float64{1, 1}, Latency: [][]time.Duration{{1e9}, {1e9}}},
		"a latency of 0s":           {Latency: [][]time.Duration{{0}}},
		"share of +Inf":             {Regions: []float64{math.Inf(1)}},
		"somebody has to live":      {Regions: []float64{0, 0}},
		"a share of 0 on one side":  {Partitions: []Partition{{To: 1}}},
		"a partition of region 1":   {Partitions: []Partition{{To: 1, Regions: []int{1}}}},
		"before it begins":          {Partitions: []Partition{{From: 5, To: 5, Share: .5}}},
		"both means":                {Churn: Churn{Up: time.Second}},
		"at least 10ms each":        {Churn: Churn{Up: time.Second, Down: 1}},
		"churn that keeps -1 peers": {Churn: Churn{Keep: -1}},
	} {
		if err := n.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v\nwant it to say %q", n, err, want)
		}
	}
	if err := rough.Validate(); err != nil {
		t.Error(err)
	}
}

// TestPackets: a message is there when the last of its packets is, each of which has a
// jitter and losses of its own, also behind packets that were sent before; what fits one
// packet, or has nothing drawn for it, is as if there were none.
func TestPackets(t *testing.T) {
	const n, mean = 40_000, 10 * time.Millisecond
	took := func(net Network, bytes, before int) (delay time.Duration, lost uint64) {
		sum := time.Duration(0)
		net.Latency, net.Packet = [][]time.Duration{{20 * time.Millisecond}}, 1000
		a := &acts{start: func(p *Port) {
			for range n {
				if p.Self() == 0 {
					p.SendBehind(1, note, 0, 0, bytes, before)
				}
			}
		}, step: func(p *Port, _ Event) { sum += p.Now().Duration() - 20*time.Millisecond }}
		e, err := New(Config{Peers: 2, Until: Seconds(100), Workers: 1, Network: net}, a.each)
		if err == nil {
			err = e.Run(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return sum / n, e.Total(Lost)
	}
	for _, c := range []struct{ bytes, before, packets int }{
		{1, 0, 1}, {1000, 0, 1}, {1001, 0, 2}, {2000, 0, 2}, {2001, 0, 3}, {10, 1, 2}, {2000, 1, 3}, {5_000_000, 0, maxPackets},
	} {
		want := 0.0 // the mean of the greatest of so many exponential spans
		for k := range c.packets {
			want += mean.Seconds() / float64(k+1)
		}
		if got, _ := took(Network{Jitter: mean}, c.bytes, c.before); math.Abs(got.Seconds()/want-1) > 0.03 {
			t.Errorf("%d bytes behind %d packets take %v more than the latency, not %v", c.bytes, c.before, got, want)
		}
		if got, _ := took(Network{}, c.bytes, c.before); got != 0 {
			t.Errorf("%d bytes take %v without jitter", c.bytes, got)
		}
	}
	one, _ := took(Network{Loss: 0.1, Resend: 50 * time.Millisecond}, 1000, 0)
	if two, _ := took(Network{Loss: 0.1, Resend: 50 * time.Millisecond}, 2000, 0); two.Seconds() < 1.7*one.Seconds() {
		t.Errorf("a message of one packet waits for %v, one of two for %v", one, two)
	}
	if _, lost := took(Network{Loss: 0.1}, 1000, 5); math.Abs(float64(lost)/n-0.1) > 0.01 {
		t.Errorf("%d of %d were lost: a message waits for what never comes", lost, n)
	}
}
