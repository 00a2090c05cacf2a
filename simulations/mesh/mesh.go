package mesh

import (
	"fmt"
	"time"

	"lightcone/simulations/engine"
)

// Params are gossipsub's.
type Params struct {
	D, Low, High    int
	Lazy, LazyBeats int
	Heartbeat       time.Duration
}

// Production are the parameters that p2p gives gossipsub (p2p/mesh.go), Gossipsub are
// the library's own.
var (
	Production = Params{D: 3, Low: 2, High: 4, Lazy: 1, LazyBeats: 2, Heartbeat: 250 * time.Millisecond}
	Gossipsub  = Params{D: 6, Low: 5, High: 12, Lazy: 6, LazyBeats: 3, Heartbeat: time.Second}
)

// Limits of a mesh.
const (
	// MaxDegree bounds High, MaxBeats LazyBeats, MaxLazy Lazy.
	MaxDegree, MaxBeats, MaxLazy = 64, 8, 64
	// slack is how many links beyond High a peer takes until its next heartbeat.
	slack = 4
	// tries is how many peers are drawn to find one that is reachable.
	tries = 8
)

// Validate reports what is no mesh.
func (p Params) Validate() error {
	switch {
	case p.Low < 1 || p.D < p.Low || p.High < p.D || p.High > MaxDegree:
		return fmt.Errorf("degrees of %d, %d to %d; give 1 ≤ low ≤ degree ≤ high ≤ %d", p.D, p.Low, p.High, MaxDegree)
	case p.Lazy < 0 || p.Lazy > MaxLazy || p.LazyBeats < 0 || p.LazyBeats > MaxBeats:
		return fmt.Errorf("ids told to %d peers over %d heartbeats; at most %d and %d", p.Lazy, p.LazyBeats, MaxLazy, MaxBeats)
	case p.Heartbeat < engine.Resolution:
		return fmt.Errorf("a heartbeat of %v; at least %v", p.Heartbeat, engine.Resolution)
	}
	return nil
}

// The events of a mesh; a protocol's own kinds follow FirstKind.
const (
	carry = engine.FirstKind + iota // a message: Arg its number, Aux how many links it came by
	beat                            // a timer
	graft
	prune
	ihave // Arg the number of a message
	iwant
	FirstKind
)

// What a mesh counts; a protocol's own counters follow FirstCounter.
const (
	Copies     = engine.FirstCounter + iota // of messages that came
	Duplicates                              // of these, not the first
	Told                                    // ids of messages that came by IHAVE
	Asked                                   // messages asked for
	Grafts
	Prunes
	FirstCounter
)

// Bytes of control messages: an RPC with its topic, and an id in it, as gossipsub's
// protobuf has them with topics of 78 B and ids of 32.
const (
	controlBytes = 90
	idBytes      = 36
)

// Mesh is the mesh of one topic for the peers of one shard.
type Mesh struct {
	params Params
	first  engine.Peer
	peers  int
	width  int // links a peer has room for
	links  []engine.Peer
	degree []uint8
	words  int
	seen   []uint64 // bit sets of messages, of words each
	recent recent
	size   func(msg uint32) int
}

// New returns the mesh for a shard of a simulation of so many peers and messages;
// size tells how many bytes a message takes on the wire.
func New(s *engine.Shard, seed uint64, peers int, p Params, messages int, size func(msg uint32) int) *Mesh {
	n := int(s.Last - s.First)
	m := &Mesh{
		params: p, first: s.First, peers: peers, width: p.High + slack, size: size,
		words: (messages + 63) / 64, degree: make([]uint8, n),
	}
	m.links = make([]engine.Peer, n*m.width)
	m.seen = make([]uint64, n*m.words)
	m.recent = newRecent(n, p)
	for i := range n {
		m.draw(seed, s.First+engine.Peer(i), i)
	}
	return m
}

// draw gives a peer the links it starts with.
func (m *Mesh) draw(seed uint64, p engine.Peer, i int) {
	for k := range m.params.D / 2 {
		c := permutation{n: uint32(m.peers), key: seed ^ uint64(k+1)<<32}
		at := c.place(p)
		m.link(i, p, c.at((at+1)%c.n))
		m.link(i, p, c.at((at+c.n-1)%c.n))
	}
	if m.params.D%2 == 1 {
		c := permutation{n: uint32(m.peers), key: seed ^ 0xd15c0}
		if mate := c.place(p) ^ 1; mate < c.n {
			m.link(i, p, c.at(mate))
		}
	}
}

// Start begins a peer's heartbeats at a moment of its own.
func (m *Mesh) Start(p *engine.Port) {
	p.After(engine.Time(p.IntN(int(engine.Ticks(m.params.Heartbeat))))+1, beat, 0)
}

// Publish has a peer send a message of its own.
func (m *Mesh) Publish(p *engine.Port, msg uint32) {
	if m.See(p.Local(), msg, 0) {
		m.relay(p, p.Self(), msg, 1)
	}
}

// Seen reports whether a peer got or made a message.
func (m *Mesh) Seen(local int, msg uint32) bool {
	return m.seen[local*m.words+int(msg/64)]&(1<<(msg%64)) != 0
}

// Degree returns how many links a peer has.
func (m *Mesh) Degree(local int) int { return int(m.degree[local]) }

// Step handles an event of the mesh. It returns the message that came, the links it
// came by and whether it is the first copy.
func (m *Mesh) Step(p *engine.Port, ev engine.Event) (msg uint32, hops uint16, first bool) {
	i := p.Local()
	switch ev.Kind {
	case carry:
		p.Count(Copies, 1)
		if !m.See(i, ev.Arg, ev.Aux) {
			p.Count(Duplicates, 1)
			return 0, 0, false
		}
		m.relay(p, ev.From, ev.Arg, ev.Aux+1)
		return ev.Arg, ev.Aux, true
	case beat:
		m.mend(p, i)
		m.tell(p, i)
		p.After(engine.Ticks(m.params.Heartbeat), beat, 0)
	case graft:
		p.Count(Grafts, 1)
		if !m.link(i, p.Self(), ev.From) {
			p.Send(ev.From, prune, 0, 0, controlBytes)
		}
	case prune:
		p.Count(Prunes, 1)
		m.unlink(i, ev.From)
	case ihave:
		p.Count(Told, 1)
		if !m.Seen(i, ev.Arg) {
			p.Count(Asked, 1)
			p.Send(ev.From, iwant, ev.Arg, ev.Aux, controlBytes+idBytes)
		}
	case iwant:
		if m.Seen(i, ev.Arg) {
			p.Send(ev.From, carry, ev.Arg, ev.Aux+1, m.size(ev.Arg))
		}
	}
	return 0, 0, false
}

// See marks a message as seen that came by so many links, and reports whether it was
// not.
func (m *Mesh) See(i int, msg uint32, hops uint16) bool {
	w := &m.seen[i*m.words+int(msg/64)]
	bit := uint64(1) << (msg % 64)
	if *w&bit != 0 {
		return false
	}
	*w |= bit
	m.recent.add(i, msg, hops)
	return true
}

// relay sends a message to all links but the one that it came by.
func (m *Mesh) relay(p *engine.Port, from engine.Peer, msg uint32, hops uint16) {
	size, i := m.size(msg), p.Local()
	for _, to := range m.of(i) {
		if to != from {
			p.Send(to, carry, msg, hops, size)
		}
	}
}

// Links returns the links of a peer, for what a protocol sends over them itself. It is
// valid until the next Step.
func (m *Mesh) Links(local int) []engine.Peer { return m.of(local) }

// of returns the links of a peer.
func (m *Mesh) of(i int) []engine.Peer { return m.links[i*m.width : i*m.width+int(m.degree[i])] }

// link adds a link, and reports whether there is one now.
func (m *Mesh) link(i int, self, to engine.Peer) bool {
	for _, l := range m.of(i) {
		if l == to {
			return true
		}
	}
	if to == self || int(m.degree[i]) == m.width {
		return false
	}
	m.links[i*m.width+int(m.degree[i])] = to
	m.degree[i]++
	return true
}

// unlink removes a link, if there is one.
func (m *Mesh) unlink(i int, to engine.Peer) {
	all := m.of(i)
	for k, l := range all {
		if l == to {
			all[k] = all[len(all)-1]
			m.degree[i]--
			return
		}
	}
}

// mend drops links to peers that are gone, makes new ones where there are too few, and
// drops some where there are too many.
func (m *Mesh) mend(p *engine.Port, i int) {
	for k := len(m.of(i)) - 1; k >= 0; k-- {
		if to := m.of(i)[k]; !p.Reachable(to) {
			m.unlink(i, to)
		}
	}
	if len(m.of(i)) < m.params.Low {
		for range m.params.D - len(m.of(i)) {
			if to, ok := m.other(p); ok && m.link(i, p.Self(), to) {
				p.Send(to, graft, 0, 0, controlBytes)
			}
		}
	}
	if len(m.of(i)) > m.params.High {
		for len(m.of(i)) > m.params.D {
			to := m.of(i)[p.IntN(len(m.of(i)))]
			m.unlink(i, to)
			p.Send(to, prune, 0, 0, controlBytes)
		}
	}
}

// other draws a peer that can be reached.
func (m *Mesh) other(p *engine.Port) (engine.Peer, bool) {
	for range tries {
		if to := engine.Peer(p.IntN(m.peers)); to != p.Self() && p.Reachable(to) {
			return to, true
		}
	}
	return 0, false
}

// tell sends the ids of what came lately to some others. One message carries them all;
// here each id is an event of its own.
func (m *Mesh) tell(p *engine.Port, i int) {
	ids := m.recent.of(i)
	if len(ids) > 0 {
		for range m.params.Lazy {
			to, ok := m.other(p)
			if !ok {
				break
			}
			bytes := controlBytes
			for _, id := range ids {
				p.Send(to, ihave, id&maxMessage, uint16(id>>hopShift), bytes+idBytes)
				bytes = 0
			}
		}
	}
	m.recent.pass(i)
}
