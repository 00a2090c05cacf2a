package calib

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"lightcone/internal/vnet"
	"lightcone/p2p"
)

type protocolID = protocol.ID

// queue bounds what waits for one peer, and for one subscriber, as in p2p.
const queue = 1024

// swarm is real hosts with gossipsub.
type swarm struct {
	*testing.T
	Case
	net    *vnet.Network
	hosts  []host.Host
	topics []*pubsub.Topic
	closed []func() error

	mu    sync.Mutex
	began time.Time
	at    []time.Time // when each message was published
	hops  []map[peer.ID]int
	links []map[peer.ID]bool
	out   Outcome
}

// real runs a case on real hosts.
func real(t *testing.T, c Case) (out Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &swarm{T: t, Case: c, links: make([]map[peer.ID]bool, c.Peers), at: make([]time.Time, c.Messages), hops: make([]map[peer.ID]int, c.Messages)}
		w.net = vnet.New(vnet.Link{Latency: c.Latency, Tail: c.Tail}, c.Seed)
		ctx, cancel := context.WithCancel(t.Context())
		defer w.close(cancel)
		w.open(ctx)
		w.connect(ctx)
		time.Sleep(settle)
		w.publish(ctx)
		time.Sleep(drain)
		w.mu.Lock()
		defer w.mu.Unlock()
		out = w.out
		out.Runs = 1
	})
	return out
}

// open starts the hosts, and gossipsub as p2p starts it.
func (w *swarm) open(ctx context.Context) {
	for i := range w.Peers {
		w.links[i] = map[peer.ID]bool{}
		h, closed, err := w.net.Host(i)
		if err != nil {
			w.Fatal(err)
		}
		w.hosts, w.closed = append(w.hosts, h), append(w.closed, closed)
		router, err := pubsub.NewGossipSub(ctx, h,
			pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
			pubsub.WithNoAuthor(),
			pubsub.WithMessageIdFn(func(m *pb.Message) string { return string(m.GetData()[:8]) }),
			pubsub.WithPeerOutboundQueueSize(queue),
			pubsub.WithFloodPublish(false),
			pubsub.WithGossipSubParams(p2p.MeshParams()),
			pubsub.WithRawTracer(&tracer{swarm: w, host: i, id: h.ID()}),
		)
		if err != nil {
			w.Fatal(err)
		}
		topic, err := router.Join("memos")
		if err != nil {
			w.Fatal(err)
		}
		w.topics = append(w.topics, topic)
	}
}

// connect has each host dial some others, drawn, and then subscribe.
func (w *swarm) connect(ctx context.Context) {
	random := rand.New(rand.NewPCG(w.Seed, 1))
	for i, h := range w.hosts {
		for range w.Dials {
			to := w.hosts[(i+1+random.IntN(w.Peers-1))%w.Peers]
			if err := h.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
				w.Fatal(err)
			}
		}
	}
	for _, t := range w.topics {
		sub, err := t.Subscribe(pubsub.WithBufferSize(queue))
		if err != nil {
			w.Fatal(err)
		}
		go func() {
			for {
				if _, err := sub.Next(ctx); err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Duration(random.Int64N(int64(2 * p2p.MeshParams().HeartbeatInterval / time.Duration(10)))))
	}
}

// publish has the writers write, from now on over links that lose packets.
func (w *swarm) publish(ctx context.Context) {
	w.net.SetLoss(w.Loss)
	w.mu.Lock()
	w.began = time.Now()
	w.out.Degrees = map[int]int{}
	for _, l := range w.links {
		w.out.Degrees[len(l)]++
	}
	w.mu.Unlock()
	for m := range w.Messages {
		time.Sleep(time.Until(w.began.Add(w.Case.at(m))))
		data := make([]byte, w.Size)
		binary.BigEndian.PutUint64(data, uint64(m))
		i := w.writer(m)
		w.mu.Lock()
		w.at[m], w.hops[m] = time.Now(), map[peer.ID]int{w.hosts[i].ID(): 0}
		w.mu.Unlock()
		if err := w.topics[i].Publish(ctx, data); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *swarm) close(cancel func()) {
	cancel()
	for i, h := range w.hosts {
		if err := h.Close(); err != nil {
			w.Error(err)
		}
		if err := w.closed[i](); err != nil {
			w.Error(fmt.Errorf("host %d: %w", i, err))
		}
	}
	w.net.Close()
}

// tracer counts what gossipsub does at one host.
type tracer struct {
	*swarm
	host int
	id   peer.ID
}

var _ pubsub.RawTracer = (*tracer)(nil)

func (t *tracer) Graft(id peer.ID, _ string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links[t.host][id] = true
	if !t.began.IsZero() {
		t.out.Grafts++
	}
}

func (t *tracer) Prune(id peer.ID, _ string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.links[t.host], id)
}

func (t *tracer) DeliverMessage(m *pubsub.Message) {
	if m.ReceivedFrom == t.id {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := binary.BigEndian.Uint64(m.GetData())
	hops := t.hops[k][m.ReceivedFrom] + 1
	t.hops[k][t.id] = hops
	t.out.Delivered++
	t.out.Latency = append(t.out.Latency, time.Since(t.at[k]))
	t.out.Hops = append(t.out.Hops, hops)
}

func (t *tracer) DuplicateMessage(*pubsub.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.out.Duplicates++
}

func (t *tracer) RecvRPC(rpc *pubsub.RPC) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range rpc.GetControl().GetIhave() {
		t.out.Told += len(x.GetMessageIDs())
	}
	for _, x := range rpc.GetControl().GetIwant() {
		t.out.Asked += len(x.GetMessageIDs())
	}
	for _, x := range rpc.GetControl().GetIdontwant() {
		t.out.Unwanted += len(x.GetMessageIDs())
	}
}

func (t *tracer) DropRPC(*pubsub.RPC, peer.ID)          { t.Error("a queue was full") }
func (t *tracer) UndeliverableMessage(*pubsub.Message)  { t.Error("a subscriber was too slow") }
func (*tracer) OnNewOutboundStream(peer.ID, protocolID) {}
func (*tracer) OnClosedOutboundStream(peer.ID)          {}
func (*tracer) Join(string)                             {}
func (*tracer) Leave(string)                            {}
func (*tracer) ValidateMessage(*pubsub.Message)         {}
func (*tracer) RejectMessage(*pubsub.Message, string)   {}
func (*tracer) ThrottlePeer(peer.ID)                    {}
func (*tracer) SendRPC(*pubsub.RPC, peer.ID)            {}
