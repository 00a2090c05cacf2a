package cores

import (
	"maps"
	"slices"

	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// This file is what carries frames and publications.

// stream is one stream of two peers; sides[0] opened it.
type stream struct {
	sides [2]*side
	since engine.Time
	bytes int
}

// side is one end of a stream.
type side struct {
	*stream
	id   gossip.SessionID
	of   *Peer
	to   *Peer
	last engine.Time // when the newest of its frames arrives
	over bool        // its core was told, or will be
}

// lengthBytes is the length prefix of a frame, as it mostly is.
const lengthBytes = 3

// mine returns the end of a stream that is the peer's.
func (s *stream) mine(p *Peer) *side {
	if s.sides[0].of == p {
		return s.sides[0]
	}
	return s.sides[1]
}

// sides returns the peer's ends, in the order of their ids.
func (p *Peer) sides() (out []*side) {
	for _, id := range slices.Sorted(maps.Keys(p.streams)) {
		out = append(out, p.streams[id])
	}
	return out
}

// open makes a stream. The other side learns of it by its first frame.
func (p *Peer) open(o gossip.Open) {
	to := p.w.byID[o.Peer]
	s := &stream{since: p.port.Now()}
	s.sides = [2]*side{{stream: s, id: o.Session, of: p, to: to}, {stream: s, of: to, to: p}}
	p.streams[o.Session] = s.sides[0]
	if l := p.linkTo(to); l == nil || !l.up {
		p.fail(s, errGone)
	}
}

// send puts a frame onto a stream.
func (p *Peer) send(o gossip.Send) {
	x := p.streams[o.Session]
	if x == nil || x.over {
		return
	}
	p.port.Count(Frames, 1)
	p.port.Count(FrameBytes, len(o.Data)+lengthBytes)
	x.bytes += len(o.Data) + lengthBytes
	f := p.w.pool.prepare(o.Data)
	p.mix(f.id)
	p.put(x, packet{s: x.stream, frame: f}, len(o.Data)+lengthBytes)
}

// put sends a packet behind those before it.
func (p *Peer) put(x *side, k packet, bytes int) {
	n := p.w.pool.fly(k)
	at, ok := p.port.Stream(x.to.Number, arrive, n, bytes, x.last)
	if !ok {
		p.w.pool.land(n)
		p.fail(x.stream, errGone)
		return
	}
	x.last = at
}

// arrive takes a packet.
func (p *Peer) arrive(k packet) {
	x := k.s.mine(p)
	l := p.linkTo(x.to)
	if x.over || l == nil || !l.up {
		return
	}
	if x.id == 0 { // its first frame
		p.odd += 2
		x.id = p.odd
		p.streams[x.id] = x
	}
	switch {
	case k.frame == nil:
		p.ended(k.s, k.err)
	case k.frame.err != nil: // as the driver does
		p.port.Count(Refused, 1)
		p.close(gossip.Close{Session: x.id, Err: k.frame.err, Blame: true})
	default:
		in := k.frame.Frame
		in.Session, in.Peer = x.id, x.to.ID
		p.step(&in)
	}
}

// close ends a stream: what was sent before still arrives.
func (p *Peer) close(o gossip.Close) {
	x := p.streams[o.Session]
	if x == nil {
		return
	}
	if o.Blame {
		p.blame(x.to)
	}
	if x.over {
		return
	}
	p.put(x, packet{s: x.stream, err: o.Err}, lengthBytes)
	p.fail(x.stream, o.Err)
}

// fail ends the peer's side of a stream; its core is told by an event of its own.
func (p *Peer) fail(s *stream, err error) {
	x := s.mine(p)
	if !x.over {
		x.over = true
		p.port.After(1, over, p.w.pool.fly(packet{s: s, err: err}))
	}
}

// ended tells the core that a stream is over.
func (p *Peer) ended(s *stream, err error) {
	x := s.mine(p)
	if p.streams[x.id] != x {
		return
	}
	x.over = true
	delete(p.streams, x.id)
	if s.sides[0] == x {
		p.port.Observe(SessionTime, uint64(p.port.Now()-s.since))
		p.port.Observe(SessionBytes, uint64(s.bytes))
	}
	p.step(gossip.Closed{Session: x.id, Err: err})
}

// publish sends a message to the members of a topic.
func (p *Peer) publish(o gossip.Publish) {
	n := p.w.pool.publish(p.ID, o, len(p.w.peers))
	x := p.w.pool.topics[n]
	p.mix(x.id)
	x.see(p.Number)
	p.relay(nil, n)
}

// relay sends a publication over all connections but the one it came by.
func (p *Peer) relay(from *Peer, n uint32) {
	x := p.w.pool.topics[n]
	for _, l := range p.links {
		if l.up && l.admitted && l.to != from {
			p.port.Count(TopicBytes, x.bytes)
			p.port.Send(l.to.Number, heard, n, 0, x.bytes)
		}
	}
}

// heard takes a publication.
func (p *Peer) heard(from *Peer, n uint32) {
	x := p.w.pool.topics[n]
	l := p.linkTo(from)
	if l == nil || !l.admitted {
		return
	}
	p.port.Count(Copies, 1)
	if !x.see(p.Number) {
		p.port.Count(Duplicates, 1)
		return
	}
	if x.err != nil {
		p.port.Count(Refused, 1)
		p.blame(from)
		return
	}
	p.step(x.from(from.ID))
	if !p.Silent {
		p.relay(from, n)
	}
}
