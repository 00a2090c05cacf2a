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
// seal. So all there is to do is to wait for them: what users write a little, behind an
// unclean stop, and not for good, since what peers say of heads is their word alone; what
// the node writes by itself until somebody answered.

// ownHeadWait bounds how long writes wait, from when the network is attached on, for
// the members of a space to say how far they have the own chain, and for what is longer.
const ownHeadWait = 2 * time.Second

// ownHead is the question for the own head in a space that was here at the start.
type ownHead struct {
	known chan struct{} // closed when it is answered, when time is up, or from the start where the last stop was clean

	// These belong to the owner.
	told  map[PeerID]uint64 // how much of the own chain members have, at most maxAdmitted
	heard bool              // one of them has no more than is here
}

func newOwnHead(clean bool) *ownHead {
	h := &ownHead{known: make(chan struct{}), told: map[PeerID]uint64{}}
	if clean {
		close(h.known)
	}
	return h
}

// asks reports whether writes have to wait for the answer. A node without network has
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

// volunteers reports whether the node may write what nobody asked it for.
func (s *Space) volunteers() bool { return s.head == nil || s.head.heard && !s.asks() }

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
	for _, s := range o.n.allSpaces() {
		o.lookHead(s)
	}
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
	s := o.coldOf(t.Space).space
	if s == nil || s.volunteers() || len(s.head.told) >= maxAdmitted {
		return
	}
	s.head.told[t.Peer] = t.Own
	o.lookHead(s)
}

// lookHead lets writes go on where every member said how far it has the chain, and that
// is here: any of them may have more than the others.
func (o *owner) lookHead(s *Space) {
	if s.volunteers() {
		return
	}
	own, known := o.ownSeq(s.id), true
	o.core.Members(s.id, func(p PeerID, _ bool, _ memo.Vector) {
		told, said := s.head.told[p]
		here := said && told <= own
		known, s.head.heard = known && here, s.head.heard || here
	})
	if known && s.asks() {
		close(s.head.known)
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
	if s := o.coldOf(id).space; s != nil {
		o.lookHead(s)
	}
}
