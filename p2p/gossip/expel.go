package gossip

import (
	"errors"
	"slices"
	"time"
)

// errExpelled ends the sessions of a peer that was expelled.
var errExpelled = errors.New("the peer was expelled from the space")

// expel serves a peer no more in a space, though it knows the secret. There is no way
// back: who was revoked comes with a new key.
func (c *Core) expel(now time.Time, in Expel, e *Effects) {
	s := c.spaces[in.Space]
	if s == nil || s.expelled[in.Peer] {
		return
	}
	if s.expelled == nil {
		s.expelled = map[Peer]bool{}
	}
	s.expelled[in.Peer] = true
	if s.members[in.Peer] != nil {
		delete(s.members, in.Peer)
		s.order = slices.DeleteFunc(s.order, func(p Peer) bool { return p == in.Peer })
	}
	for _, id := range c.sortedSessions() {
		if ses := c.sessions[id]; ses != nil && ses.peer == in.Peer && ses.space == s {
			c.abort(now, ses, errExpelled, false, e)
		}
	}
	e.Expel = append(e.Expel, Expelled(in))
}
