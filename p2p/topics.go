package p2p

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

const (
	// gossipProtocol is what identify shows of our gossipsub: that there is one,
	// not for which spaces.
	gossipProtocol protocolID = "/lightcone/gossip/1"
	// A space's gossipsub speaks topicPrefix ‖ space ‖ meshSuffix, its topic is
	// topicPrefix ‖ space ‖ topicSuffix.
	topicPrefix, meshSuffix, topicSuffix = "/lightcone/1/", "/meshsub/1.2.0", "/memos"
)

// Queues and limits of topics. Who overflows one loses messages, which are
// counted; recon brings what they carried.
const (
	// publishQueue bounds our publications per space that wait for gossipsub.
	publishQueue = 1024
	// heardQueue bounds the messages per space that wait for the core.
	heardQueue = 4096
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
	spaces map[memo.SpaceID]*topic
	change chan struct{} // closed and replaced when a peer may have been admitted

	waiting int
	queued  map[peer.ID]int // waiting, by peer
}

// topic is the gossipsub of one space.
type topic struct {
	space memo.SpaceID
	view  *view
	mesh  *pubsub.Topic
	links *inbox // peers that the mesh was linked with
	out   chan []byte
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

func (t *topics) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.change)
	t.change = make(chan struct{})
}

// Serve subscribes to the topic of a space, see gossip.Network.
func (s *Server) Serve(space memo.SpaceID) {
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
	protocol := protocolID(topicPrefix + space.String() + meshSuffix)
	name := topicPrefix + space.String() + topicSuffix
	links := newInbox()
	v, err := newView(s.host, protocol)
	if err != nil {
		return nil, err
	}
	router, err := pubsub.NewGossipSub(s.ctx, v,
		pubsub.WithGossipSubProtocols([]protocolID{protocol}, features),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(func(m *pb.Message) string { return gossip.MessageID(m.GetData()) }),
		pubsub.WithMaxMessageSize(maxRPC),
		pubsub.WithPeerOutboundQueueSize(peerQueue),
		pubsub.WithFloodPublish(false), // the writer would send a copy to everybody, besides those of the mesh
		withMesh(),
		s.blame.withScores(name),
		pubsub.WithRawTracer(meshTracer{&s.traffic.topics, links}),
	)
	if err != nil {
		return nil, fmt.Errorf("start gossipsub: %w", err)
	}
	t := &topic{space: space, view: v, links: links, out: make(chan []byte, publishQueue)}
	if t.mesh, err = router.Join(name); err != nil {
		return nil, fmt.Errorf("join topic: %w", err)
	}
	heard, err := t.mesh.Subscribe(pubsub.WithBufferSize(heardQueue))
	if err != nil {
		return nil, fmt.Errorf("subscribe to topic: %w", err)
	}
	s.tasks.spawn(func() { v.announce(s.ctx) })
	s.tasks.spawn(func() { s.hear(t, heard) })
	s.tasks.spawn(func() { s.speak(t) })
	s.tasks.spawn(func() { s.link(t) })
	return t, nil
}

// features are those of gossipsub 1.2, whatever the protocol is called.
func features(f pubsub.GossipSubFeature, _ protocolID) bool {
	return pubsub.GossipSubDefaultFeatures(f, pubsub.GossipSubID_v12)
}

// publish queues a publication of the core's.
func (s *Server) publish(o gossip.Publish) {
	t := s.topics.get(o.Space)
	if t == nil {
		return
	}
	if len(o.Data) > gossip.MaxMessage {
		s.traffic.topics.dropped.Add(1)
		s.log.Error("a publication is above the limit", "space", o.Space, "bytes", len(o.Data), "limit", gossip.MaxMessage)
		return
	}
	select {
	case t.out <- o.Data:
	default:
		s.traffic.topics.dropped.Add(1)
	}
}

// speak hands our publications to gossipsub.
func (s *Server) speak(t *topic) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case data := <-t.out:
			if err := t.mesh.Publish(s.ctx, data); err != nil && s.ctx.Err() == nil {
				s.log.Error("cannot publish", "space", t.space, "err", err)
			}
		}
	}
}

// hear hands what others published to the core.
func (s *Server) hear(t *topic, sub *pubsub.Subscription) {
	defer sub.Cancel()
	for {
		m, err := sub.Next(s.ctx)
		if err != nil {
			return
		}
		from, err := toPeer(m.ReceivedFrom)
		if err != nil || m.ReceivedFrom == s.host.ID() {
			continue
		}
		err = s.core.Input(s.ctx, &gossip.Heard{Space: t.space, Peer: from, Data: m.Data})
		if err != nil && s.ctx.Err() == nil {
			s.log.Debug("core refused a message", "space", t.space, "peer", from, "err", err)
		}
	}
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
	for _, t := range s.topics.all() {
		t.view.forget(id)
	}
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
	t := s.topics.await(ctx, space, id)
	if t == nil {
		st.Reset()
		return
	}
	t.view.remind() // they let us in, so a stream of ours will stand now
	t.view.handler()(st)
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
		if x := t.spaces[space]; x != nil && x.view.admitted(id) {
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
