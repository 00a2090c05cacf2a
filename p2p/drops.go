package p2p

import (
	"sync/atomic"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// drops counts the messages that gossipsub lost to full queues. It is a tracer
// because gossipsub tells nobody else.
type drops struct{ count *atomic.Int64 }

var _ pubsub.RawTracer = drops{}

// UndeliverableMessage: we were too slow to take in a message.
func (d drops) UndeliverableMessage(*pubsub.Message) { d.count.Add(1) }

// DropRPC: a peer is too slow to be sent what is in the RPC.
func (d drops) DropRPC(rpc *pubsub.RPC, _ peer.ID) { d.count.Add(int64(len(rpc.GetPublish()))) }

// The rest is not about drops.

func (drops) OnNewOutboundStream(peer.ID, protocolID) {}
func (drops) OnClosedOutboundStream(peer.ID)          {}
func (drops) Join(string)                             {}
func (drops) Leave(string)                            {}
func (drops) Graft(peer.ID, string)                   {}
func (drops) Prune(peer.ID, string)                   {}
func (drops) ValidateMessage(*pubsub.Message)         {}
func (drops) DeliverMessage(*pubsub.Message)          {}
func (drops) RejectMessage(*pubsub.Message, string)   {}
func (drops) DuplicateMessage(*pubsub.Message)        {}
func (drops) ThrottlePeer(peer.ID)                    {}
func (drops) RecvRPC(*pubsub.RPC)                     {}
func (drops) SendRPC(*pubsub.RPC, peer.ID)            {}
