package calib

import (
	"context"
	"encoding/hex"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
)

// say is a timer of the model's writers: Arg is the message.
const say = mesh.FirstKind

// modelled is the model's peers of one shard.
type modelled struct {
	*mesh.Mesh
	c       Case
	shard   *engine.Shard
	latency []time.Duration
	hops    []int
}

// Start has each peer beat, and the writers write at their times.
func (m *modelled) Start(p *engine.Port) {
	m.Mesh.Start(p)
	for k := range m.c.Messages {
		if engine.Peer(m.c.writer(k)) == p.Self() {
			p.After(engine.Ticks(settle+m.c.at(k)), say, uint32(k))
		}
	}
}

// Step is the mesh's, but for the writing.
func (m *modelled) Step(p *engine.Port, ev engine.Event) {
	if ev.Kind == say {
		m.Publish(p, ev.Arg)
		return
	}
	if msg, hops, first := m.Mesh.Step(p, ev); first {
		m.latency = append(m.latency, p.Now().Duration()-settle-m.c.at(int(msg)))
		m.hops = append(m.hops, int(hops))
	}
}

// Digest is how many links a peer has.
func (m *modelled) Digest(id engine.Peer) uint64 { return uint64(m.Degree(int(id - m.shard.First))) }

// meshes is how many of them the model runs: which mesh comes about is chance, and the
// model's are cheap.
const meshes = 20

// models runs a case on the engine for many seeds, one after the other, as one of so
// many times the messages.
func models(ctx context.Context, c Case) (Outcome, error) {
	all := Outcome{Degrees: map[int]int{}}
	for range meshes {
		o, err := model(ctx, c)
		if err != nil {
			return all, err
		}
		all.add(&o)
		c.Seed++
	}
	return all, nil
}

// model runs a case on the engine.
func model(ctx context.Context, c Case) (Outcome, error) {
	out := Outcome{Runs: 1, Degrees: map[int]int{}}
	cfg := engine.Config{
		Peers: c.Peers, Seed: c.Seed, Until: engine.Ticks(settle + c.at(c.Messages) + drain),
		Network:     engine.Network{Latency: [][]time.Duration{{c.Latency}}, Jitter: c.Tail, Loss: c.Loss, Resend: c.resend(), Packet: engine.DefaultPacket},
		SampleEvery: engine.Ticks(settle),
	}
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		if now != engine.Ticks(settle) {
			return
		}
		for p := range e.Protocols {
			m := p.(*modelled)
			for i := range int(m.shard.Last - m.shard.First) {
				out.Degrees[m.Degree(i)]++
			}
		}
	}
	e, err := engine.New(cfg, func(s *engine.Shard) engine.Protocol {
		return &modelled{
			Mesh: mesh.New(s, c.Peers, mesh.Production, c.Messages, func(uint32) int { return c.Size }),
			c:    c, shard: s,
		}
	})
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		return out, err
	}
	sum := e.Hash()
	out.Hash = hex.EncodeToString(sum[:])
	for p := range e.Protocols {
		m := p.(*modelled)
		out.Latency, out.Hops = append(out.Latency, m.latency...), append(out.Hops, m.hops...)
	}
	out.Delivered, out.Duplicates = len(out.Latency), int(e.Total(mesh.Duplicates))
	out.Told, out.Asked = int(e.Total(mesh.Told)), int(e.Total(mesh.Asked))
	out.Unwanted = int(e.Total(mesh.Unwanted))
	return out, nil
}
