package p2p

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// Beside the peers that are kept, a peer stays connected with some others of its
// spaces, drawn at random, so that nobody can arrange whom it hears from. It learns
// of them from the core, from other members and from the rendezvous.
const (
	// randomPeers is how many of them there should be.
	randomPeers = 16
	// maxCandidates bounds those that are remembered.
	maxCandidates = 1024
	// rumorPatience is how many attempts in a row a peer may fail of which only others
	// told, until it is forgotten.
	rumorPatience = 4
	// rumorMax bounds the pause between two attempts to reach such a peer; for others
	// it is keepMax.
	rumorMax = 5 * time.Minute
	// exchangeEvery is how often one member is asked whom else it knows; the first
	// time is after a tenth of it.
	exchangeEvery = time.Minute
	// acquaintEvery is how often it is looked whom to dial, if nothing happens before.
	acquaintEvery = 5 * time.Second
)

// candidates holds the peers to choose from.
type candidates struct {
	mu    sync.Mutex
	peers map[peer.ID]*candidate
	news  chan struct{} // holds one token when there may be somebody to dial
}

type candidate struct {
	id      peer.ID
	spaces  []memo.SpaceID // it is said to be in
	sure    bool           // not only rumor has it: the core said so, or it proved it
	dialing bool
	pause   time.Duration // after the next failure
	next    time.Time     // not to be dialled before
	failed  int           // attempts in a row
}

func (c *candidates) init() {
	c.peers, c.news = map[peer.ID]*candidate{}, make(chan struct{}, 1)
}

// Suggest names a member of a space, see gossip.Network.
func (s *Server) Suggest(space memo.SpaceID, p gossip.Peer, addrs []string) {
	if id := toID(p); id != s.host.ID() {
		s.learn(id, addrs, peerstore.PermanentAddrTTL)
		s.candidates.add(space, id, true)
	}
}

// rumor adds a peer that others say to be in a space.
func (s *Server) rumor(space memo.SpaceID, id peer.ID) {
	if s.candidates.add(space, id, false) && s.connected(id) {
		s.tasks.spawn(func() {
			if err := s.introduce(id); err != nil {
				s.log.Debug("a rumor is false", "peer", id, "err", err)
			}
		})
	}
}

// add reports whether that is news.
func (c *candidates) add(space memo.SpaceID, id peer.ID, sure bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.peers[id]
	if x == nil {
		if len(c.peers) >= maxCandidates && !c.dropRumor() {
			return false
		}
		x = &candidate{id: id, pause: keepMin}
		c.peers[id] = x
	}
	x.sure = x.sure || sure
	if slices.Contains(x.spaces, space) {
		return false
	}
	x.spaces = append(x.spaces, space)
	poke(c.news)
	return true
}

// dropRumor forgets one of those that only rumor tells of; the map's order is as
// good as any.
func (c *candidates) dropRumor() bool {
	for id, x := range c.peers {
		if !x.sure && !x.dialing {
			delete(c.peers, id)
			return true
		}
	}
	return false
}

// has reports whether a peer is among the candidates.
func (c *candidates) has(id peer.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peers[id] != nil
}

// retry ends the pauses: addresses or blocks have changed.
func (c *candidates) retry(ids ...peer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, x := range c.peers {
		if len(ids) == 0 || slices.Contains(ids, id) {
			x.pause, x.next = keepMin, time.Time{}
		}
	}
	poke(c.news)
}

// choose returns up to want candidates that may be dialled now, those of nets with
// few peers first: beside lists the nets of the peers there are. wait is when there
// may be more.
func (c *candidates) choose(want int, now time.Time, beside map[string]int, net func(peer.ID) string, skip func(peer.ID) bool) (chosen []*candidate, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait = acquaintEvery
	var due []*candidate
	for id, x := range c.peers {
		switch {
		case skip(id):
		case x.dialing:
			want--
		case x.next.After(now):
			wait = min(wait, x.next.Sub(now))
		default:
			due = append(due, x)
		}
	}
	rand.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for len(due) > 0 && len(chosen) < want {
		least := 0
		for i, x := range due {
			if beside[net(x.id)] < beside[net(due[least].id)] {
				least = i
			}
		}
		x := due[least]
		due = slices.Delete(due, least, least+1)
		beside[net(x.id)]++
		x.dialing = true
		chosen = append(chosen, x)
	}
	return chosen, wait
}

// dialled notes how an attempt went.
func (c *candidates) dialled(x *candidate, err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	x.dialing = false
	if err == nil {
		x.pause, x.failed = keepMin, 0
		x.next = now.Add(keepMin) // not at once again when the other side cuts it
		return
	}
	x.failed++
	x.next = now.Add(x.pause - rand.N(x.pause/2))
	longest := keepMax
	if !x.sure {
		longest = rumorMax
		if x.failed >= rumorPatience {
			delete(c.peers, x.id)
		}
	}
	x.pause = min(2*x.pause, longest)
	poke(c.news)
}

// acquaint dials candidates while too few of them are connected, and asks members
// for more from time to time.
func (s *Server) acquaint() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	exchange := time.Now().Add(exchangeEvery / 10)
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.candidates.news:
		}
		now := time.Now()
		timer.Reset(s.dialSome(now))
		if now.After(exchange) {
			exchange = now.Add(exchangeEvery/2 + rand.N(exchangeEvery))
			s.tasks.spawn(s.exchange)
		}
	}
}

// dialSome dials as many candidates as are lacking and returns when to look again.
func (s *Server) dialSome(now time.Time) time.Duration {
	beside, there := map[string]int{}, 0
	for _, c := range s.host.Network().Conns() {
		beside[netOf(c.RemoteMultiaddr())]++
	}
	for _, id := range s.host.Network().Peers() {
		if s.candidates.has(id) && s.isMember(id) && !s.keeper.keeps(id) {
			there++ // who only claims to be one takes no place
		}
	}
	chosen, wait := s.candidates.choose(randomPeers-there, now, beside, s.netOfPeer, func(id peer.ID) bool {
		return s.connected(id) || s.keeper.keeps(id) || !s.gater.allows(id)
	})
	for _, x := range chosen {
		s.tasks.spawn(func() {
			err := s.dial(s.ctx, x.id)
			if err == nil {
				err = s.introduce(x.id)
			}
			s.candidates.dialled(x, err, time.Now())
			if err != nil {
				s.log.Debug("cannot reach a member", "peer", x.id, "err", err)
			}
		})
	}
	return wait
}

// netOfPeer is the net a peer is said to be in: of its first direct address.
func (s *Server) netOfPeer(id peer.ID) string {
	net := ""
	for _, a := range s.host.Peerstore().Addrs(id) {
		if net == "" || !isRelayed(a) {
			net = netOf(a)
		}
	}
	return net
}

// introduce meets a connected peer in the spaces it is said to be in, or in all when
// it is kept: whoever pinned it knows why. It fails when none is shared.
func (s *Server) introduce(id peer.ID) error {
	spaces := s.candidates.spacesOf(id)
	if s.keeper.keeps(id) {
		spaces = s.topics.served()
	}
	p, err := toPeer(id)
	if err != nil {
		return err
	}
	var failed []error
	for _, space := range spaces {
		if s.core.Admitted(space, p) {
			continue // recon goes on by itself
		}
		if err := s.meet(space, id); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 && len(failed) == len(spaces) {
		return errors.Join(failed...)
	}
	return nil
}

func (c *candidates) spacesOf(id peer.ID) []memo.SpaceID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.peers[id]; x != nil {
		return slices.Clone(x.spaces)
	}
	return nil
}

// exchange asks one connected member of each space whom else it knows.
func (s *Server) exchange() {
	for _, space := range s.topics.served() {
		ids := s.host.Network().Peers()
		rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for _, id := range ids {
			if p, err := toPeer(id); err != nil || !s.core.Admitted(space, p) {
				continue
			}
			if err := s.meet(space, id); err != nil {
				s.log.Debug("a member tells of no others", "peer", id, "space", space, "err", err)
			}
			break
		}
	}
}
