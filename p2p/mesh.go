package p2p

import (
	"maps"
	"slices"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

// The mesh of a space: who relays messages to whom. Every link brings a message
// that the other end already has, but for the first, so the degree is what gossip
// costs: in a mesh of degree d a message comes in d-1 copies, a little more in a
// small space. internal/compare counts them: at 8 peers 6.2 copies of 412 B, a run
// of one memo of 100 B, with gossipsub's own 6 links (5 to 12) and flooding; 1.9 to
// 2.4 with these. A flood costs the writer a copy for everybody in the space.
//
// It may be sparse since nothing of correctness rests on it: a differing hint or
// an orphan starts recon within half a second of a loss, a new link at once.
// IDONTWANT stays for messages above 1 KiB: for all of them it saved no copy on
// loopback and cost 80 B a message and receiver.
const (
	// meshDegree is how many links a peer makes: the smallest with which random
	// graphs are connected but for a vanishing share; 2 makes separate rings.
	meshDegree = 3
	// Below meshLow links a peer makes new ones at the next heartbeat, from meshHigh
	// on it drops some, so that it has 2 or 3. 3 for meshLow and 5 for meshHigh made
	// 2.7 to 3.0 copies.
	meshLow, meshHigh = 2, 4
	// meshBest of the links that stay when some are dropped are those with the best
	// score. The others are drawn, so that nobody is left out for being new.
	meshBest = 2
	// meshOut is how many links we opened ourselves there must be. gossipsub wants
	// less than half of meshDegree, rounded down. It is a defence of open networks
	// against being surrounded; here a peer must know the space's secret.
	meshOut = 0
	// heartbeat is how often the mesh is mended: the longest that who has just come,
	// or lost a link, waits for one. The shorter, the more ids are told below: 155 B
	// a message and receiver at 5 a second, with 500 ms 115 B.
	heartbeat = 250 * time.Millisecond
	// lazyPeers others, drawn anew at each heartbeat, are told the ids of messages of
	// the last lazyBeats, and ask for what they lack. At 5 messages a second that is
	// 155 B a message and receiver; 2 and 3 took 244 B, with heartbeats of 1 s.
	lazyPeers, lazyBeats = 1, 2
	// lazyShare of the other peers would be told when that is more: the cost of a
	// message would grow with the space.
	lazyShare = 0
)

// MeshParams returns the parameters that gossipsub is given, for who compares a model
// of the mesh with it: simulations/calib.
func MeshParams() pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.D, p.Dlo, p.Dhi, p.Dscore, p.Dout = meshDegree, meshLow, meshHigh, meshBest, meshOut
	p.Dlazy, p.HistoryGossip, p.GossipFactor = lazyPeers, lazyBeats, lazyShare
	p.HeartbeatInterval = heartbeat
	return p
}

// meshTracer sees the links of one space's mesh come, those of the topic of memos:
// an announcement that was missed needs no recon.
type meshTracer struct {
	*tally
	links *inbox
	memos string
	broke func(peer.ID) // a stream to a peer was given up
}

// OnClosedOutboundStream implements pubsub.RawTracer, in gossipsub's own loop.
func (m meshTracer) OnClosedOutboundStream(id peer.ID) { m.broke(id) }

// Graft implements pubsub.RawTracer, in gossipsub's own loop: it must not wait.
func (m meshTracer) Graft(id peer.ID, topic string) {
	if topic == m.memos {
		m.links.put(id)
	}
}

// inbox holds peers until somebody looks, each once, so that it grows with the
// connected peers and with nothing else.
type inbox struct {
	mu    sync.Mutex
	peers map[peer.ID]bool
	news  chan struct{} // holds one token while there is a peer
}

func newInbox() *inbox { return &inbox{peers: map[peer.ID]bool{}, news: make(chan struct{}, 1)} }

func (b *inbox) put(id peer.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peers[id] = true
	poke(b.news)
}

func (b *inbox) take() []peer.ID {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Collect(maps.Keys(b.peers))
	clear(b.peers)
	return all
}

// link tells the core of new links, at the pace of the core.
func (s *Server) link(t *topic) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.links.news:
		}
		for _, id := range t.links.take() {
			p, err := toPeer(id)
			if err == nil {
				err = s.core.Input(s.ctx, gossip.Linked{Space: t.space, Peer: p})
			}
			if err != nil && s.ctx.Err() == nil {
				s.log.Debug("core refused to hear of a link", "space", t.space, "peer", id, "err", err)
			}
		}
	}
}
