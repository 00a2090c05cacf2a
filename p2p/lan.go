package p2p

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
)

const (
	// lanService is the DNS-SD service under which peers announce themselves on
	// their local network. It tells who is there, not what they share.
	lanService = "_lightcone._udp"
	// lanTTL is how long an announced address is believed.
	lanTTL = 10 * time.Minute
	// maxFound bounds the announced peers that are remembered without being kept.
	maxFound = 256
)

// announceLAN announces this peer by mDNS and listens for others.
func (s *Server) announceLAN() error {
	service := mdns.NewMdnsService(s.host, lanService, lanNotices{s, new(atomic.Int64)})
	if err := service.Start(); err != nil {
		return fmt.Errorf("announce on the local network: %w", err)
	}
	s.lan = service
	return nil
}

// lanNotices takes announcements. Anybody on a network can make one, so only
// peers that we want to be connected with anyway are dialled: it is how those are found whose
// addresses have changed. A peer is announced once, so the addresses of others
// are remembered for when they are to be kept.
type lanNotices struct {
	s     *Server
	found *atomic.Int64
}

// HandlePeerFound implements mdns.Notifee.
func (l lanNotices) HandlePeerFound(info peer.AddrInfo) {
	known := l.s.keeper.keeps(info.ID) || l.s.candidates.has(info.ID)
	if known || l.found.Add(1) <= maxFound {
		l.s.host.Peerstore().AddAddrs(info.ID, info.Addrs, lanTTL)
		l.s.keeper.redial(info.ID)
		l.s.candidates.retry(info.ID)
		l.s.log.Debug("found on the local network", "peer", info.ID, "addrs", info.Addrs)
	}
}

func (t *keeper) keeps(id peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept[id] != nil
}

// redial ends the pause between two attempts to reach a kept peer.
func (t *keeper) redial(id peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.kept[id]; k != nil {
		poke(k.redial)
	}
}
