package p2p

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// How many of those who dialled us may be connected at once. A stranger is who has
// not proven to know a space's secret: it may ask to join, prove itself, and use us
// as a relay and for the rendezvous. Whoever is kept is bounded by nothing here.
const (
	// maxStrangers bounds the strangers, maxNetStrangers those of one IPv4 /24 or
	// IPv6 /48, or behind one relay, where one owner can pose as many.
	maxStrangers, maxNetStrangers = 128, 16
	// maxNetMembers bounds the members from one such net: a quarter of maxInbound, so
	// that no owner of a net takes the places of all others by joining many times.
	// Loopback is exempt.
	maxNetMembers = maxInbound / 4
	// strangerPatience is how long a stranger may stay without being of use to
	// anybody.
	strangerPatience = time.Minute
	// placing is how long a connection may take from the gater to the list of peers.
	placing = 10 * time.Second
)

// IPv4 and IPv6 nets that are likely to have one owner, in bits.
const netBits4, netBits6 = 24, 48

// netOf names the net of an address: its /24 or /48, or the relay it runs through.
func netOf(a multiaddr.Multiaddr) string {
	if relay, last := peer.SplitAddr(beforeCircuit(a)); last != "" || relay == nil {
		return last.String()
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return "" // all such addresses are one net
	}
	addr, _ := netip.AddrFromSlice(ip)
	addr, bits := addr.Unmap(), netBits6
	if addr.Is4() {
		bits = netBits4
	}
	net, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return net.String()
}

// beforeCircuit returns the part of an address that leads to the relay, all of it
// when there is none.
func beforeCircuit(a multiaddr.Multiaddr) multiaddr.Multiaddr {
	before, _ := multiaddr.SplitFunc(a, func(c multiaddr.Component) bool { return c.Protocol().Code == multiaddr.P_CIRCUIT })
	return before
}

func isLoopbackNet(net string) bool {
	p, err := netip.ParsePrefix(net)
	return err == nil && p.Addr().IsLoopback()
}

// crowd counts those who dialled us.
type crowd struct {
	mu     sync.Mutex
	places map[peer.ID]*place
	most   crowdBounds
}

// crowdBounds are maxStrangers, maxNetStrangers and maxNetMembers.
type crowdBounds struct{ strangers, netStrangers, netMembers int }

// place is what one of them takes.
type place struct {
	net    string
	member bool
	since  time.Time
}

// enter gives a peer from a net a place, or reports that it has none to give. gone
// tells which peers are not connected any more.
func (c *crowd) enter(id peer.ID, net string, member bool, now time.Time, gone func(peer.ID) bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.places == nil {
		c.places = map[peer.ID]*place{}
	}
	if p := c.places[id]; p != nil {
		return true
	}
	full := func() bool {
		strangers, beside := c.count(net, member)
		if member {
			return beside >= c.most.netMembers && !isLoopbackNet(net)
		}
		return strangers >= c.most.strangers || beside >= c.most.netStrangers
	}
	if full() {
		for id, p := range c.places { // connections that failed after they had a place
			if now.Sub(p.since) > placing && gone(id) {
				delete(c.places, id)
			}
		}
		if full() {
			return false
		}
	}
	c.places[id] = &place{net: net, member: member, since: now}
	return true
}

// count returns how many strangers there are, and how many of the same kind in net.
func (c *crowd) count(net string, member bool) (strangers, beside int) {
	for _, p := range c.places {
		if !p.member {
			strangers++
		}
		if p.net == net && p.member == member {
			beside++
		}
	}
	return strangers, beside
}

// proven makes a stranger a member.
func (c *crowd) proven(id peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.places[id]; p != nil {
		p.member = true
	}
}

// leave frees the place of a peer whose last connection is gone.
func (c *crowd) leave(id peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.places, id)
}

// old returns the strangers that have been here since before t.
func (c *crowd) old(t time.Time) (all []peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.places {
		if !p.member && p.since.Before(t) {
			all = append(all, id)
		}
	}
	return all
}

// dismiss closes the connections of strangers that are of no use: they hold no
// place in our routing table, no reservation, and no circuit runs through us.
func (s *Server) dismiss(now time.Time) {
	for _, id := range s.gater.crowd.old(now.Add(-strangerPatience)) {
		tags := s.host.ConnManager().GetTagInfo(id)
		if tags != nil && tags.Value > 0 || s.keeper.keeps(id) || s.carries(id) {
			continue
		}
		s.log.Debug("closing the connection of a stranger", "peer", id)
		s.host.Network().ClosePeer(id)
	}
}

// carries reports whether we relay for a peer.
func (s *Server) carries(id peer.ID) bool {
	for _, c := range s.host.Network().ConnsToPeer(id) {
		for _, st := range c.GetStreams() {
			if p := st.Protocol(); p == proto.ProtoIDv2Hop || p == proto.ProtoIDv2Stop {
				return true
			}
		}
	}
	return false
}

// isMember reports whether a peer proved to know the secret of a space that is
// served here, now or earlier.
func (s *Server) isMember(id peer.ID) bool {
	if s.proofs.has(id) {
		return true
	}
	p, err := toPeer(id)
	if err != nil {
		return false
	}
	for _, space := range s.topics.served() {
		if s.core.Admitted(space, p) {
			return true
		}
	}
	return false
}

// prove notes that a connected peer knows the secret of a space.
func (s *Server) prove(id peer.ID) {
	s.proofs.add(id)
	s.gater.crowd.proven(id)
}

// proofs holds the connected peers that proved to be members since they came.
type proofs struct {
	mu    sync.Mutex
	peers map[peer.ID]bool
}

func (p *proofs) has(id peer.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers[id]
}

func (p *proofs) add(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.peers == nil {
		p.peers = map[peer.ID]bool{}
	}
	p.peers[id] = true
}

func (p *proofs) forget(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, id)
}

// gone reports whether there is no connection with a peer.
func (s *Server) gone(id peer.ID) bool {
	return s.host.Network().Connectedness(id) == network.NotConnected
}
