package p2p

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// maxPaced bounds the peers whose rate is remembered: with more, all begin anew.
const maxPaced = 4096

// channel is one topic of a space's gossipsub.
type channel struct {
	space memo.SpaceID
	mesh  *pubsub.Topic
	out   chan []byte
	most  int // bytes of a message
	input func(from gossip.Peer, data []byte) gossip.Input
	pacer pacer
}

// openMemos joins the topic of a space's runs.
func (s *Server) openMemos(router *pubsub.PubSub, space memo.SpaceID, name string) (*channel, error) {
	return s.open(router, name, heardQueue, &channel{
		space: space, out: make(chan []byte, publishQueue), most: gossip.MaxMessage,
		input: func(from gossip.Peer, data []byte) gossip.Input {
			return &gossip.Heard{Space: space, Peer: from, Data: data}
		},
	})
}

// openRoots joins the topic on which a space's roots are announced.
func (s *Server) openRoots(router *pubsub.PubSub, space memo.SpaceID, name string) (*channel, error) {
	c := &channel{
		space: space, out: make(chan []byte, announceQueue), most: gossip.MaxAnnouncement,
		input: func(from gossip.Peer, data []byte) gossip.Input {
			return &gossip.HeardRoot{Space: space, Peer: from, Data: data}
		},
	}
	err := router.RegisterTopicValidator(name, func(_ context.Context, from peer.ID, m *pubsub.Message) pubsub.ValidationResult {
		switch {
		case from == s.host.ID():
		case len(m.GetData()) > c.most:
			return pubsub.ValidationReject
		case !c.pacer.allow(from):
			s.traffic.topics.dropped.Add(1)
			return pubsub.ValidationIgnore
		}
		return pubsub.ValidationAccept
	}, pubsub.WithValidatorInline(true))
	if err != nil {
		return nil, fmt.Errorf("validate topic: %w", err)
	}
	return s.open(router, name, heardRootsQueue, c)
}

// open joins a topic and starts to carry its messages both ways.
func (s *Server) open(router *pubsub.PubSub, name string, queue int, c *channel) (*channel, error) {
	var err error
	if c.mesh, err = router.Join(name); err != nil {
		return nil, fmt.Errorf("join topic: %w", err)
	}
	heard, err := c.mesh.Subscribe(pubsub.WithBufferSize(queue))
	if err != nil {
		return nil, fmt.Errorf("subscribe to topic: %w", err)
	}
	s.tasks.spawn(func() { s.hear(c, heard) })
	s.tasks.spawn(func() { s.speak(c) })
	return c, nil
}

// messageID names a message by its content.
func messageID(m *pb.Message) string {
	if strings.HasSuffix(m.GetTopic(), rootsSuffix) {
		return gossip.AnnouncementID(m.GetData())
	}
	return gossip.MessageID(m.GetData())
}

// publish queues a publication of the core's.
func (s *Server) publish(o gossip.Publish) {
	t := s.topics.get(o.Space)
	if t == nil {
		return
	}
	c := t.memos
	if o.Roots {
		c = t.roots
	}
	if len(o.Data) > c.most {
		s.traffic.topics.dropped.Add(1)
		s.log.Error("a publication is above the limit", "space", o.Space, "bytes", len(o.Data), "limit", c.most)
		return
	}
	select {
	case c.out <- o.Data:
	default:
		s.traffic.topics.dropped.Add(1)
	}
}

// speak hands our publications to gossipsub.
func (s *Server) speak(c *channel) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case data := <-c.out:
			if err := c.mesh.Publish(s.ctx, data); err != nil && s.ctx.Err() == nil {
				s.log.Error("cannot publish", "space", c.space, "err", err)
			}
		}
	}
}

// hear hands what others published to the core.
func (s *Server) hear(c *channel, sub *pubsub.Subscription) {
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
		err = s.core.Input(s.ctx, c.input(from, m.Data))
		if err != nil && s.ctx.Err() == nil {
			s.log.Debug("core refused a message", "space", c.space, "peer", from, "err", err)
		}
	}
}

// pacer bounds the rate of what each peer relays.
type pacer struct {
	mu    sync.Mutex
	peers map[peer.ID]*gossip.Pace // of peers that relayed something since they came
}

func (p *pacer) allow(id peer.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.peers == nil || len(p.peers) >= maxPaced {
		p.peers = map[peer.ID]*gossip.Pace{}
	}
	if p.peers[id] == nil {
		p.peers[id] = &gossip.Pace{}
	}
	return p.peers[id].Allow(time.Now(), gossip.RootsEvery, gossip.RootsBurst)
}

func (p *pacer) forget(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.peers, id)
}
