package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ipfs/go-cid"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"lightcone/memo"
)

// The rendezvous: members of a space find each other in a Kademlia hash table of
// lightcone peers, under a hash of the space's rendezvous. The table's peers see
// who provides and looks for which hash, not which space that is, and who is found
// has yet to prove that it belongs there.
const (
	// dhtPrefix keeps our table apart from others.
	dhtPrefix protocolID = "/lightcone"
	// seekEvery is how often the members of a space are looked for at first; the pause
	// grows to seekMax, cut by a random part of up to a half.
	seekEvery, seekMax = 500 * time.Millisecond, 10 * time.Minute
	// provideEvery is how often a peer says again that it is there; the table forgets
	// after two days.
	provideEvery = 6 * time.Hour
	// seekTimeout bounds one search or announcement.
	seekTimeout = time.Minute
	// maxFoundMembers bounds what one search may bring.
	maxFoundMembers = 32
)

// rendezvousID is the key of a space in the table.
func (s *Server) rendezvousID(space memo.SpaceID) (cid.Cid, bool) {
	r, served := s.core.Rendezvous(space)
	if !served {
		return cid.Undef, false
	}
	hash, err := multihash.Sum(r[:], multihash.SHA2_256, -1)
	if err != nil {
		return cid.Undef, false
	}
	return cid.NewCidV1(cid.Raw, hash), true
}

// joinTable takes part in the hash table of those who take part already.
func (s *Server) joinTable(bootstrap []peer.AddrInfo) error {
	for _, b := range bootstrap {
		s.host.Peerstore().AddAddrs(b.ID, b.Addrs, peerstore.PermanentAddrTTL)
	}
	table, err := dht.New(s.ctx, s.host,
		dht.ProtocolPrefix(dhtPrefix), dht.Mode(dht.ModeAutoServer), dht.DisableValues(), dht.BootstrapPeers(bootstrap...))
	if err != nil {
		return err
	}
	s.table = table
	s.tasks.spawn(func() { s.rendezvous(table) })
	return nil
}

// rendezvous provides and seeks until the server ends.
func (s *Server) rendezvous(table *dht.IpfsDHT) {
	if err := table.Bootstrap(s.ctx); err != nil {
		s.log.Warn("cannot fill the table of the rendezvous", "err", err)
	}
	provided := map[memo.SpaceID]time.Time{}
	pause := seekEvery
	for spaces := 0; ; {
		if n := len(s.topics.served()); n != spaces {
			spaces, pause = n, seekEvery
		}
		for _, space := range s.topics.served() {
			if err := s.provide(table, space, provided); err != nil {
				s.log.Debug("cannot announce a space at the rendezvous", "space", space, "err", err)
			}
			s.seek(table, space)
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(pause - rand.N(pause/2)):
			pause = min(2*pause, seekMax)
		}
	}
}

// errAlone reports that there is nobody yet to tell.
var errAlone = errors.New("no peer of the table is connected")

// provide says that we take part in a space, unless it was said not long ago.
func (s *Server) provide(table *dht.IpfsDHT, space memo.SpaceID, provided map[memo.SpaceID]time.Time) error {
	id, served := s.rendezvousID(space)
	if !served || time.Since(provided[space]) < provideEvery {
		return nil
	}
	if table.RoutingTable().Size() == 0 {
		return errAlone
	}
	ctx, cancel := context.WithTimeout(s.ctx, seekTimeout)
	defer cancel()
	if err := table.Provide(ctx, id, true); err != nil {
		return err
	}
	provided[space] = time.Now()
	s.log.Info("announced a space at the rendezvous", "space", space)
	return nil
}

// seek looks for others that take part in a space.
func (s *Server) seek(table *dht.IpfsDHT, space memo.SpaceID) {
	id, served := s.rendezvousID(space)
	if !served {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, seekTimeout)
	defer cancel()
	for found := range table.FindProvidersAsync(ctx, id, maxFoundMembers) {
		s.log.Debug("found a peer at the rendezvous", "space", space, "peer", found.ID, "addrs", found.Addrs)
		if _, err := toPeer(found.ID); err != nil || found.ID == s.host.ID() {
			continue
		}
		s.host.Peerstore().AddAddrs(found.ID, found.Addrs, toldTTL)
		s.rumor(space, found.ID)
	}
}

// parsePeers reads multiaddrs that end in a peer id.
func parsePeers(texts []string) ([]peer.AddrInfo, error) {
	addrs := make([]multiaddr.Multiaddr, 0, len(texts))
	for _, text := range texts {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is no multiaddr: %w", ErrOptions, text, err)
		}
		addrs = append(addrs, a)
	}
	infos, err := peer.AddrInfosFromP2pAddrs(addrs...)
	if err != nil {
		return nil, fmt.Errorf("%w: an address of a peer ends in /p2p/ID: %w", ErrOptions, err)
	}
	for _, info := range infos {
		if _, err := toPeer(info.ID); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	return infos, nil
}
