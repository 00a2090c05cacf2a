package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a simulation.
const (
	// MaxPeers bounds the peers: beyond it events would have to be longer.
	MaxPeers = 1 << 28
	// MaxShards bounds the shards; leastShardBits says what each has at least, so that
	// few peers are not spread thinly.
	MaxShards, leastShardBits = 64, 8
)

// Config says what to simulate.
type Config struct {
	Peers   int
	Seed    uint64
	Until   Time // when it ends
	Network Network
	// Workers run shards at the same time; 0: one a processor. The result is the same
	// whatever their number.
	Workers int
	// Sample, if not nil, is called every SampleEvery, and at the end, while nothing
	// runs.
	Sample      func(e *Engine, now Time)
	SampleEvery Time
}

// Validate reports what cannot be simulated.
func (c Config) Validate() error {
	switch {
	case c.Peers < 1 || c.Peers > MaxPeers:
		return fmt.Errorf("%d peers; give from 1 to %d", c.Peers, MaxPeers)
	case c.Until == 0:
		return errors.New("no end; say how long to simulate")
	case c.Workers < 0:
		return fmt.Errorf("%d workers; leave it 0 for one a processor", c.Workers)
	case c.Sample != nil && c.SampleEvery == 0:
		return errors.New("samples at no distance from each other; give one")
	}
	return c.Network.Validate()
}

// Engine is one simulation.
type Engine struct {
	cfg       Config
	links     *links
	shardBits int // a shard has 1<<shardBits peers, the last one what is left
	shards    []*Shard
	lent      []*memory // by each worker
	now       Time
	turn      int // of the two outboxes of each shard, the one that is filled
}

// New makes the peers. The function is called once a shard, in their order, and then
// the Protocol's Start for each peer.
func New(cfg Config, protocol func(*Shard) Protocol) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	e := &Engine{cfg: cfg, links: newLinks(cfg.Network, cfg.Peers, cfg.Seed)}
	for e.shardBits = leastShardBits; (cfg.Peers-1)>>e.shardBits >= MaxShards; {
		e.shardBits++
	}
	n := (cfg.Peers-1)>>e.shardBits + 1
	shared := new(depot)
	for range min(cfg.Workers, n) {
		e.lent = append(e.lent, &memory{depot: shared})
	}
	for i := range n {
		e.shards = append(e.shards, e.newShard(i, n))
	}
	for _, s := range e.shards {
		s.protocol = protocol(s)
		s.toucher, _ = s.protocol.(Toucher)
	}
	e.each(func(s *Shard) {
		for p := s.First; p < s.Last; p++ {
			s.port.self = p
			s.churn(p)
			s.protocol.Start(&s.port)
		}
	})
	return e, nil
}

// newShard makes shard i of n.
func (e *Engine) newShard(i, n int) *Shard {
	s := &Shard{First: Peer(i) << e.shardBits, Last: Peer(min((i+1)<<e.shardBits, e.cfg.Peers)), engine: e, wheel: newWheel(e.links.least), posted: End}
	s.port.s = s
	s.wheel.today.coming = s.touch
	s.out = [2][]list{make([]list, n), make([]list, n)}
	size := int(s.Last - s.First)
	s.draws = make([]uint32, size)
	if e.cfg.Network.Uplink > 0 {
		s.upUntil = make([]time.Duration, size)
	}
	if e.cfg.Network.Churn.Up > 0 {
		s.down = make([]bool, size)
	}
	return s
}

// shardOf returns the shard of a peer.
func (e *Engine) shardOf(p Peer) int { return int(p >> e.shardBits) }

// churn draws whether a peer starts up and sets the timer of its first change.
func (s *Shard) churn(p Peer) {
	if s.down == nil || int(p) < s.engine.links.Churn.Keep {
		return
	}
	up := s.engine.links.starts(p)
	s.down[p-s.First] = !up
	s.change(&s.port, 0, up)
}

// change sets the timer of a peer's n-th coming or going.
func (s *Shard) change(p *Port, n uint32, up bool) {
	kind := Up
	if up {
		kind = Down
	}
	p.After(s.engine.links.session(p.self, n, up), kind, n+1)
}

// Run lets time pass until the end. It stops early, with the error of ctx, when that
// is done; Run may then be called again, and the result is as if it never stopped.
func (e *Engine) Run(ctx context.Context) error {
	sample := e.cfg.Until
	if e.cfg.Sample != nil {
		sample = (e.now/e.cfg.SampleEvery + 1).times(e.cfg.SampleEvery)
	}
	for e.now < e.cfg.Until {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := End
		for _, s := range e.shards {
			next = min(next, s.wheel.next(), s.posted)
		}
		next = max(next, e.now) // a wheel may name a moment that has passed, of a slot that has not
		stop := min(e.cfg.Until, sample)
		if next >= stop {
			e.now = stop
		} else {
			end := min(e.window(next), stop)
			e.turn = 1 - e.turn
			e.each(func(s *Shard) { s.run(end) })
			e.now = end
		}
		if e.cfg.Sample != nil && (e.now == sample || e.now == e.cfg.Until) {
			e.cfg.Sample(e, e.now)
			sample = sample.plus(e.cfg.SampleEvery)
		}
	}
	return nil
}

// window returns how far the shards can run on their own from a moment on: to the end of
// its day, which is no longer than the shortest latency. What is sent in a day therefore
// comes on another one.
func (e *Engine) window(from Time) Time {
	day := Time(1) << e.shards[0].wheel.dayBits
	return (from &^ (day - 1)).plus(day)
}

// each calls f for every shard, some at the same time.
func (e *Engine) each(f func(*Shard)) {
	var next atomic.Int64
	work := func(m *memory) {
		for i := next.Add(1) - 1; i < int64(len(e.shards)); i = next.Add(1) - 1 {
			s := e.shards[i]
			s.wheel.memory = m
			f(s)
		}
	}
	var wait sync.WaitGroup
	for _, m := range e.lent[1:] {
		wait.Go(func() { work(m) })
	}
	work(e.lent[0])
	wait.Wait()
}

// Now returns the time.
func (e *Engine) Now() Time { return e.now }

// Until returns when it ends.
func (e *Engine) Until() Time { return e.cfg.Until }

// Peers returns how many there are.
func (e *Engine) Peers() int { return e.cfg.Peers }

// Total returns a counter of all peers.
func (e *Engine) Total(c Counter) (n uint64) {
	for _, s := range e.shards {
		n += s.counters[c]
	}
	return n
}

// Measured returns the distribution of a measure over all peers.
func (e *Engine) Measured(m Measure) *Histogram {
	var h Histogram
	for _, s := range e.shards {
		h.Merge(&s.measures[m])
	}
	return &h
}

// Protocols yields the Protocol of each shard, in order.
func (e *Engine) Protocols(yield func(Protocol) bool) {
	for _, s := range e.shards {
		if !yield(s.protocol) {
			return
		}
	}
}

// Present returns how many peers are up.
func (e *Engine) Present() int {
	n := e.cfg.Peers
	for _, s := range e.shards {
		for _, down := range s.down {
			if down {
				n--
			}
		}
	}
	return n
}

// Hash is a digest of every event handled, in its shard's order, of all counters and
// of the state of every peer: two simulations with the same one went the same way.
func (e *Engine) Hash() [32]byte {
	h := sha256.New()
	put := func(x uint64) { h.Write(binary.BigEndian.AppendUint64(nil, x)) }
	sums := make([]uint64, len(e.shards))
	e.each(func(s *Shard) {
		sum := s.hash
		for p := s.First; p < s.Last; p++ {
			sum = (sum ^ s.protocol.Digest(p)) * golden
		}
		sums[e.shardOf(s.First)] = sum
	})
	for i, s := range e.shards {
		put(sums[i])
		for _, c := range s.counters {
			put(c)
		}
	}
	return [32]byte(h.Sum(nil))
}
