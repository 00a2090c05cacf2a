package p2p

import (
	"math/bits"
	"strings"
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

// tally counts what comes in on the topics of all spaces, and the messages that
// gossipsub lost to full queues. It is a tracer because gossipsub tells nobody
// else.
type tally struct {
	dropped                 atomic.Int64 // publications and messages lost to full queues
	bytes                   atomic.Int64 // on streams of topics, counted by traffic
	messages, roots         atomic.Int64
	copies, copyBytes       atomic.Int64
	iHave, iWant, iDontWant atomic.Int64 // message ids
	grafts, prunes          atomic.Int64
}

var _ pubsub.RawTracer = (*tally)(nil)

// UndeliverableMessage: we were too slow to take in a message.
func (t *tally) UndeliverableMessage(*pubsub.Message) { t.dropped.Add(1) }

// DropRPC: a peer is too slow to be sent what is in the RPC.
func (t *tally) DropRPC(rpc *pubsub.RPC, _ peer.ID) { t.dropped.Add(int64(len(rpc.GetPublish()))) }

// DeliverMessage: the first copy of a message came.
func (t *tally) DeliverMessage(m *pubsub.Message) {
	t.messages.Add(1)
	if strings.HasSuffix(m.GetTopic(), rootsSuffix) {
		t.roots.Add(1)
	}
}

// RecvRPC: something came. Messages and control travel in RPCs of their own.
func (t *tally) RecvRPC(rpc *pubsub.RPC) {
	if sent := rpc.GetPublish(); len(sent) > 0 {
		t.copies.Add(int64(len(sent)))
		t.copyBytes.Add(int64(publishBytes(sent)))
	}
	c := rpc.GetControl()
	for _, x := range c.GetIhave() {
		t.iHave.Add(int64(len(x.GetMessageIDs())))
	}
	for _, x := range c.GetIwant() {
		t.iWant.Add(int64(len(x.GetMessageIDs())))
	}
	for _, x := range c.GetIdontwant() {
		t.iDontWant.Add(int64(len(x.GetMessageIDs())))
	}
	t.grafts.Add(int64(len(c.GetGraft())))
	t.prunes.Add(int64(len(c.GetPrune())))
}

// traffic returns the counters of what came in.
func (t *tally) traffic() gossip.TopicTraffic {
	return gossip.TopicTraffic{
		Bytes: t.bytes.Load(), Messages: t.messages.Load(), Roots: t.roots.Load(), Copies: t.copies.Load(), CopyBytes: t.copyBytes.Load(),
		IHave: t.iHave.Load(), IWant: t.iWant.Load(), IDontWant: t.iDontWant.Load(),
		Grafts: t.grafts.Load(), Prunes: t.prunes.Load(),
	}
}

// publishBytes is what an RPC of these messages takes on its stream.
func publishBytes(messages []*pb.Message) int {
	rpc := 0
	for _, m := range messages {
		rpc += field(field(len(m.GetData())) + field(len(m.GetTopic())))
	}
	return uvarint(rpc) + rpc
}

// field is what a protobuf field of n bytes takes: key, length, bytes.
func field(n int) int { return 1 + uvarint(n) + n }

// uvarint is how many bytes encode n.
func uvarint(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

// The rest is not counted.

func (*tally) OnNewOutboundStream(peer.ID, protocolID) {}
func (*tally) OnClosedOutboundStream(peer.ID)          {}
func (*tally) Join(string)                             {}
func (*tally) Leave(string)                            {}
func (*tally) Graft(peer.ID, string)                   {}
func (*tally) Prune(peer.ID, string)                   {}
func (*tally) ValidateMessage(*pubsub.Message)         {}
func (*tally) RejectMessage(*pubsub.Message, string)   {}
func (*tally) DuplicateMessage(*pubsub.Message)        {}
func (*tally) ThrottlePeer(peer.ID)                    {}
func (*tally) SendRPC(*pubsub.RPC, peer.ID)            {}
