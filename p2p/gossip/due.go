package gossip

import (
	"errors"
	"time"

	"lightcone/memo"
)

// This file decides when recon starts, and with whom.

// peerUp makes recon due with a peer that connected.
func (c *Core) peerUp(now time.Time, p Peer) {
	c.up[p] = true
	for _, id := range c.order {
		if m := c.spaces[id].members[p]; m != nil {
			m.due, m.pause, m.failures = c.politely(now, p), time.Time{}, 0
		}
	}
	c.look = true
}

// politely is when to begin what p has the same reason to begin now.
func (c *Core) politely(now time.Time, p Peer) time.Time {
	if c.cfg.Self.Compare(p) > 0 {
		return now.Add(politeness)
	}
	return now
}

// linked makes recon due with a peer that messages reach from now on, for what
// was published between the recon of its arrival and now.
func (c *Core) linked(now time.Time, in Linked) {
	if s := c.spaces[in.Space]; s != nil && s.members[in.Peer] != nil {
		c.wantRecon(s.members[in.Peer], c.politely(now, in.Peer))
	}
}

// tick looks at what stayed unexplained, starts anti-entropy and ends sessions
// that stand still.
func (c *Core) tick(now time.Time, e *Effects) {
	c.look = true
	c.budget.Tick()
	for _, id := range c.order {
		s := c.spaces[id]
		s.Tick(now, &c.budget, c.terms(s))
		c.suspect(now, s)
		c.speak(now, s, e)
		if now.After(s.nextAE) {
			if !s.nextAE.IsZero() {
				c.pickRandom(now, s)
			}
			s.nextAE = now.Add(antiEntropy/2 + time.Duration(c.rng.Int64N(int64(antiEntropy))))
		}
	}
	for _, sid := range c.sortedSessions() {
		s := c.sessions[sid]
		switch {
		case now.Sub(s.active) > sessionIdle:
			c.abort(now, s, errors.New("session stood still"), false, e)
		case now.Sub(s.begun) > sessionLife:
			c.abort(now, s, errors.New("session took too long; the next one goes on"), false, e)
		case s.supply != nil:
			c.hurry(now, s, e)
		default:
			c.unpark(now, s, e)
		}
	}
}

// suspect asks for recon with members whose hint stayed different, or whose
// orphans no later message explained. Summing up our own hint is the costly part
// and is done only when somebody's differed.
func (c *Core) suspect(now time.Time, s *space) {
	var own uint64
	summed, pressed := false, c.pressed(s)
	for _, p := range s.order {
		m := s.members[p]
		if m.orphan.Seq != 0 && now.Sub(m.orphanAt) >= orphanPatience && !c.busy(p, s.id) {
			if !c.covers(s, m.orphan) && (s.hearing.flood || c.takesRuns(s)) {
				c.wantRecon(m, now)
			}
			m.orphan = memo.Head{}
		}
		if m.told != nil && !c.busy(p, s.id) {
			c.suspectRoot(now, s, m)
		}
		if pressed || m.hint == 0 || now.Sub(m.hintAt) <= hintPatience || c.busy(p, s.id) {
			continue
		}
		if !summed {
			own, summed = c.cfg.Holdings.Had(s.id).Hint(), true
		}
		if m.hint == own {
			m.hint = 0
		} else if now.Sub(m.hinted) > hintPause {
			c.wantRecon(m, now)
			m.hinted = now
		}
	}
}

func (c *Core) covers(s *space, h memo.Head) bool {
	return c.cfg.Holdings.Had(s.id).Covers(h.Author, h.Seq)
}

// pickRandom asks for recon with one connected member, in turn a pinned one.
func (c *Core) pickRandom(now time.Time, s *space) {
	var idle []Peer
	for _, p := range s.order {
		if c.up[p] && !c.busy(p, s.id) {
			idle = append(idle, p)
		}
	}
	if len(idle) > 0 {
		c.wantRecon(s.members[c.choose(s, &s.looked, idle)], now)
	}
}

// choose takes one of some peers at random, and every other time the pinned one among
// them to whom we turned longest ago. times counts the choices of a kind.
func (c *Core) choose(s *space, times *int, among []Peer) Peer {
	random := among[c.rng.IntN(len(among))]
	if *times++; *times%2 == 0 {
		return random
	}
	best := Peer{}
	for _, p := range among {
		if m := s.members[p]; m.pinned && (best == Peer{} || m.turned.Before(s.members[best].turned)) {
			best = p
		}
	}
	if best == (Peer{}) {
		return random
	}
	return best
}

// want starts recon at once with the origin, if it is connected, else with one
// after the other.
func (c *Core) want(now time.Time, in Want) {
	s := c.spaces[in.Space]
	if s == nil {
		return
	}
	s.hearing.wait(now, in.Heads)
	if m := s.members[in.Origin]; m != nil && c.up[in.Origin] {
		c.wantRecon(m, now)
		m.urgent = true
		return
	}
	for _, p := range s.order {
		if c.up[p] {
			c.wantRecon(s.members[p], now)
		}
	}
}

// wantRecon asks for a session at t, unless one is due earlier.
func (c *Core) wantRecon(m *member, t time.Time) {
	if m.due.IsZero() || t.Before(m.due) {
		m.due = t
	}
	c.look = true
}

// openDue starts the sessions whose time has come, within the limits.
func (c *Core) openDue(now time.Time, e *Effects) {
	for _, id := range c.order {
		s := c.spaces[id]
		for len(c.sessions) < MaxSessions {
			ready := c.ready(now, s, c.pulling(now, s))
			if len(ready) == 0 {
				break
			}
			p := c.choose(s, &s.opened, ready)
			c.open(now, s, p, s.members[p], e)
		}
	}
}

// ready lists the peers recon is due with, or only those a reader waits for.
func (c *Core) ready(now time.Time, s *space, urgent bool) (out []Peer) {
	for _, p := range s.order {
		m := s.members[p]
		if m.due.IsZero() || m.due.After(now) || m.pause.After(now) || urgent && !m.urgent {
			continue
		}
		if c.up[p] && !c.busy(p, s.id) {
			out = append(out, p)
		}
	}
	return out
}

// pulling reports whether a session is bringing memos of the space. A replica
// takes a space's memos from one peer at a time: two would bring the same ones.
// A session that stalls, or has had its turn, no longer keeps others waiting.
func (c *Core) pulling(now time.Time, sp *space) bool {
	for _, s := range c.sessions {
		if s.space == sp && s.feeds(now) {
			return true
		}
	}
	return false
}

// feeds reports whether the session brings memos, or may soon.
func (s *session) feeds(now time.Time) bool {
	return s.pulls && !s.doneCame && now.Sub(s.fed) < pullStall && now.Sub(s.begun) < pullTurn
}

// busy reports whether no further recon with p may start: one in the space is under
// way, or the peer's share is used up.
func (c *Core) busy(p Peer, id memo.SpaceID) bool {
	recons, ours := 0, 0
	for _, s := range c.sessions {
		if s.peer != p {
			continue
		}
		if s.opened {
			ours++
		}
		if s.supply == nil {
			recons++
			if s.space != nil && s.space.id == id {
				return true
			}
		}
	}
	return recons >= MaxPeerSessions || ours >= MaxPeerSessions
}
