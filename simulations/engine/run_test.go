package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestShards: every peer is in one shard, which is found, whatever their number.
func TestShards(t *testing.T) {
	for _, peers := range []int{1, 2, 3, 255, 256, 257, 511, 512, 513, 1000, 16383, 16384, 16385, 65537, 100_003} {
		e, err := New(Config{Peers: peers, Until: 1, Workers: 1}, (&acts{}).each)
		if err != nil {
			t.Fatal(err)
		}
		next := Peer(0)
		for i, s := range e.shards {
			if s.First != next || s.Last <= s.First {
				t.Fatalf("%d peers: shard %d from %d to %d, want from %d", peers, i, s.First, s.Last, next)
			}
			for ; next < s.Last; next++ {
				if got := e.shardOf(next); got != i {
					t.Fatalf("%d peers: peer %d is in shard %d, found in %d", peers, next, i, got)
				}
			}
		}
		if int(next) != peers || len(e.shards) > MaxShards {
			t.Errorf("%d peers in %d shards: %d of them", peers, len(e.shards), next)
		}
	}
}

// TestSampleTimes: samples are taken at every multiple of their distance and at the
// end, once each, also where the run is stopped and goes on after each of them, and
// events far off keep the wheels busy.
func TestSampleTimes(t *testing.T) {
	a := &acts{start: func(p *Port) { p.After(15_000+Time(p.Self()), note, 0) }}
	for _, until := range []Time{16_000, 15_950, 90, 100} {
		var want, got, now []Time
		for at := Time(100); at < until; at += 100 {
			want = append(want, at)
		}
		want = append(want, until)
		ctx, cancel := context.WithCancel(t.Context())
		cfg := Config{Peers: 700, Until: until, Workers: 1, SampleEvery: 100}
		cfg.Network.Latency = [][]time.Duration{{Resolution}}
		cfg.Sample = func(_ *Engine, at Time) { got = append(got, at); cancel() }
		e, err := New(cfg, a.each)
		if err != nil {
			t.Fatal(err)
		}
		for {
			err := e.Run(ctx)
			now = append(now, e.Now())
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			ctx, cancel = context.WithCancel(t.Context())
		}
		cancel()
		if !slices.Equal(got, want) {
			t.Errorf("until %d: samples at %v", until, got)
		}
		if !slices.IsSorted(now) {
			t.Errorf("until %d: time went back: %v", until, now)
		}
	}
}

// TestResume: a run that is stopped and goes on ends as one that was not.
func TestResume(t *testing.T) {
	cfg := Config{Peers: 3000, Seed: 7, Until: Seconds(1), Network: rough, Workers: 2, SampleEvery: Seconds(0.1), Sample: func(*Engine, Time) {}}
	want := run(t, cfg, newFlood).Hash()
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Sample = func(*Engine, Time) { cancel() }
	e, err := New(cfg, newFlood)
	if err != nil {
		t.Fatal(err)
	}
	stops := 0
	for ; e.Run(ctx) != nil; stops++ {
		ctx, cancel = context.WithCancel(t.Context())
	}
	cancel()
	if stops < 9 || e.Now() != cfg.Until || e.Hash() != want {
		t.Errorf("after %d stops at %v the result is another", stops, e.Now())
	}
}

// TestExchangeOrder: messages of one moment come in the order of their senders'
// shards, with any number of workers.
func TestExchangeOrder(t *testing.T) {
	const peers = 20_000
	for _, workers := range []int{1, 4} {
		var came []Peer
		a := &acts{start: func(p *Port) {
			if p.Self() > 0 {
				p.Send(0, note, 0, 0, 1)
			}
		}, step: func(_ *Port, ev Event) { came = append(came, ev.From) }}
		e := run(t, Config{Peers: peers, Until: Seconds(1), Workers: workers}, a.each)
		if len(came) != peers-1 {
			t.Fatalf("%d messages came", len(came))
		}
		if !slices.IsSortedFunc(came, func(a, b Peer) int { return e.shardOf(a) - e.shardOf(b) }) {
			t.Error("messages came in another order than that of the shards")
		}
	}
}

// TestNothingIsLate: a message comes when the network says, also to a shard that ran
// before the one that sent it, and no shard's time goes back.
func TestNothingIsLate(t *testing.T) {
	const peers = 1000
	for _, latency := range []time.Duration{Resolution, 70 * Resolution, 5000 * Resolution} {
		sent, came, last := 0, 0, map[Peer]Time{}
		a := &acts{start: func(p *Port) {
			for range 20 {
				p.After(Time(p.IntN(20_000)), note, 0)
			}
		}}
		a.step = func(p *Port, ev Event) {
			if now := last[p.s.First]; p.Now() < now || p.Now() != ev.At {
				t.Fatalf("an event of %d comes at %d, after one at %d", ev.At, p.Now(), now)
			}
			last[p.s.First] = p.Now()
			if ev.From == ev.To {
				sent++
				p.Send((p.Self()+1+Peer(p.IntN(peers-1)))%peers, note, uint32(p.Now()), 0, 1)
				return
			}
			if came++; p.Now() != Time(ev.Arg)+Ticks(latency) {
				t.Fatalf("a message of %d came at %d", ev.Arg, p.Now())
			}
		}
		run(t, Config{Peers: peers, Until: Seconds(4), Workers: 1, Network: Network{Latency: [][]time.Duration{{latency}}}}, a.each)
		if sent != 20*peers || came != sent {
			t.Errorf("%d messages sent, %d came", sent, came)
		}
	}
}

// TestHashCovers: another state of one peer, another count, or an event that differs
// in anything is another hash.
func TestHashCovers(t *testing.T) {
	hash := func(change func(a *acts)) [32]byte {
		a := &acts{
			start:  func(p *Port) { p.After(5, note, 1) },
			step:   func(p *Port, ev Event) {},
			digest: func(id Peer) uint64 { return uint64(id) },
		}
		change(a)
		return run(t, Config{Peers: 600, Until: Seconds(1), Workers: 1}, a.each).Hash()
	}
	start := func(act func(p *Port)) func(a *acts) {
		return func(a *acts) {
			a.start = func(p *Port) {
				if p.Self() == 500 {
					act(p)
				} else {
					p.After(5, note, 1)
				}
			}
		}
	}
	seen := map[[32]byte]string{hash(func(*acts) {}): "nothing"}
	for name, change := range map[string]func(a *acts){
		"state": func(a *acts) { a.digest = func(id Peer) uint64 { return uint64(id) + uint64(id/599) } },
		"a counter": func(a *acts) {
			a.step = func(p *Port, _ Event) {
				if p.Self() == 0 {
					p.Count(MaxCounters-1, 1)
				}
			}
		},
		"time":        start(func(p *Port) { p.After(6, note, 1) }),
		"kind":        start(func(p *Port) { p.After(5, note+1, 1) }),
		"arg":         start(func(p *Port) { p.After(5, note, 2) }),
		"no event":    start(func(*Port) {}),
		"from itself": start(func(p *Port) { p.Send(500, note, 1, 0, 1) }),
		"from other":  start(func(p *Port) { p.Send(501, note, 1, 0, 1) }),
		"aux":         start(func(p *Port) { p.Send(500, note, 1, 1, 1) }),
	} {
		h := hash(change)
		if other, there := seen[h]; there {
			t.Errorf("a change of %s has the hash of a change of %s", name, other)
		}
		seen[h] = name
	}
}

// TestDrawsAreOwn: a peer draws the same numbers whatever others do, and others than they.
func TestDrawsAreOwn(t *testing.T) {
	draws := func(busy bool) (one, other []uint64) {
		a := &acts{start: func(p *Port) {
			for range 5 {
				p.After(Time(1+p.Self()%7), note, 0)
			}
		}, step: func(p *Port, _ Event) {
			switch n := p.Uint64(); {
			case p.Self() == 300:
				one = append(one, n)
			case p.Self() == 301:
				other = append(other, n)
			case busy:
				p.IntN(3)
			}
		}}
		run(t, Config{Peers: 600, Seed: 5, Until: Seconds(1), Workers: 1}, a.each)
		return one, other
	}
	one, other := draws(false)
	again, _ := draws(true)
	if len(one) != 5 || !slices.Equal(one, again) {
		t.Errorf("a peer drew %v, and where others draw more %v", one, again)
	}
	for _, n := range one {
		if slices.Contains(other, n) {
			t.Errorf("two peers drew %d", n)
		}
	}
}

// TestDigestsApart: no bit of one field of an event undoes that of another in its hash.
func TestDigestsApart(t *testing.T) {
	one := Event{At: 7, To: 9, From: 11, Arg: 13, Aux: 15, Kind: 17}
	var all []Event
	for bit := range 32 {
		for _, flip := range []func(*Event){
			func(e *Event) { e.At ^= 1 << bit }, func(e *Event) { e.To ^= 1 << bit }, func(e *Event) { e.From ^= 1 << bit },
			func(e *Event) { e.Arg ^= 1 << bit }, func(e *Event) { e.Aux ^= 1 << bit }, func(e *Event) { e.Kind ^= 1 << bit },
		} {
			ev := one
			if flip(&ev); ev != one {
				all = append(all, ev)
			}
			for _, second := range []func(*Event){
				func(e *Event) { e.Arg ^= 1 << (bit ^ 24) }, func(e *Event) { e.From ^= 1 << (bit ^ 24) },
				func(e *Event) { e.Aux ^= 1 << (bit ^ 8) }, func(e *Event) { e.Kind ^= 1 << (bit ^ 8) },
			} {
				both := ev
				if second(&both); both != ev && both != one {
					all = append(all, both)
				}
			}
		}
	}
	seen := map[uint64]Event{}
	for _, ev := range all {
		h := ev.digest(1)
		if other, there := seen[h]; there && other != ev {
			t.Fatalf("%+v and %+v have one digest", ev, other)
		}
		seen[h] = ev
	}
}

// TestSpans: no span is longer than End, however it is given.
func TestSpans(t *testing.T) {
	for _, got := range []Time{Seconds(1e300), Seconds(1e10), Seconds(End.Seconds()), Ticks(1<<63 - 1), Ticks(End.Duration())} {
		if got != End {
			t.Errorf("a span of %d ticks; want End", got)
		}
	}
	if Seconds(-1) != 0 || Seconds(1) != 10_000 || Ticks(149*time.Microsecond) != 1 || Ticks(150*time.Microsecond) != 2 {
		t.Error("spans are not rounded to ticks")
	}
	for _, x := range []uint64{0, 1, 1 << 32, 1 << 60} {
		if got := exponential(1<<63-1, x); got != End {
			t.Errorf("a session of ages lasts %d ticks", got)
		}
	}
}

// TestExponential: spans are −mean · ln(x/2⁶⁴), as math.Log has it, and never grow
// with x.
func TestExponential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mean := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "mean"))
		x := rapid.Uint64().Draw(t, "x") >> rapid.IntRange(0, 63).Draw(t, "shift")
		got := exponential(mean, x)
		want := -math.Log(float64(x|1)/(1<<64)) * float64(mean) / float64(Resolution)
		if off := math.Abs(float64(got) - max(1, want)); off > 0.51+3e-6*float64(mean)/float64(Resolution) {
			t.Fatalf("of %v at %x: %d ticks, want %v", mean, x, got, want)
		}
		if x < 1<<64-1<<50 && exponential(mean, x+1<<50) > got {
			t.Fatalf("of %v, more at %x than before it", mean, x+1<<50)
		}
	})
}
