package node

import (
	"context"
	"fmt"
	"slices"
	"sync"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// view is one moment of a replica: everything attached and projected up to lsn.
// It is immutable; changed is closed when a newer one is there, edited when one is
// that more than pings led to.
type view struct {
	store           *store.View
	lsn             uint64
	changed, edited chan struct{}
	pings           map[memo.SpaceID]uint64 // that attached since the node started
}

// cut returns what the view covers of a space, own unsealed memos included.
func (v *view) cut(space memo.SpaceID) causal.Cut { return causal.NewCut(v.store.All(space)) }

// digest looks up the digest of a covered memo; it is the callback of
// causal.Token's methods.
func (v *view) digest(space memo.SpaceID) func(memo.Author, uint64) (memo.ID, bool) {
	return func(a memo.Author, seq uint64) (memo.ID, bool) {
		id, ok, err := v.store.ID(space, a, seq)
		return id, ok && err == nil
	}
}

// digests is view.digest that also knows the heads of the root that t names, and of
// several branches that which t does.
func (s *Space) digests(v *view, t causal.Token) func(memo.Author, uint64) (memo.ID, bool) {
	held := v.digest(s.id)
	heads := sync.OnceValue(func() memo.Vector {
		r, err := s.root(t.Root)
		if err != nil {
			return memo.Vector{}
		}
		heads, err := merge.ReadVector(r.Params, s.node.store.Blocks(s.id), r.Vector)
		if err != nil {
			return memo.Vector{}
		}
		return heads
	})
	return func(a memo.Author, seq uint64) (memo.ID, bool) {
		id, ok := held(a, seq)
		for _, h := range t.Heads {
			if ok && [8]byte(a[:8]) == h.Author && seq == h.Seq && [8]byte(id[:8]) != h.Digest {
				if other, ok := v.branchID(s.id, a, seq, h.Digest); ok {
					return other, true
				}
			}
		}
		if ok || t.Root.IsZero() {
			return id, ok
		}
		m, _ := heads().Get(a)
		return m.ID, m.Seq == seq
	}
}

// known returns t with the heads whose memos are covered and not held replaced by
// those of the states that stand for them: what a memo's digest is cannot be told here,
// and who has seen the later head has seen the memo.
func (v *view) known(space memo.SpaceID, t causal.Token, digest func(memo.Author, uint64) (memo.ID, bool)) causal.Token {
	stands := map[causal.TokenHead]memo.Head{}
	t.Missing(v.cut(space), func(a memo.Author, seq uint64) (memo.ID, bool) {
		id, ok := digest(a, seq)
		if !ok {
			if who, ok, err := v.store.Vouched(space, a, seq); ok && err == nil {
				stands[causal.TokenHead{Author: [8]byte(a[:8]), Seq: seq}] = who.Head.Head
			}
		}
		return id, ok
	})
	if len(stands) == 0 {
		return t
	}
	t.Heads = slices.Clone(t.Heads)
	for i, h := range t.Heads {
		if by, ok := stands[causal.TokenHead{Author: h.Author, Seq: h.Seq}]; ok {
			t.Heads[i].Seq, t.Heads[i].Digest = by.Seq, [8]byte(by.ID[:8])
		}
	}
	return t
}

// moment is what one read works on: a projection snapshot and a view that covers
// everything the snapshot shows. Close it.
type moment struct {
	view *view
	snap *projection.Snapshot
}

func (m *moment) Close() { m.snap.Close() }

// moment takes a snapshot. The owner projects before it publishes the view, so
// the view may be a step behind the snapshot for an instant; it is waited for.
func (n *Node) moment(ctx context.Context) (*moment, error) {
	select {
	case <-n.quit:
		return nil, ErrClosed
	default:
	}
	snap, err := n.proj.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("read projection: %w", err)
	}
	v := n.view.Load()
	for v.lsn < snap.LSN() {
		select {
		case <-v.changed:
			v = n.view.Load()
		case <-ctx.Done():
			snap.Close()
			return nil, ctx.Err()
		case <-n.quit:
			snap.Close()
			return nil, ErrClosed
		}
	}
	return &moment{view: v, snap: snap}, nil
}
