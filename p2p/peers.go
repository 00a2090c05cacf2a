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
	var all []string
	for _, a := range addrs {
		if manet.IsIP6LinkLocal(a) || a.Equal(anyCircuit) {
			continue // means something on its own link only, or nothing without a relay
		}
		if text := peerAddr(a, s.host.ID()); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

func texts(addrs []multiaddr.Multiaddr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
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
		all = append(all, s.describe(id, p))
	}
	slices.SortFunc(all, func(a, b gossip.PeerInfo) int { return a.Peer.Compare(b.Peer) })
	return all
}

func (s *Server) describe(id peer.ID, p gossip.Peer) gossip.PeerInfo {
	info := gossip.PeerInfo{
		Peer: p, RTT: s.host.Peerstore().LatencyEWMA(id), Relayed: s.relayedOnly(id),
		Pinned: s.keeper.keeps(id), Score: s.blame.score(id),
	}
	for _, c := range s.host.Network().ConnsToPeer(id) {
		info.Addrs = append(info.Addrs, c.RemoteMultiaddr().String())
		info.Transports = append(info.Transports, transportOf(c.RemoteMultiaddr()))
		if at := c.Stat().Opened; info.Since.IsZero() || at.Before(info.Since) {
			info.Since = at
		}
	}
	slices.Sort(info.Addrs)
	slices.Sort(info.Transports)
	info.Transports = slices.Compact(info.Transports)
	return info
}

// transportOf names how an address is reached; through a relay, how the relay is.
func transportOf(a multiaddr.Multiaddr) string {
	name := "other"
	for _, c := range a {
		switch c.Protocol().Code {
		case multiaddr.P_CIRCUIT:
			return name
		case multiaddr.P_QUIC_V1:
			name = "quic"
		case multiaddr.P_TCP:
			name = "tcp"
		case multiaddr.P_WS:
			if name == "tls" {
				return "wss"
			}
			name = "ws"
		case multiaddr.P_TLS:
			name = "tls"
		case multiaddr.P_WSS:
			name = "wss"
		}
	}
	return name
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
		s.dismiss(time.Now())
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
