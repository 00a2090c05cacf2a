package gossip

import (
	"errors"
	"slices"
	"time"

	"lightcone/memo"
)

// errExpelled ends the sessions of a peer that was expelled.
var errExpelled = errors.New("the peer was expelled from the space")

// expelled asks the owner about a peer.
func (c *Core) expelled(space memo.SpaceID, p Peer) bool {
	return c.cfg.Expelled != nil && c.cfg.Expelled(space, p)
}

// expel ends what goes on with a peer that Config.Expelled turns away from now on. There
// is no way back: who was revoked comes with a new key.
func (c *Core) expel(now time.Time, in Expel, e *Effects) {
	s := c.spaces[in.Space]
	if s == nil {
		return
	}
	met := c.up[in.Peer] || s.members[in.Peer] != nil
	if s.members[in.Peer] != nil {
		delete(s.members, in.Peer)
		s.order = slices.DeleteFunc(s.order, func(p Peer) bool { return p == in.Peer })
	}
	for _, id := range c.sortedSessions() {
		if ses := c.sessions[id]; ses != nil && ses.peer == in.Peer && ses.space == s {
			c.abort(now, ses, errExpelled, false, e)
		}
	}
	if met {
		e.Expel = append(e.Expel, Expelled(in))
	}
}
