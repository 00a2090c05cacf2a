package cores

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// The events of a world.
const (
	tick   = engine.FirstKind + iota // a timer, every gossip.TickEvery
	turn                             // a timer: Arg unused
	arrive                           // a packet of a stream: Arg its number
	over                             // a timer: an own stream ended; Arg the number of a packet
	heard                            // a publication: Arg its number
	relink                           // a timer: connections may have come or gone
	act                              // a timer of the world's user
)

// What a world counts.
const (
	Inputs       = engine.FirstCounter + iota // that Core.Step handled
	Frames                                    // sent on streams
	FrameBytes                                // of these
	Copies                                    // of publications that came
	Duplicates                                // of these, not the first
	TopicBytes                                // of the copies that were sent
	Blamed                                    // times that a peer was blamed
	Refused                                   // frames and publications that do not follow the protocol
	FirstCounter                              // the first that a user of this package may use
)

// What a world measures.
const (
	// SessionTime is how long streams lasted, in ticks, SessionBytes what they carried.
	SessionTime engine.Measure = iota
	SessionBytes
	FirstMeasure
)

// MaxPeers bounds the peers of a world: each is a core with tens of KiB.
const MaxPeers = 20_000

// Config says what to run.
type Config struct {
	Engine engine.Config
	// Links is how many others each peer is connected with, about.
	Links int
	// Adopts says that a member's root may stand for memos.
	Adopts bool
	// Joins, if not nil, says when a peer comes. One that is there from the start holds
	// the space's genesis.
	Joins func(p engine.Peer) engine.Time
	// Holdings, if not nil, returns what the core of a peer reads instead of its shelf.
	Holdings func(p *Peer) gossip.Holdings
	// Begin, if not nil, is called for each peer at the start, to write and to set timers.
	Begin func(p *Peer)
	// Act is called for a peer's timers.
	Act func(p *Peer, arg uint32)
	// Attached, if not nil, is told of memos that a peer attached.
	Attached func(p *Peer, fresh int)
	// Effects, if not nil, is told what a core wants done, besides what this package does.
	Effects func(p *Peer, e *gossip.Effects)
	// Blames, if not nil, is told whom a peer blames.
	Blames func(p *Peer, whom engine.Peer)
}

// World is one simulation.
type World struct {
	*engine.Engine
	cfg     Config
	pool    *pool
	genesis *run
	peers   []*Peer
	byID    map[gossip.Peer]*Peer
}

// secret is the space's.
var secret = gossip.Secret{1}

// New makes the peers.
func New(cfg Config) (*World, error) {
	cfg.Engine.Workers = 1 // see the package
	w := &World{cfg: cfg, byID: map[gossip.Peer]*Peer{}}
	for i := range cfg.Engine.Peers {
		w.peers = append(w.peers, w.newPeer(engine.Peer(i)))
	}
	w.found()
	w.connect()
	var err error
	w.Engine, err = engine.New(cfg.Engine, func(*engine.Shard) engine.Protocol { return w })
	return w, err
}

// Run lets time pass until the end.
func (w *World) Run(ctx context.Context) error { return w.Engine.Run(ctx) }

// Peer returns one of the peers.
func (w *World) Peer(p engine.Peer) *Peer { return w.peers[p] }

// All yields the peers.
func (w *World) All(yield func(*Peer) bool) {
	for _, p := range w.peers {
		if !yield(p) {
			return
		}
	}
}

// Equal reports whether all peers that a function names hold the same.
func (w *World) Equal(of func(*Peer) bool) bool {
	first := cut{}
	for _, p := range w.peers {
		if !of(p) {
			continue
		}
		if c := cutOf(p.Shelf.vec); first == (cut{}) {
			first = c
		} else if c != first {
			return false
		}
	}
	return true
}

// Blocks is how many blocks are stored, each once for all peers.
func (w *World) Blocks() int { return len(w.pool.blocks) }

// newPeer makes a peer that knows nobody.
func (w *World) newPeer(p engine.Peer) *Peer {
	var seed [ed25519.SeedSize]byte
	for i := range 4 {
		binary.BigEndian.PutUint64(seed[8*i:], engine.Draw(w.cfg.Engine.Seed^0x6b6579, p, uint32(i)))
	}
	key := ed25519.NewKeyFromSeed(seed[:])
	out := &Peer{w: w, Number: p, ID: gossip.Peer(key.Public().(ed25519.PublicKey)), key: key, streams: map[gossip.SessionID]*side{}, odd: ^gossip.SessionID(0)}
	w.byID[out.ID] = out
	return out
}

// found makes the space and the cores.
func (w *World) found() {
	first := w.peers[0]
	trust := memo.Verify
	if w.cfg.Adopts {
		trust = memo.Adopt
	}
	m, err := memo.New(memo.Memo{Author: first.ID, Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "simulation", RootKeys: []memo.Author{first.ID}, Trust: trust, W: 16, M: 128, D: 3, Rho: memo.DefaultRho,
	}})
	if err != nil {
		panic(err) // it is the same in every world but for the key
	}
	w.pool = newPool(m.SpaceID())
	first.head = m.Head()
	w.genesis = w.pool.intern(&memo.Run{Space: m.SpaceID(), Memos: []*memo.Memo{m}, Seal: memo.Sign(first.key, m.SpaceID(), m.Head())})
	for _, p := range w.peers {
		p.Shelf = newShelf(w.pool)
		p.Shelf.adopts = w.cfg.Adopts
		if p.Number == 0 || p.joins() == 0 {
			p.Shelf.put(w.genesis)
		}
		var holdings gossip.Holdings = p.Shelf
		if w.cfg.Holdings != nil {
			holdings = w.cfg.Holdings(p)
		}
		c := gossip.Config{Self: p.ID, Holdings: holdings, Seed: w.cfg.Engine.Seed, Sign: p.sign}
		copy(c.LocalSecret[:], p.ID[:])
		p.Core = gossip.New(c)
		p.Core.AddSpace(w.pool.space, secret)
	}
}

// connect draws who is connected with whom: rings through all peers in random orders.
func (w *World) connect() {
	n := len(w.peers)
	for k := range max(1, w.cfg.Links/2) {
		ring := rand.New(rand.NewPCG(w.cfg.Engine.Seed, uint64(k))).Perm(n)
		for i, a := range ring {
			w.peers[a].link(w.peers[ring[(i+1)%n]])
			w.peers[ring[(i+1)%n]].link(w.peers[a])
		}
	}
	for _, p := range w.peers {
		slices.SortFunc(p.links, func(a, b *link) int { return int(a.to.Number) - int(b.to.Number) })
	}
}

// Start implements engine.Protocol.
func (w *World) Start(port *engine.Port) {
	p := w.peers[port.Self()]
	p.port = port
	at := p.joins()
	port.After(at+engine.Time(port.IntN(int(engine.Ticks(gossip.TickEvery))))+1, tick, 0)
	port.After(at, relink, 0)
	for _, l := range p.links {
		if t := l.to.joins(); t > at {
			port.After(t, relink, 0)
		}
	}
	for _, cut := range w.cfg.Engine.Network.Partitions {
		for _, t := range []engine.Time{cut.From, cut.To} {
			if t > at {
				port.After(t, relink, 0)
			}
		}
	}
	if w.cfg.Begin != nil {
		w.cfg.Begin(p)
	}
}

// Step implements engine.Protocol.
func (w *World) Step(port *engine.Port, ev engine.Event) {
	p := w.peers[ev.To]
	p.port = port
	switch ev.Kind {
	case tick:
		p.step(gossip.Tick{})
		port.After(engine.Ticks(gossip.TickEvery), tick, 0)
	case turn:
		p.turning = false
		p.step(gossip.Turn{})
	case arrive:
		p.arrive(w.pool.land(ev.Arg))
	case over:
		x := w.pool.land(ev.Arg)
		p.ended(x.s, x.err)
	case heard:
		p.heard(w.peers[ev.From], ev.Arg)
	case relink:
		p.relink()
	case act:
		w.cfg.Act(p, ev.Arg)
	}
}

// Digest implements engine.Protocol.
func (w *World) Digest(id engine.Peer) uint64 {
	p := w.peers[id]
	return p.hash ^ p.Shelf.vec.Hint()
}
