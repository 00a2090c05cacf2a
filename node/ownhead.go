package node

import (
	"context"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// This file is what a node does about own memos that it lost and others have: a disk that
// forgot what it had synced, a machine that went back to an earlier snapshot. To write on
// from the log would be a second memo for a place of the own chain, and the end of the
// key (ErrOwnFork). Such memos come by recon as anybody's do, and attach: they have the own
// seal. So all there is to do is to wait for them, a little, and not for good: what peers
// say of heads is their word alone.

// ownHeadWait bounds how long own memos wait, from when the network is attached on, for
// the members of a space to say how far they have the own chain, and for what is longer.
const ownHeadWait = 2 * time.Second

// ownHead is the question for the own head in a space that was here at a start behind an
// unclean stop.
type ownHead struct {
	known chan struct{}     // closed when it is answered, or time is up
	told  map[PeerID]uint64 // how much of the own chain members have; belongs to the owner
}

func newOwnHead() *ownHead {
	return &ownHead{known: make(chan struct{}), told: map[PeerID]uint64{}}
}

// asks reports whether own memos have to wait for the answer. A node without network has
// nobody to ask.
func (s *Space) asks() bool {
	if s.head == nil || s.node.net.Load() == nil {
		return false
	}
	select {
	case <-s.head.known:
		return false
	default:
		return true
	}
}

// awaitOwnHead waits until the own chain may be written on.
func (s *Space) awaitOwnHead(ctx context.Context) error {
	if !s.asks() {
		return nil
	}
	select {
	case <-s.head.known:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.node.quit:
		return ErrClosed
	}
}

// askHeads begins to wait for members' words.
func (o *owner) askHeads() {
	o.headsAt = o.n.opts.Now()
	o.lookHeads()
}

// tickHeads ends the waiting when time is up.
func (o *owner) tickHeads(now time.Time) {
	if o.headsAt.IsZero() || now.Sub(o.headsAt) < ownHeadWait {
		return
	}
	o.headsAt = time.Time{}
	for _, s := range o.n.allSpaces() {
		if s.asks() {
			o.n.log.Info("not every peer said how far it has this node's memos; writing goes on without", "space", s.id, "heard", len(s.head.told))
			close(s.head.known)
		}
	}
}

// told notes what a member has of the own chain.
func (o *owner) told(t gossip.Told) {
	if s := o.coldOf(t.Space).space; s != nil && s.asks() {
		s.head.told[t.Peer] = t.Own
		o.lookHeads()
	}
}

// lookHeads lets own memos go on where every member said how far it has the chain, and
// that is here: any of them may have more than the others.
func (o *owner) lookHeads() {
	for _, s := range o.n.allSpaces() {
		if !s.asks() {
			continue
		}
		own, known := o.ownSeq(s.id), true
		o.core.Members(s.id, func(p PeerID, _ bool, _ memo.Vector) {
			told, said := s.head.told[p]
			known = known && said && told <= own
		})
		if known {
			close(s.head.known)
		}
	}
}

func (o *owner) ownSeq(id memo.SpaceID) uint64 {
	own, _ := o.n.view.Load().store.All(id).Get(o.n.id)
	return own.Seq
}

// regain tells of own memos that came from peers; the chain ended at seq before.
func (o *owner) regain(id memo.SpaceID, seq uint64) {
	now := o.ownSeq(id)
	if now <= seq {
		return
	}
	o.regained[id] += now - seq
	o.n.log.Warn("peers had memos of this node that its log had not: the disk forgot them, or the directory is an older copy",
		"space", id, "memos", now-seq, "head", now)
	o.lookHeads()
}
