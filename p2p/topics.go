package p2p

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

const (
	// gossipProtocol is what identify shows of our gossipsub: that there is one,
	// not for which spaces.
	gossipProtocol protocolID = "/lightcone/gossip/1"
	// A space's gossipsub speaks topicPrefix ‖ space ‖ meshSuffix, its topics are
	// topicPrefix ‖ space ‖ memosSuffix and rootsSuffix.
	topicPrefix, meshSuffix, memosSuffix, rootsSuffix = "/lightcone/1/", "/meshsub/1.2.0", "/memos", "/roots"
)

// Queues and limits of topics. Who overflows one loses messages, which are
// counted; recon brings what they carried.
const (
	// publishQueue bounds our runs per space that wait for gossipsub, announceQueue
	// our announcements of roots.
	publishQueue, announceQueue = 1024, 16
	// heardQueue bounds the runs per space that wait for the core, heardRootsQueue the
	// announcements.
	heardQueue, heardRootsQueue = 4096, 256
	// peerQueue bounds the messages per space that wait for one slow peer.
	peerQueue = 1024
	// maxRPC bounds what gossipsub reads at once: the largest message and the
	// frame around it. It is checked before memory is taken.
	maxRPC = gossip.MaxMessage + 1<<10
	// admitWait is how long a stream of a peer not yet admitted may wait.
	admitWait = 10 * time.Second
	// maxWaiting bounds the streams that wait, maxPeerWaiting those of one peer.
	maxWaiting, maxPeerWaiting = 128, 16
)

// topics holds the gossipsubs of the served spaces.
type topics struct {
	on     bool
	mu     sync.Mutex
	ids    []memo.SpaceID // served, with or without topics; what was returned never changes
	spaces map[memo.SpaceID]*topic
	change chan struct{} // closed and replaced when a peer may have been admitted

	waiting int
	queued  map[peer.ID]int // waiting, by peer
}

// topic is the gossipsub of one space.
type topic struct {
	space memo.SpaceID
	view  *view
	links *inbox // peers that the mesh of memos was linked with
	memos *channel
	roots *channel
}

func (t *topics) init(on bool) {
	t.on, t.spaces, t.change = on, map[memo.SpaceID]*topic{}, make(chan struct{})
	t.queued = map[peer.ID]int{}
}

func (t *topics) get(space memo.SpaceID) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.spaces[space]
}

// serve notes that a space is served here.
func (t *topics) serve(space memo.SpaceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.ids, space) {
		t.ids = append(slices.Clone(t.ids), space)
	}
}

// served returns the spaces served here.
func (t *topics) served() []memo.SpaceID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ids
}

func (t *topics) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.change)
	t.change = make(chan struct{})
}

// Serve subscribes to the topic of a space, see gossip.Network.
func (s *Server) Serve(space memo.SpaceID) {
	s.topics.serve(space)
	if !s.topics.on {
		return
	}
	s.topics.mu.Lock()
	if s.topics.spaces[space] != nil {
		s.topics.mu.Unlock()
		return
	}
	t, err := s.join(space)
	if err == nil {
		s.topics.spaces[space] = t
	}
	s.topics.mu.Unlock()
	if err != nil {
		if s.ctx.Err() == nil {
			s.log.Error("cannot serve the topic of a space; recon goes on", "space", space, "err", err)
		}
		return
	}
	for _, id := range s.host.Network().Peers() {
		s.greet(id)
	}
}

// join starts the gossipsub of a space.
func (s *Server) join(space memo.SpaceID) (*topic, error) {
	prefix := topicPrefix + space.String()
	protocol, memos, roots := protocolID(prefix+meshSuffix), prefix+memosSuffix, prefix+rootsSuffix
	links := newInbox()
	v, err := newView(s.host, protocol)
	if err != nil {
		return nil, err
	}
	router, err := pubsub.NewGossipSub(s.ctx, v,
		pubsub.WithGossipSubProtocols([]protocolID{protocol}, features),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(maxRPC),
		pubsub.WithPeerOutboundQueueSize(peerQueue),
		pubsub.WithFloodPublish(false), // the writer would send a copy to everybody, besides those of the mesh
		pubsub.WithGossipSubParams(MeshParams()),
		s.blame.withScores(memos, roots),
		pubsub.WithRawTracer(meshTracer{&s.traffic.topics, links, memos, func(id peer.ID) {
			v.brokeOut(id)
			s.topics.changed()
		}}),
	)
	if err != nil {
		return nil, fmt.Errorf("start gossipsub: %w", err)
	}
	t := &topic{space: space, view: v, links: links}
	if t.memos, err = s.openMemos(router, space, memos); err != nil {
		return nil, err
	}
	if t.roots, err = s.openRoots(router, space, roots); err != nil {
		return nil, err
	}
	s.tasks.spawn(func() { v.announce(s.ctx) })
	s.tasks.spawn(func() { s.link(t) })
	return t, nil
}

// features are those of gossipsub 1.2, whatever the protocol is called.
func features(f pubsub.GossipSubFeature, _ protocolID) bool {
	return pubsub.GossipSubDefaultFeatures(f, pubsub.GossipSubID_v12)
}

// admit lets a connected peer take part in the topic of a space.
func (s *Server) admit(space memo.SpaceID, id peer.ID) {
	if t := s.topics.get(space); t != nil && s.connected(id) {
		t.view.admit(id)
		s.topics.changed()
	}
}

// greet admits a connected peer wherever the core knows it.
func (s *Server) greet(id peer.ID) {
	p, err := toPeer(id)
	if err != nil {
		return
	}
	for _, t := range s.topics.all() {
		if s.core.Admitted(t.space, p) {
			s.admit(t.space, id)
		}
	}
}

// forget ends the admissions of a peer that is gone.
func (s *Server) forget(id peer.ID) {
	s.proofs.forget(id)
	s.gater.crowd.leave(id)
	for _, t := range s.topics.all() {
		t.view.forget(id)
		t.roots.pacer.forget(id)
	}
}

// expel ends the admission of a peer to a space, and its connections, for streams of
// the topic stand on them. Where it takes part in other spaces it comes back.
func (s *Server) expel(space memo.SpaceID, id peer.ID) {
	if t := s.topics.get(space); t != nil {
		t.view.forget(id)
		t.roots.pacer.forget(id)
	}
	s.tasks.spawn(func() {
		if err := s.host.Network().ClosePeer(id); err != nil {
			s.log.Debug("closing the connections of an expelled peer", "peer", id, "err", err)
		}
	})
}

func (t *topics) all() []*topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*topic, 0, len(t.spaces))
	for _, x := range t.spaces {
		all = append(all, x)
	}
	return all
}

// isTopicProtocol reports whether a stream is meant for the gossipsub of a
// space, served here or not: the answer tells nothing.
func isTopicProtocol(id protocolID) bool {
	_, ok := spaceOf(id)
	return ok
}

func spaceOf(id protocolID) (memo.SpaceID, bool) {
	text, ok := strings.CutPrefix(string(id), topicPrefix)
	text, mesh := strings.CutSuffix(text, meshSuffix)
	if !ok || !mesh {
		return memo.SpaceID{}, false
	}
	space, err := memo.ParseSpaceID(text)
	return space, err == nil
}

// acceptGossip hands a stream of an admitted peer to the gossipsub it is for.
func (s *Server) acceptGossip(st network.Stream) {
	space, _ := spaceOf(st.Protocol())
	id := st.Conn().RemotePeer()
	ctx, cancel := context.WithTimeout(s.ctx, admitWait)
	defer cancel()
	if t := s.topics.get(space); t != nil {
		t.view.came(id)
	}
	t := s.topics.await(ctx, space, id)
	if t == nil {
		st.Reset()
		return
	}
	t.view.remind() // they let us in, so a stream of ours will stand now
	t.view.carry(id, st)
}

// await returns the topic of a space once id is admitted to it, or nil when that
// does not happen in time.
func (t *topics) await(ctx context.Context, space memo.SpaceID, id peer.ID) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting >= maxWaiting || t.queued[id] >= maxPeerWaiting {
		return nil
	}
	t.waiting++
	t.queued[id]++
	defer func() {
		t.waiting--
		if t.queued[id]--; t.queued[id] == 0 {
			delete(t.queued, id)
		}
	}()
	for {
		if x := t.spaces[space]; x != nil && x.view.ready(id) {
			return x
		}
		change := t.change
		t.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
		}
		t.mu.Lock()
		if ctx.Err() != nil {
			return nil
		}
	}
}
