package node

import (
	"context"
	"fmt"

	"lightcone/memo"
)

// sealedMoment returns a moment at which everything of s is sealed and on the
// disk, and the projection shows precisely what the view covers.
func (n *Node) sealedMoment(s *Space) (*moment, error) {
	c := &takeSealed{space: s, reply: make(chan sealedReply, 1)}
	r, err := await(context.Background(), n, c, c.reply)
	if err != nil {
		select { // the owner may have answered before it ended
		case r := <-c.reply:
			if r.moment != nil {
				r.moment.Close()
			}
		default:
		}
		return nil, err
	}
	return r.moment, r.err
}

type sealedReply struct {
	moment *moment
	err    error
}

type takeSealed struct {
	space *Space
	reply chan sealedReply
}

func (c *takeSealed) do(o *owner) {
	m, err := o.sealed(c.space)
	c.reply <- sealedReply{m, err}
}

func (o *owner) sealed(s *Space) (*moment, error) {
	if o.open[s] != nil {
		if err := o.sealOpen(); err != nil && o.open[s] != nil {
			return nil, fmt.Errorf("seal the last writes: %w", classify(err))
		}
	} else if err := o.sealLeftovers(s); err != nil {
		return nil, classify(err)
	}
	if o.dirty {
		if err := o.n.store.Sync(); err != nil {
			return nil, fmt.Errorf("sync the log: %w", classify(err))
		}
		o.dirty, o.synced = false, o.n.opts.Now()
	}
	v := o.n.view.Load()
	if !sameCut(v.store.Vector(s.id), v.store.All(s.id)) { // leftovers were sealed
		o.publish(v.lsn)
		v = o.n.view.Load()
	}
	if v.store.Vector(s.id).Len() == 0 {
		return nil, fmt.Errorf("space %s has no memos yet; wait for a peer: %w", s.name, memo.ErrInvalid)
	}
	snap, err := o.n.proj.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("read projection: %w", err)
	}
	m := &moment{view: v, snap: snap}
	if snap.LSN() != v.lsn || !sameCut(v.store.Vector(s.id), v.store.All(s.id)) {
		m.Close()
		return nil, fmt.Errorf("space %s: the projection is at record %d, the log at %d; restart the node: %w", s.name, snap.LSN(), v.lsn, ErrStopped)
	}
	return m, nil
}
