package main

import (
	"context"
	"time"

	"lightcone/simulations/engine"
)

// This file is the side engine: the push flood on simulations/engine with as little state
// as PeerSim's side has, and nothing of the product.

// The events, counters and measures of bare.
const (
	sent = engine.FirstKind

	copies = engine.FirstCounter
	firsts = engine.FirstCounter + 1

	tookTicks engine.Measure = 0
	linksCame engine.Measure = 1
)

// bare is the protocol of one shard.
type bare struct {
	fanout, peers int
	first, writer engine.Peer
	seen          []bool
}

func (b *bare) Start(p *engine.Port) {
	if p.Self() == b.writer {
		p.After(1, sent, 0)
	}
}

func (b *bare) Step(p *engine.Port, ev engine.Event) {
	if ev.Aux > 0 {
		p.Count(copies, 1)
	}
	if b.seen[p.Local()] {
		return
	}
	b.seen[p.Local()] = true
	p.Count(firsts, 1)
	p.Observe(tookTicks, uint64(p.Now()))
	p.Observe(linksCame, uint64(ev.Aux))
	for range b.fanout {
		p.Send(engine.Peer(p.IntN(b.peers)), sent, 0, ev.Aux+1, 0)
	}
}

func (b *bare) Digest(id engine.Peer) uint64 {
	if b.seen[id-b.first] {
		return 1
	}
	return 0
}

// runBare is one run of the side engine.
func runBare(ctx context.Context, f flood, peers int, seed uint64) (outcome, error) {
	cfg := engine.Config{Peers: peers, Seed: seed, Until: untilTicks, Workers: 1}
	cfg.Network.Latency = [][]time.Duration{{latencyTicks * engine.Resolution}}
	cfg.Network.Jitter = jitterTicks * engine.Resolution
	writer := engine.Peer(engine.Draw(seed, 0, 0) % uint64(peers))
	e, err := engine.New(cfg, func(s *engine.Shard) engine.Protocol {
		return &bare{fanout: f.fanout, peers: peers, first: s.First, writer: writer, seen: make([]bool, s.Last-s.First)}
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		return outcome{}, err
	}
	took := e.Measured(tookTicks)
	return outcome{
		Events: e.Total(engine.Events), Copies: e.Total(copies), Firsts: e.Total(firsts),
		Hops: e.Measured(linksCame).Mean(), P50: float64(took.Quantile(0.5)), P99: float64(took.Quantile(0.99)),
	}, nil
}
