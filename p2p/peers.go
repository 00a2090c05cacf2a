package p2p

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"lightcone/p2p/gossip"
)

const (
	// measureEvery is how often round trips are measured.
	measureEvery = 15 * time.Second
	// pingTimeout bounds one measurement.
	pingTimeout = 5 * time.Second
)

// Addrs returns the multiaddrs this peer can be reached at, with its id. Those
// of its own interfaces count as well, loopback included, so that two processes
// of one machine find each other without a network.
func (s *Server) Addrs() []string {
	addrs, err := s.host.Network().InterfaceListenAddresses()
	if err != nil {
		s.log.Warn("cannot list the addresses of the interfaces", "err", err)
	}
	addrs = append(addrs, s.host.Addrs()...)
	var texts []string
	for _, a := range addrs {
		if manet.IsIP6LinkLocal(a) || a.Equal(anyCircuit) {
			continue // means something on its own link only, or nothing without a relay
		}
		if text := peerAddr(a, s.host.ID()); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// anyCircuit is where libp2p listens for what relays bring.
var anyCircuit = multiaddr.StringCast("/p2p-circuit")

func peerAddr(a multiaddr.Multiaddr, id peer.ID) string { return a.String() + "/p2p/" + id.String() }

// Peers describes the connected peers, see gossip.Network.
func (s *Server) Peers() []gossip.PeerInfo {
	var all []gossip.PeerInfo
	for _, id := range s.host.Network().Peers() {
		p, err := toPeer(id)
		if err != nil || !s.connected(id) {
			continue
		}
		direct := false
		info := gossip.PeerInfo{Peer: p, RTT: s.host.Peerstore().LatencyEWMA(id)}
		for _, c := range s.host.Network().ConnsToPeer(id) {
			info.Addrs = append(info.Addrs, c.RemoteMultiaddr().String())
			direct = direct || !isRelayed(c.RemoteMultiaddr())
		}
		info.Relayed = !direct
		slices.Sort(info.Addrs)
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b gossip.PeerInfo) int { return a.Peer.Compare(b.Peer) })
	return all
}

// isRelayed reports whether a connection at addr runs through a third peer.
func isRelayed(addr multiaddr.Multiaddr) bool {
	_, err := addr.ValueForProtocol(multiaddr.P_CIRCUIT)
	return err == nil
}

// measure keeps the round trip times fresh, after the first ping of a new peer.
func (s *Server) measure() {
	again := time.NewTicker(measureEvery)
	defer again.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-again.C:
		}
		for _, id := range s.host.Network().Peers() {
			s.ping(id)
		}
	}
}

// ping measures one round trip; libp2p remembers it.
func (s *Server) ping(id peer.ID) {
	ctx, cancel := context.WithTimeout(s.ctx, pingTimeout)
	defer cancel()
	if r, ok := <-ping.Ping(overAny(ctx, "ping"), s.host, id); ok && r.Error != nil {
		s.log.Debug("cannot measure a round trip", "peer", id, "err", r.Error)
	}
}
