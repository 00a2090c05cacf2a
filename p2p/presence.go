package p2p

import (
	"context"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"

	"lightcone/p2p/gossip"
)

// eventBuffer is how many libp2p events may wait for us before libp2p waits.
const eventBuffer = 256

// presence keeps what the core is yet to be told of who is there. It holds the
// state of each peer and not a list of events, so it grows with the peers that
// are connected and with nothing else.
type presence struct {
	mu    sync.Mutex
	peers map[peer.ID]*attendance
	news  chan struct{} // holds one token while something is to be told
}

// attendance is what is known of one peer.
type attendance struct {
	up   bool // connected and speaks recon
	told bool // the core thinks so
	lost bool // was down since the core was told, however shortly
}

func (a attendance) settled() bool { return a.up == a.told && !a.lost }

func (p *presence) init() {
	p.peers, p.news = map[peer.ID]*attendance{}, make(chan struct{}, 1)
}

// set records whether a peer is up.
func (p *presence) set(id peer.ID, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.peers[id]
	if a == nil {
		if !up {
			return
		}
		a = &attendance{}
		p.peers[id] = a
	}
	a.up = up
	a.lost = a.told && (a.lost || !up)
	if a.settled() && !a.up {
		delete(p.peers, id)
	}
	poke(p.news)
}

// next returns one thing to tell the core, as if it were told already.
func (p *presence) next() (gossip.Input, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, a := range p.peers {
		if a.settled() {
			continue
		}
		who, err := toPeer(id)
		if err != nil {
			delete(p.peers, id) // the gater lets no such peer in
			continue
		}
		if a.told {
			a.told, a.lost = false, false
			if !a.up {
				delete(p.peers, id)
			}
			return gossip.PeerDown{Peer: who}, true
		}
		a.told = true
		return gossip.PeerUp{Peer: who}, true
	}
	return nil, false
}

// tell tells the core who came and went, at the pace of the core.
func (s *Server) tell() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.presence.news:
		}
		for in, ok := s.presence.next(); ok; in, ok = s.presence.next() {
			if err := s.core.Input(s.ctx, in); err != nil && s.ctx.Err() == nil {
				s.log.Debug("core refused to hear of a peer", "input", in, "err", err)
			}
		}
	}
}

func (s *Server) subscribe() (event.Subscription, error) {
	return s.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtPeerConnectednessChanged),
	}, eventbus.BufSize(eventBuffer))
}

// watch follows libp2p's events. It never waits for the core.
func (s *Server) watch(sub event.Subscription) {
	defer sub.Close()
	for {
		select {
		case <-s.ctx.Done():
			return
		case ev := <-sub.Out():
			switch ev := ev.(type) {
			case event.EvtPeerIdentificationCompleted:
				s.keepRecord(ev.Peer, ev.SignedPeerRecord)
				s.identified(ev.Peer, ev.Protocols)
			case event.EvtPeerProtocolsUpdated:
				s.identified(ev.Peer, ev.Added)
			case event.EvtPeerConnectednessChanged:
				s.connectedness(ev)
			}
		}
	}
}

// identified notes a peer that speaks recon.
func (s *Server) identified(id peer.ID, speaks []protocolID) {
	if slices.Contains(speaks, proto.ProtoIDv2Hop) {
		poke(s.relays.news)
	}
	if !slices.Contains(speaks, reconProtocol) || !s.connected(id) {
		return
	}
	s.presence.set(id, true)
	s.greet(id)
	if s.keeper.keeps(id) && slices.Contains(speaks, meetProtocol) {
		s.tasks.spawn(func() {
			if err := s.introduce(id); err != nil {
				s.log.Debug("a kept peer shares no space", "peer", id, "err", err)
			}
		})
	}
	if s.host.Peerstore().LatencyEWMA(id) == 0 {
		s.tasks.spawn(func() { s.ping(id) })
	}
}

func (s *Server) connectedness(ev event.EvtPeerConnectednessChanged) {
	switch {
	case ev.Connectedness == network.NotConnected:
		s.presence.set(ev.Peer, false)
		s.forget(ev.Peer)
		s.relays.lost(ev.Peer)
		poke(s.candidates.news)
	case !s.gater.allows(ev.Peer): // it slipped in while Block was at work
		s.tasks.spawn(func() { s.host.Network().ClosePeer(ev.Peer) })
	case ev.Connectedness == network.Connected: // perhaps besides one through a relay
		s.tasks.spawn(func() { s.unrelay(ev.Peer) })
	}
	s.keeper.wake(ev.Peer)
}

// connected reports whether there is a connection, be it through a relay.
func (s *Server) connected(id peer.ID) bool { return isConnected(s.host.Network().Connectedness(id)) }

func isConnected(c network.Connectedness) bool {
	return c == network.Connected || c == network.Limited
}

// overAny returns a context for opening streams on whatever connection there is, be
// it through a relay, and without dialling.
func overAny(ctx context.Context, why string) context.Context {
	return network.WithAllowLimitedConn(network.WithNoDial(ctx, why), why)
}

// poke leaves a token in a channel of capacity one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
