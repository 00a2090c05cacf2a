package p2p

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"

	"lightcone/p2p/gossip"
)

// How connections are kept.
const (
	// keepMin and keepMax bound the pause between two attempts. It doubles from
	// one to the other and is cut by a random part of up to a half. keepMax is below
	// the 10 s within which two peers that were parted are to be equal again: at
	// worst neither tries until its pause is over.
	keepMin, keepMax = 250 * time.Millisecond, 8 * time.Second
	// keepStable is how long a connection must have lasted for the pause to start
	// over: one that the other side cuts at once counts as a failed attempt.
	keepStable = 5 * time.Second
	// dialTimeout bounds one attempt.
	dialTimeout = 10 * time.Second
	// maxKept bounds the peers kept.
	maxKept = 1024
	// keepTag protects the connections of kept peers from being pruned.
	keepTag = "lightcone/keep"
)

// keeper holds the peers to stay connected to.
type keeper struct {
	mu   sync.Mutex
	kept map[peer.ID]*kept
	cut  map[peer.ID]bool // disconnected by Block, to be redialled by Unblock
}

// kept is one of them, looked after by a goroutine of its own.
type kept struct {
	id     peer.ID
	wake   chan struct{} // holds one token when the connectedness may have changed
	redial chan struct{} // holds one token when waiting makes no sense any more
}

// Keep stays connected to p, see gossip.Network.
func (s *Server) Keep(p gossip.Peer, addrs []string) {
	id := toID(p)
	if id == s.host.ID() {
		return
	}
	s.learn(id, addrs, peerstore.PermanentAddrTTL)
	k, err := s.keeper.add(id)
	if err != nil {
		s.log.Warn("cannot keep a connection", "peer", p, "err", err)
	}
	if k == nil {
		return
	}
	s.host.ConnManager().Protect(id, keepTag)
	s.tasks.spawn(func() { s.keep(p, k) })
}

// add returns the new peer, nil if it is no news.
func (t *keeper) add(id peer.ID) (*kept, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.kept[id]; k != nil {
		poke(k.redial) // there may be new addresses
		return nil, nil
	}
	if len(t.kept) >= maxKept {
		return nil, fmt.Errorf("%d are kept already", maxKept)
	}
	if t.kept == nil {
		t.kept = map[peer.ID]*kept{}
	}
	k := &kept{id: id, wake: make(chan struct{}, 1), redial: make(chan struct{}, 1)}
	t.kept[id] = k
	return k, nil
}

// wake tells that a peer's connectedness changed.
func (t *keeper) wake(id peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.kept[id]; k != nil {
		poke(k.wake)
	}
}

// keep dials whenever there is no connection.
func (s *Server) keep(p gossip.Peer, k *kept) {
	pause := keepMin
	for s.ctx.Err() == nil {
		err := s.connect(p, k)
		if err == nil {
			began := time.Now()
			if cut := s.whileSettled(p, k); cut || time.Since(began) >= keepStable {
				pause = keepMin
				continue
			}
		} else {
			s.log.Debug("cannot connect", "peer", p, "err", err, "pause", pause)
		}
		if s.pause(k, pause-rand.N(pause/2)) {
			pause = min(2*pause, keepMax)
		} else {
			pause = keepMin
		}
	}
}

// connect dials p where that is needed and allowed.
func (s *Server) connect(p gossip.Peer, k *kept) error {
	if s.connected(k.id) || s.gater.Blocked(p) {
		return nil
	}
	return s.dial(s.ctx, k.id)
}

// whileSettled returns when p is neither connected nor blocked, and whether it
// was blocked in between, so that waiting before the next attempt makes no sense.
// Where a relay connects us, a direct connection is tried now and then.
func (s *Server) whileSettled(p gossip.Peer, k *kept) (cut bool) {
	again := time.NewTicker(straightenEvery)
	defer again.Stop()
	for s.ctx.Err() == nil {
		blocked := s.gater.Blocked(p)
		cut = cut || blocked
		if !blocked && !s.connected(k.id) {
			return cut
		}
		select {
		case <-s.ctx.Done():
		case <-k.wake:
			continue
		case <-again.C:
		case <-k.redial:
			cut = true
		}
		if err := s.straighten(k.id); err != nil && s.ctx.Err() == nil {
			s.log.Debug("still connected through a relay", "peer", p, "err", err)
		}
	}
	return cut
}

// pause waits for d and reports whether it was not cut short.
func (s *Server) pause(k *kept, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.redial:
	case <-s.ctx.Done():
	}
	return false
}

// awaited reports whether a peer may always enter.
func (s *Server) awaited(id peer.ID) bool { return s.keeper.keeps(id) }

// dial connects to a peer at the addresses known of it. When to try is decided
// here, so libp2p's own pauses between attempts are lifted.
func (s *Server) dial(ctx context.Context, id peer.ID) error {
	s.clearBackoff(id)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return s.host.Connect(network.WithAllowLimitedConn(ctx, "dial"), peer.AddrInfo{ID: id})
}

func (s *Server) clearBackoff(id peer.ID) {
	if sw, ok := s.host.Network().(*swarm.Swarm); ok {
		sw.Backoff().Clear(id)
	}
}

// learn remembers addresses of a peer.
func (s *Server) learn(id peer.ID, addrs []string, ttl time.Duration) {
	for _, text := range addrs {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			s.log.Warn("ignored an address", "peer", id, "addr", text, "err", err)
			continue
		}
		transport, named := peer.SplitAddr(a)
		if transport == nil || named != "" && named != id {
			s.log.Warn("ignored an address of another peer", "peer", id, "addr", text)
			continue
		}
		s.host.Peerstore().AddAddr(id, transport, ttl)
	}
}

// Block cuts peers off, see gossip.Network. Their connections are closed when it
// returns.
func (s *Server) Block(peers ...gossip.Peer) {
	s.gater.Block(peers...)
	for _, id := range s.host.Network().Peers() {
		if s.gater.allows(id) {
			continue
		}
		s.keeper.mu.Lock()
		if s.keeper.cut == nil {
			s.keeper.cut = map[peer.ID]bool{}
		}
		s.keeper.cut[id] = true
		s.keeper.mu.Unlock()
		if err := s.host.Network().ClosePeer(id); err != nil {
			s.log.Debug("closing the connections of a blocked peer", "peer", id, "err", err)
		}
	}
}

// Unblock undoes every Block, see gossip.Network. Kept peers, and those that
// Block disconnected, are dialled at once.
func (s *Server) Unblock() {
	s.gater.Unblock()
	s.candidates.retry()
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	for id, k := range s.keeper.kept {
		delete(s.keeper.cut, id)
		poke(k.redial)
	}
	for id := range s.keeper.cut {
		s.tasks.spawn(func() {
			if err := s.dial(s.ctx, id); err != nil {
				s.log.Debug("cannot reconnect", "peer", id, "err", err)
			}
		})
	}
	s.keeper.cut = nil
}
