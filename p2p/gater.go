package p2p

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"lightcone/p2p/gossip"
)

// Gater decides who may be connected: libp2p asks it before dialling and as soon
// as the identity of an incoming connection is proven. It refuses blocked peers,
// peers that misbehaved until that is half forgotten, and peers without an ed25519
// identity. Of those who dial us it lets in who is kept, members as long as their
// net does not take too much, and few strangers. Existing connections are not its
// affair.
type Gater struct {
	mu    sync.RWMutex
	all   bool
	peers map[gossip.Peer]bool

	blame *blame // nil: nobody is blamed
	crowd crowd
	home  doorman // nil: whoever is allowed may enter
}

// doorman is what the gater has to know of who stands at the door.
type doorman interface {
	awaited(id peer.ID) bool  // kept: it may always enter
	isMember(id peer.ID) bool // proved to know a space's secret
	gone(id peer.ID) bool     // not connected
}

var _ connmgr.ConnectionGater = (*Gater)(nil)

// Block refuses the named peers, or everybody when none is named.
func (g *Gater) Block(peers ...gossip.Peer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = g.all || len(peers) == 0
	if g.peers == nil {
		g.peers = map[gossip.Peer]bool{}
	}
	for _, p := range peers {
		g.peers[p] = true
	}
}

// Unblock undoes every Block.
func (g *Gater) Unblock() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all, g.peers = false, nil
}

// Blocked reports whether p is refused by a Block.
func (g *Gater) Blocked(p gossip.Peer) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.all || g.peers[p]
}

func (g *Gater) allows(id peer.ID) bool {
	p, err := toPeer(id)
	return err == nil && !g.Blocked(p) && (g.blame == nil || !g.blame.banned(p))
}

// InterceptPeerDial is asked before a peer is dialled.
func (g *Gater) InterceptPeerDial(id peer.ID) bool { return g.allows(id) }

// InterceptAddrDial is asked before an address of a peer is dialled.
func (g *Gater) InterceptAddrDial(id peer.ID, _ multiaddr.Multiaddr) bool { return g.allows(id) }

// InterceptAccept is asked while nothing but an address is known: it tells nothing.
func (g *Gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured is asked once the other side has proven its identity.
func (g *Gater) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allows(id)
}

// InterceptUpgraded is asked last, before a connection is used.
func (g *Gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	id := c.RemotePeer()
	switch {
	case !g.allows(id):
		return false, 0
	case c.Stat().Direction == network.DirOutbound || g.home == nil || g.home.awaited(id):
		return true, 0
	}
	return g.crowd.enter(id, netOf(c.RemoteMultiaddr()), g.home.isMember(id), time.Now(), g.home.gone), 0
}
