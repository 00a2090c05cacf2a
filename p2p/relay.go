package p2p

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// What a relay gives away when Options.Relay is on.
const (
	// relayBytes and relayTime bound one circuit, each way: enough for a space to
	// come over in turns, since who is cut dials again and recon goes on.
	relayBytes, relayTime = 64 << 20, time.Hour
	// relayTerm is how long a reservation lasts, to be renewed before.
	relayTerm = time.Hour
	// relayReservations bounds the peers that can be reached through us, relayPerAddr
	// those behind one address, relayPerASN those of one network provider.
	relayReservations, relayPerAddr, relayPerASN = 128, 8, 32
	// relayCircuits bounds the circuits of one peer, relayBuffer is what each takes of
	// our memory, in bytes and each way.
	relayCircuits, relayBuffer = 16, 4096
)

// How we use relays of others.
const (
	// maxRelays is how many relays we ask to make us reachable.
	maxRelays = 2
	// relayRetry is the pause before we look for a relay again when there are too few.
	relayRetry = 10 * time.Second
	// relayTimeout bounds one request for a reservation.
	relayTimeout = 10 * time.Second
	// relayRenew is how long before its end a reservation is renewed.
	relayRenew = 10 * time.Minute
	// maxCircuitAddrs bounds the addresses we announce through one relay.
	maxCircuitAddrs = 4
)

// serveRelay makes this host a relay. It relays for whoever is not blocked: who
// needs a relay may be on the way to its first space.
func (s *Server) serveRelay() (*relay.Relay, error) {
	return relay.New(s.host,
		relay.WithResources(relay.Resources{
			Limit:          &relay.RelayLimit{Duration: relayTime, Data: relayBytes},
			ReservationTTL: relayTerm, MaxReservations: relayReservations,
			MaxCircuits: relayCircuits, BufferSize: relayBuffer,
			MaxReservationsPerIP: relayPerAddr, MaxReservationsPerASN: relayPerASN,
		}),
		relay.WithACL(relayGate{s.gater}),
		relay.WithReservationAddressFilter(func(a multiaddr.Multiaddr) bool { return !manet.IsIPLoopback(a) }),
	)
}

// relayGate keeps blocked peers from using us as a relay.
type relayGate struct{ gater *Gater }

func (g relayGate) AllowReserve(id peer.ID, _ multiaddr.Multiaddr) bool { return g.gater.allows(id) }

func (g relayGate) AllowConnect(from peer.ID, _ multiaddr.Multiaddr, to peer.ID) bool {
	return g.gater.allows(from) && g.gater.allows(to)
}

// relays holds the relays that make this peer reachable. libp2p's own search for
// relays knows public addresses only; a relay of a local network serves as well.
type relays struct {
	mu       sync.Mutex
	reserved map[peer.ID]reservation
	news     chan struct{} // holds one token when there may be a new relay
	told     chan struct{} // holds one token when our addresses changed
}

type reservation struct {
	until time.Time
	addrs []multiaddr.Multiaddr // of us, through it
}

func (r *relays) init() {
	r.reserved, r.news = map[peer.ID]reservation{}, make(chan struct{}, 1)
	r.told = make(chan struct{}, 1)
}

// addrs adds our addresses through relays to those we listen on. libp2p asks
// for them whenever it tells others where we are.
func (r *relays) addrs(own []multiaddr.Multiaddr) []multiaddr.Multiaddr {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(own)
	for _, x := range r.reserved {
		all = append(all, x.addrs...)
	}
	return all
}

// set records a reservation, or its loss when x holds no address.
func (r *relays) set(id peer.ID, x reservation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(x.addrs) == 0 {
		if _, had := r.reserved[id]; had {
			delete(r.reserved, id)
			poke(r.told)
		}
		return
	}
	r.reserved[id] = x
	poke(r.told)
}

// lost forgets the reservation with a relay that is gone.
func (r *relays) lost(id peer.ID) {
	r.set(id, reservation{})
	poke(r.news)
}

// wants reports whether a reservation with id is worth asking for now.
func (r *relays) wants(id peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x, ok := r.reserved[id]; ok {
		return time.Until(x.until) < relayRenew
	}
	return len(r.reserved) < maxRelays
}

// reserve keeps reservations with relays among the connected peers, unless
// AutoNAT found that everybody can reach us.
func (s *Server) reserve() {
	moved, err := s.host.EventBus().Emitter(new(event.EvtAutoRelayAddrsUpdated), eventbus.Stateful)
	if err != nil {
		s.log.Error("cannot tell of relays", "err", err)
		return
	}
	defer moved.Close()
	again := time.NewTicker(relayRetry)
	defer again.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.relays.news:
		case <-again.C:
		case <-s.relays.told: // libp2p looks at our addresses again, and tells our peers
			if err := moved.Emit(event.EvtAutoRelayAddrsUpdated{}); err != nil {
				s.log.Debug("peers are told later where we are", "err", err)
			}
			continue
		}
		for _, id := range s.host.Network().Peers() {
			if s.relays.wants(id) && !s.reachable() && s.relaysFor(id) {
				s.reserveAt(id)
			}
		}
	}
}

// relaysFor reports whether a peer is directly connected and offers to relay.
func (s *Server) relaysFor(id peer.ID) bool {
	if s.host.Network().Connectedness(id) != network.Connected {
		return false
	}
	speaks, err := s.host.Peerstore().SupportsProtocols(id, proto.ProtoIDv2Hop)
	return err == nil && len(speaks) > 0
}

func (s *Server) reserveAt(id peer.ID) {
	ctx, cancel := context.WithTimeout(s.ctx, relayTimeout)
	defer cancel()
	got, err := circuit.Reserve(network.WithNoDial(ctx, "relay"), s.host, peer.AddrInfo{ID: id})
	if err != nil {
		s.log.Debug("a relay grants no reservation", "relay", id, "err", err)
		return
	}
	x := reservation{until: got.Expiration}
	via := multiaddr.StringCast("/p2p/" + id.String() + "/p2p-circuit")
	for _, c := range s.host.Network().ConnsToPeer(id) {
		if a := c.RemoteMultiaddr(); !isRelayed(a) && c.Stat().Direction == network.DirOutbound {
			x.addrs = append(x.addrs, a.Encapsulate(via)) // where we reach it, others may
		}
	}
	for _, a := range append(got.Addrs, s.host.Peerstore().Addrs(id)...) {
		if a, _ = peer.SplitAddr(a); a != nil && !isRelayed(a) && len(x.addrs) < maxCircuitAddrs {
			x.addrs = append(x.addrs, a.Encapsulate(via))
		}
	}
	x.addrs = multiaddr.Unique(x.addrs)
	s.relays.set(id, x)
	s.log.Info("reachable through a relay", "relay", id, "until", got.Expiration)
}

// reachable reports whether AutoNAT found an address of ours that others reach.
func (s *Server) reachable() bool {
	h, ok := s.host.(interface {
		ConfirmedAddrs() (reachable, unreachable, unknown []multiaddr.Multiaddr)
	})
	if !ok {
		return false
	}
	direct, _, _ := h.ConfirmedAddrs()
	return len(direct) > 0
}

// Connections through a relay are limited in bytes and time and often slow, so a
// direct one is tried from time to time, and ends them.
const (
	// straightenEvery is how often a direct connection is tried.
	straightenEvery = 30 * time.Second
	// punchTimeout bounds each attempt to punch a hole for one, and the dial before.
	punchTimeout = 5 * time.Second
	// relayLinger is how long a relayed connection outlives the first direct one, for
	// what is under way on it.
	relayLinger = 5 * time.Second
)

// relayedOnly reports whether all connections with a peer run through relays.
func (s *Server) relayedOnly(id peer.ID) bool {
	conns := s.host.Network().ConnsToPeer(id)
	return len(conns) > 0 && !slices.ContainsFunc(conns, func(c network.Conn) bool { return !isRelayed(c.RemoteMultiaddr()) })
}

// straighten tries to connect directly with a peer that relays connect us with.
func (s *Server) straighten(id peer.ID) error {
	direct := slices.ContainsFunc(s.host.Peerstore().Addrs(id), func(a multiaddr.Multiaddr) bool { return !isRelayed(a) })
	p, err := toPeer(id)
	if err != nil || !direct || !s.relayedOnly(id) || s.gater.Blocked(p) {
		return err
	}
	s.clearBackoff(id)
	ctx, cancel := context.WithTimeout(s.ctx, dialTimeout)
	defer cancel()
	if err := s.host.Connect(network.WithForceDirectDial(ctx, "straighten"), peer.AddrInfo{ID: id}); err != nil {
		return fmt.Errorf("no direct connection with %s: %w", p, err)
	}
	return nil
}

// unrelay closes what runs through relays once there has been a direct connection
// for a moment.
func (s *Server) unrelay(id peer.ID) {
	select {
	case <-s.ctx.Done():
		return
	case <-time.After(s.bounds.linger):
	}
	conns := s.host.Network().ConnsToPeer(id)
	if s.relayedOnly(id) {
		return
	}
	for _, c := range conns {
		if isRelayed(c.RemoteMultiaddr()) {
			c.Close()
		}
	}
}
