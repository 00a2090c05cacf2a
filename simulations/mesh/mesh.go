package mesh

import (
	"fmt"
	"slices"
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
	// joining is how long after they come peers make their first links, at most: it
	// connects first.
	joining = 100 * time.Millisecond
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
	beat                            // a timer: Arg the life of the peer that set it
	graft
	prune
	ihave // Arg the number of a message
	iwant
	unwant // Arg a message that the sender has
	join   // a timer: a peer has come
	FirstKind
)

// What a mesh counts; a protocol's own counters follow FirstCounter.
const (
	Copies     = engine.FirstCounter + iota // of messages that came
	Duplicates                              // of these, not the first
	Told                                    // ids of messages that came by IHAVE
	Asked                                   // messages asked for
	Unwanted                                // ids of messages that came by IDONTWANT
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
	rows   rows
	refuse unwanted
	size   func(msg uint32) int
}

// New returns the mesh for a shard of a simulation of so many peers and messages;
// size tells how many bytes a message takes on the wire.
func New(s *engine.Shard, peers int, p Params, messages int, size func(msg uint32) int) *Mesh {
	beats := p.LazyBeats
	if p.Lazy == 0 {
		beats = 0
	}
	return &Mesh{
		params: p, first: s.First, peers: peers, size: size,
		rows: newRows(int(s.Last-s.First), p.High+slack, messages, beats), refuse: unwanted{},
	}
}

// Start has a peer come, and begins its heartbeats at a moment of its own.
func (m *Mesh) Start(p *engine.Port) {
	r := m.rows.of(p.Local())
	r.live()
	p.After(engine.Time(p.IntN(int(engine.Ticks(joining))))+1, join, r.life())
	p.After(engine.Time(p.IntN(int(engine.Ticks(m.params.Heartbeat))))+1, beat, r.life())
}

// leave forgets the links of a peer that is gone: they were connections. What it has
// seen it still has.
func (m *Mesh) leave(i int) {
	r := m.rows.of(i)
	r.alone()
	m.refuse.forget(i, r)
	m.rows.forget(i, r)
}

// Publish has a peer send a message of its own.
func (m *Mesh) Publish(p *engine.Port, msg uint32) {
	if r := m.rows.of(p.Local()); m.hear(p.Local(), r, msg, 0) {
		m.relay(p, r, p.Self(), msg, 1)
	}
}

// Seen reports whether a peer got or made a message.
func (m *Mesh) Seen(local int, msg uint32) bool {
	return m.rows.seen(m.rows.of(local), msg)
}

// Degree returns how many links a peer has.
func (m *Mesh) Degree(local int) int { return m.rows.of(local).degree() }

// Carries tells whether events of a kind are copies of messages.
func (m *Mesh) Carries(k engine.Kind) bool { return k == carry }

// Touch reads of the peers of some events what Step begins with; see engine.Toucher.
func (m *Mesh) Touch(soon []engine.Event) (sum uint64) {
	for i := range soon {
		sum += uint64(m.rows.all[int(soon[i].To-m.first)*m.rows.stride])
	}
	return sum
}

// Step handles an event of the mesh. It returns the message that came, the links it
// came by and whether it is the first copy.
func (m *Mesh) Step(p *engine.Port, ev engine.Event) (msg uint32, hops uint16, first bool) {
	i := p.Local()
	r := m.rows.of(i)
	switch ev.Kind {
	case carry:
		p.Count(Copies, 1)
		if !m.hear(i, r, ev.Arg, ev.Aux) {
			p.Count(Duplicates, 1)
			return 0, 0, false
		}
		m.spare(p, r, ev.From, ev.Arg)
		m.relay(p, r, ev.From, ev.Arg, ev.Aux+1)
		return ev.Arg, ev.Aux, true
	case engine.Up:
		m.Start(p)
	case engine.Down:
		m.leave(i)
	case join:
		if ev.Arg == r.life() {
			m.mend(p, r)
		}
	case beat:
		if ev.Arg != r.life() {
			break // it was gone in between
		}
		m.mend(p, r)
		m.tell(p, i, r)
		m.refuse.pass(i, r)
		p.After(engine.Ticks(m.params.Heartbeat), beat, ev.Arg)
	case graft:
		p.Count(Grafts, 1)
		if !m.accepts(p, r) || !m.rows.link(r, p.Self(), ev.From) {
			p.Send(ev.From, prune, 0, 0, controlBytes)
		}
	case prune:
		p.Count(Prunes, 1)
		r.unlink(ev.From)
	case ihave:
		p.Count(Told, 1)
		if !m.rows.seen(r, ev.Arg) {
			p.Count(Asked, 1)
			p.Send(ev.From, iwant, ev.Arg, ev.Aux, controlBytes+idBytes)
		}
	case iwant:
		if m.rows.seen(r, ev.Arg) && !m.refuse.has(i, r, ev.From, ev.Arg) {
			p.Send(ev.From, carry, ev.Arg, ev.Aux+1, m.size(ev.Arg))
		}
	case unwant:
		p.Count(Unwanted, 1)
		m.refuse.add(i, r, ev.From, ev.Arg)
	}
	return 0, 0, false
}

// See marks a message as seen, and reports whether it was not. It is told to nobody: it
// came otherwise than by the mesh.
func (m *Mesh) See(i int, msg uint32) bool { return m.rows.see(m.rows.of(i), msg) }

// hear is See of what came by so many links of the mesh: others will be told.
func (m *Mesh) hear(i int, r row, msg uint32, hops uint16) bool {
	first := m.rows.see(r, msg)
	if first {
		m.rows.remember(i, r, msg, hops)
	}
	return first
}

// relay sends a message to all links but the one that it came by, behind what spare sent
// them of a message of others.
func (m *Mesh) relay(p *engine.Port, r row, from engine.Peer, msg uint32, hops uint16) {
	size, i, before := m.size(msg), p.Local(), 0
	if size >= unwantedFrom && from != p.Self() {
		before = 1
	}
	for _, to := range r.links() {
		if to != from && !m.refuse.has(i, r, to, msg) {
			p.SendBehind(to, carry, msg, hops, size, before)
		}
	}
}

// Links returns the links of a peer, for what a protocol sends over them itself. It is
// valid until the next Step.
func (m *Mesh) Links(local int) []engine.Peer { return m.rows.of(local).links() }

// spare tells the links but one that this peer needs no copy of a large message.
func (m *Mesh) spare(p *engine.Port, r row, from engine.Peer, msg uint32) {
	if m.size(msg) < unwantedFrom {
		return
	}
	for _, to := range r.links() {
		if to != from {
			p.Send(to, unwant, msg, 0, controlBytes+idBytes)
		}
	}
}

// mend drops links to peers that are gone, makes new ones where there are too few, and
// drops some where there are too many.
func (m *Mesh) mend(p *engine.Port, r row) {
	for k := r.degree() - 1; k >= 0; k-- {
		if to := r.links()[k]; !p.Reachable(to) {
			r.unlink(to)
		}
	}
	if n := r.degree(); n < m.params.Low {
		for range m.params.D - n {
			if to, ok := m.Other(p); ok && m.rows.link(r, p.Self(), to) {
				p.Send(to, graft, 0, 0, controlBytes)
			}
		}
	}
	if r.degree() >= m.params.High {
		for r.degree() > m.params.D {
			to := r.links()[p.IntN(r.degree())]
			r.unlink(to)
			p.Send(to, prune, 0, 0, controlBytes)
		}
	}
}

// accepts tells whether a peer takes another link. One with High takes only those of
// peers that it dialed itself: every other one.
func (m *Mesh) accepts(p *engine.Port, r row) bool {
	return r.degree() < m.params.High || p.Uint64()&1 == 0
}

// Other draws a peer that can be reached and is no link.
func (m *Mesh) Other(p *engine.Port) (engine.Peer, bool) {
	links := m.Links(p.Local())
	for range tries {
		to := engine.Peer(p.IntN(m.peers))
		if to != p.Self() && !slices.Contains(links, to) && p.Reachable(to) {
			return to, true
		}
	}
	return 0, false
}

// tell sends the ids of what came lately to some others. One message carries them all;
// here each id is an event of its own.
func (m *Mesh) tell(p *engine.Port, i int, r row) {
	if ids := m.rows.recent(i, r); len(ids) > 0 {
		for range m.params.Lazy {
			to, ok := m.Other(p)
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
	m.rows.pass(i, r)
}
