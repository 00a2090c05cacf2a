package node

import (
	"slices"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// This file is what the owner tells the protocol while that is in a step.

// maxTodo bounds the fetches that wait to be asked for. What else is told is of few
// kinds, and of each once: it replaces one about the same that waits.
const maxTodo = 1024

// subject is what an input is about: of two that are about the same the later will do.
type subject struct {
	kind  byte
	space memo.SpaceID
	root  memo.ID
	peer  PeerID
	parts gossip.Parts
	head  memo.Head
}

func subjectOf(in gossip.Input) subject {
	switch in := in.(type) {
	case gossip.Fetch:
		return subject{kind: 'f', space: in.Space, root: in.Root, peer: in.Origin, parts: in.Parts}
	case gossip.Drop:
		return subject{kind: 'd', space: in.Space, root: in.Root, peer: in.Liar}
	case gossip.Folded:
		return subject{kind: 'o', space: in.Space}
	case gossip.Inquire: // one at a time is under way
		return subject{kind: 'i', space: in.Space, peer: in.Peer, head: in.Head}
	default: // a load
		return subject{}
	}
}

// tell has the protocol told of in once it did its step. It returns false where there
// is no room for a fetch more: who asks for it asks again in a later tick.
func (o *owner) tell(in gossip.Input) bool {
	about := subjectOf(in)
	o.todo = slices.DeleteFunc(o.todo, func(w gossip.Input) bool { return subjectOf(w) == about })
	if _, asks := in.(gossip.Fetch); asks && len(o.todo) >= maxTodo {
		return false
	}
	o.todo = append(o.todo, in)
	return true
}
