package cores

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// errGone is how streams end whose connection is lost.
var errGone = errors.New("connection lost")

// Peer is one replica.
type Peer struct {
	Number engine.Peer
	ID     gossip.Peer
	Core   *gossip.Core
	Shelf  *Shelf
	// Silent says that it passes no publication on.
	Silent bool
	// Changed is when it attached something last.
	Changed engine.Time
	// Source is who brought that.
	Source gossip.Peer
	// Quota is for the world's user.
	Quota int

	w       *World
	port    *engine.Port // while it handles an event
	key     ed25519.PrivateKey
	head    memo.Head // of its own chain
	seen    memo.Mark // last attached of another author
	links   []*link
	streams map[gossip.SessionID]*side
	odd     gossip.SessionID // last id of an accepted stream
	eff     gossip.Effects
	turning bool   // it asked for a Turn
	hash    uint64 // of all effects
}

// link is a connection.
type link struct {
	to       *Peer
	up       bool
	admitted bool // it takes part in the topics
}

// link adds a connection, once.
func (p *Peer) link(to *Peer) {
	if p != to && p.linkTo(to) == nil {
		p.links = append(p.links, &link{to: to})
	}
}

func (p *Peer) linkTo(to *Peer) *link {
	for _, l := range p.links {
		if l.to == to {
			return l
		}
	}
	return nil
}

func (p *Peer) joins() engine.Time {
	if p.w.cfg.Joins == nil {
		return 0
	}
	return p.w.cfg.Joins(p.Number)
}

// Links yields whom the peer is connected with, now or some time.
func (p *Peer) Links(yield func(to *Peer) bool) {
	for _, l := range p.links {
		if !yield(l.to) {
			return
		}
	}
}

func (p *Peer) sign(msg []byte) memo.Seal { return memo.Seal(ed25519.Sign(p.key, msg)) }

// Port returns what the peer draws random numbers from and counts with. It is valid
// while the peer handles an event.
func (p *Peer) Port() *engine.Port { return p.port }

// At has Config.Act called after a span.
func (p *Peer) At(d engine.Time, arg uint32) { p.port.After(d, act, arg) }

// relink looks which connections there are now.
func (p *Peer) relink() {
	now := p.port.Now()
	if now < p.joins() {
		return
	}
	for _, l := range p.links {
		up := now >= l.to.joins() && p.port.Reachable(l.to.Number)
		switch {
		case up && !l.up:
			l.up = true
			p.Core.Know(p.port.Clock(), p.w.pool.space, l.to.ID)
			p.step(gossip.PeerUp{Peer: l.to.ID})
		case !up && l.up:
			l.up, l.admitted = false, false
			for _, x := range p.sides() {
				if x.to == l.to {
					p.ended(x.stream, errGone)
				}
			}
			p.step(gossip.PeerDown{Peer: l.to.ID})
		}
	}
}

// Step gives the core an input.
func (p *Peer) Step(in gossip.Input) { p.step(in) }

// step runs the core on one input and carries out what it wants.
func (p *Peer) step(in gossip.Input) {
	p.port.Count(Inputs, 1)
	p.Core.Step(p.port.Clock(), in, &p.eff)
	e := p.eff
	p.eff = gossip.Effects{}
	for _, d := range e.Deliver {
		p.deliver(d)
	}
	for _, k := range e.Keep {
		for _, b := range k.Blocks {
			p.mix(b.ID)
			p.Shelf.keep(b.ID, b.Data)
		}
	}
	if p.w.cfg.Effects != nil {
		p.w.cfg.Effects(p, &e)
	}
	for range e.Fold {
		p.Fold()
	}
	for _, a := range e.Admit {
		if l := p.linkTo(p.w.byID[a.Peer]); l != nil && !l.admitted {
			l.admitted = true
			p.step(gossip.Linked(a))
		}
	}
	for _, b := range e.Blame {
		p.blame(p.w.byID[b.Peer])
	}
	if e.Again && !p.turning {
		p.turning = true
		p.port.After(1, turn, 0)
	}
	p.network(&e)
}

// network carries out what leaves the peer.
func (p *Peer) network(e *gossip.Effects) {
	for _, o := range e.Open {
		p.open(o)
	}
	for _, o := range e.Send {
		p.send(o)
	}
	for _, o := range e.Close {
		p.close(o)
	}
	for _, o := range e.Publish {
		p.publish(o)
	}
}

// mix folds what the core did into the peer's hash.
func (p *Peer) mix(id memo.ID) {
	p.hash = (p.hash ^ binary.BigEndian.Uint64(id[:])) * 0x9e3779b97f4a7c15
}

// deliver attaches runs and tells the core.
func (p *Peer) deliver(d gossip.Deliver) {
	out := &gossip.Attached{Space: d.Space, From: d.From, Session: d.Session, Bytes: d.Bytes}
	for _, r := range d.Runs {
		p.mix(r.Head().ID)
		fresh, waits := p.Shelf.attach(p.w.pool.intern(r))
		out.Fresh += fresh
		out.Orphans = out.Orphans || waits
		if fresh > 0 {
			p.seen = memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time}
		}
	}
	if out.Fresh > 0 {
		p.Source = d.From
		p.attached(out.Fresh)
	}
	p.step(out)
}

func (p *Peer) attached(fresh int) {
	p.Changed = p.port.Now()
	if p.w.cfg.Attached != nil {
		p.w.cfg.Attached(p, fresh)
	}
}

func (p *Peer) blame(whom *Peer) {
	p.port.Count(Blamed, 1)
	if p.w.cfg.Blames != nil {
		p.w.cfg.Blames(p, whom.Number)
	}
}
