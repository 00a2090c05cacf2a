package p2p

import (
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Two gossipsubs talk over a pair of streams, one each way, and tell each other
// their topics when they open theirs. When ours breaks while the peer stays
// connected, as when one of two connections ends, gossipsub forgets the peer's
// topics and opens another; if the peer was faster and told its topics on its own
// new stream already, they are forgotten for good, and no message comes through.
//
// So one of the two leads, the one with the smaller id: when either stream breaks it
// ends the other one, and admits the peer again once its own gossipsub has forgotten
// it and the peer has opened a new stream, by which time the peer's has forgotten us.

func (v *view) leads(id peer.ID) bool { return v.ID() < id }

// brokeOut is told by gossipsub, in its loop, that it gave up its stream to a peer.
func (v *view) brokeOut(id peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.out, id)
	switch {
	case v.parted[id] == leaving:
	case v.peers[id] && v.leads(id):
		delete(v.peers, id)
		reset(v.in[id])
	default:
		return
	}
	v.parted[id] = waiting
}

// came is told of a new stream of an admitted peer.
func (v *view) came(id peer.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.in[id] != nil { // the peer gave up the one before
		v.part(id)
	}
}

// part ends our stream to a peer whose own broke, if we lead.
func (v *view) part(id peer.ID) {
	if !v.peers[id] || !v.leads(id) {
		return
	}
	delete(v.peers, id)
	v.parted[id] = waiting
	if v.out[id] != nil {
		v.parted[id] = leaving
		reset(v.out[id])
	}
}

// ready reports whether a stream of a peer may be handed to gossipsub.
func (v *view) ready(id peer.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.parted[id] == waiting {
		delete(v.parted, id)
		v.peers[id] = true
	}
	return v.peers[id]
}

// carry hands a stream to gossipsub until it ends.
func (v *view) carry(id peer.ID, st network.Stream) {
	v.mu.Lock()
	v.in[id] = st
	v.mu.Unlock()
	v.handler()(st)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.in[id] == st {
		v.part(id)
		delete(v.in, id)
	}
}

// reset ends a stream without waiting for the network.
func reset(st network.Stream) {
	if st != nil {
		go st.Reset()
	}
}
