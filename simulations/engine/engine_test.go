package engine

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// flood is a small protocol for tests: a message is passed on to a few others, drawn
// anew, by whoever gets it first; now and then somebody begins another one.
type flood struct {
	seen []uint32 // bit set of messages, one word a peer
}

const (
	begin = FirstKind + iota
	carry
)

func newFlood(s *Shard) Protocol { return &flood{seen: make([]uint32, s.Last-s.First)} }

func (f *flood) Start(p *Port) {
	if p.Self()%100 == 0 {
		p.After(Time(p.IntN(5000)), begin, p.Self()/100%32)
	}
}

func (f *flood) Step(p *Port, ev Event) {
	if ev.Kind != begin && ev.Kind != carry {
		return
	}
	if f.seen[p.Local()]&(1<<ev.Arg) != 0 {
		return
	}
	f.seen[p.Local()] |= 1 << ev.Arg
	if l := p.s.engine.links; !l.up(p.Self(), p.Now()) && !l.up(p.Self(), p.Now()-1) { // it may leave in this very tick
		panic("an event of a peer that is down by the schedule")
	}
	p.Count(FirstCounter, 1)
	p.Observe(0, uint64(ev.Aux))
	for range 4 {
		p.Send(Peer(p.IntN(p.s.engine.Peers())), carry, ev.Arg, ev.Aux+1, 100)
	}
}

func (f *flood) Digest(id Peer) uint64 { return uint64(f.seen[int(id)%len(f.seen)]) }

// rough is a network with everything in it.
var rough = Network{
	Regions: []float64{1, 2}, Latency: [][]time.Duration{{5 * time.Millisecond, 40 * time.Millisecond}, {40 * time.Millisecond, 9 * time.Millisecond}},
	Jitter: 10 * time.Millisecond, Loss: 0.1, Uplink: 1e5, Drift: 1e-4,
	Partitions: []Partition{{From: Seconds(0.2), To: Seconds(0.4), Share: 0.5}, {From: Seconds(0.5), To: Seconds(0.6), Regions: []int{1}}},
	Churn:      Churn{Up: time.Second, Down: 300 * time.Millisecond, Keep: 10},
}

func run(t testing.TB, cfg Config, protocol func(*Shard) Protocol) *Engine {
	t.Helper()
	e, err := New(cfg, protocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWorkersDoNotShow: the same seed gives the same result with any number of
// workers, and another seed another.
func TestWorkersDoNotShow(t *testing.T) {
	cfg := Config{Peers: 5000, Seed: 7, Until: Seconds(2), Network: rough, Workers: 1}
	want := run(t, cfg, newFlood)
	for _, c := range []Counter{Events, Sent, Lost, Cut, Absent, FirstCounter} {
		if want.Total(c) == 0 {
			t.Errorf("counter %d is 0: the test shows nothing of it", c)
		}
	}
	for _, workers := range []int{2, 3, 7} {
		cfg.Workers = workers
		if got := run(t, cfg, newFlood); got.Hash() != want.Hash() {
			t.Errorf("%d workers gave another result than one", workers)
		}
	}
	cfg.Seed++
	if run(t, cfg, newFlood).Hash() == want.Hash() {
		t.Error("another seed gave the same result")
	}
}

// TestWheel: events come by time, and those of one moment in the order in which they
// were added, as a stable sort has them.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWheel(rapid.SampledFrom([]Time{1, 2, 100, 512, 1 << 20}).Draw(t, "day"))
		w.memory = &memory{depot: new(depot)}
		var want, got []Event
		add := func(n int) {
			for range n {
				bits := rapid.IntRange(0, 31).Draw(t, "bits")
				for range rapid.SampledFrom([]int{1, 1, 1, 3 * chunkEvents}).Draw(t, "times") {
					ev := Event{At: w.now.plus(Time(rapid.Uint32Range(0, 1<<bits).Draw(t, "in"))), Arg: uint32(len(want))}
					if ev.At < End {
						w.add(&ev)
						want = append(want, ev)
					}
				}
			}
		}
		add(rapid.IntRange(0, 20).Draw(t, "first"))
		for at := w.next(); at < End; at = w.next() {
			w.advance(at)
			for ev := w.take(); ev != nil; ev = w.take() {
				got = append(got, *ev)
			}
			if len(want) < 200 {
				add(rapid.IntRange(0, 3).Draw(t, "more"))
			}
		}
		slices.SortStableFunc(want, func(a, b Event) int { return int(int64(a.At) - int64(b.At)) })
		if !slices.Equal(got, want) {
			t.Fatalf("came in another order\n got %v\nwant %v", got, want)
		}
	})
}

// TestHistogram: no bucket is wider than a part in 32 of what it holds, and shares of
// values are found where they are.
func TestHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v") >> rapid.IntRange(0, 63).Draw(t, "shift")
		from, to := least(bucket(v)), least(bucket(v)+1)
		if v < from || v >= to && to != 0 {
			t.Fatalf("%d is in the bucket from %d to %d", v, from, to)
		}
		if width := to - from; v >= fine && width > v/fine {
			t.Fatalf("the bucket of %d is %d wide", v, width)
		}
	})
	var h, other Histogram
	for v := range uint64(1000) {
		if v%2 == 0 {
			h.Add(v)
		} else {
			other.Add(v)
		}
	}
	h.Merge(&other)
	for _, q := range []float64{0.01, 0.5, 0.99} {
		if got, want := float64(h.Quantile(q)), 1000*q; got < want*0.96-1 || got > want*1.04+1 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count() != 1000 || h.Max() != 999 || h.Mean() != 499.5 {
		t.Errorf("count %d, max %d, mean %v", h.Count(), h.Max(), h.Mean())
	}
}

// BenchmarkFlood floods 200,000 peers with 32 messages.
func BenchmarkFlood(b *testing.B) {
	for b.Loop() {
		e := run(b, Config{Peers: 200_000, Seed: 7, Until: Seconds(3), Workers: 1}, newFlood)
		b.ReportMetric(float64(e.Total(Events)), "events")
	}
}
