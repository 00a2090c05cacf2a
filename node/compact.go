package node

import (
	"context"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// Compacted is what a compaction did.
type Compacted = store.Compacted

// Compact deletes the bodies of memos: the log keeps a checkpoint of every space,
// its rows, its vector and the authors' seals, and begins there. It is for spaces that
// adopt; the log is shared, so one space that trusts memos alone keeps those of all
// (ErrUnsupported). Peers that lack a deleted memo are given the state. Histories,
// feeds and exact reads of cuts that no root here covers begin with the checkpoint.
//
// Writes and messages wait meanwhile.
func (n *Node) Compact(ctx context.Context) (Compacted, error) {
	for _, s := range n.allSpaces() { // most of the work, beside the owner
		if s.adopts(n.view.Load()) {
			if _, err := s.fold(ctx); err != nil {
				return Compacted{}, fmt.Errorf("compact: %w", err)
			}
		}
	}
	c := &compact{reply: make(chan compactReply, 1)}
	r, err := await(ctx, n, c, c.reply)
	if err == nil {
		err = r.err
	}
	if err != nil {
		return r.done, fmt.Errorf("compact: %w", err)
	}
	return r.done, nil
}

type compactReply struct {
	done Compacted
	err  error
}

type compact struct{ reply chan compactReply }

func (c *compact) do(o *owner) {
	done, err := o.compact()
	c.reply <- compactReply{done, classify(err)}
}

func (o *owner) compact() (Compacted, error) {
	var cs []store.Checkpoint
	for _, s := range o.n.allSpaces() {
		if _, held := o.n.view.Load().store.Genesis(s.id); !held {
			continue
		}
		if !s.adopts(o.n.view.Load()) {
			return Compacted{}, fmt.Errorf("space %q (%s): %w: %w", s.name, s.id, ErrUnsupported, store.ErrTrust)
		}
		m, err := o.sealed(s)
		if err != nil {
			return Compacted{}, err
		}
		defer m.Close()
		root, err := o.rootAt(s, m)
		if err != nil {
			return Compacted{}, err
		}
		cs = append(cs, store.Checkpoint{Space: s.id, Root: root, Self: o.n.id, Rows: m.snap.States(s.id)})
	}
	if err := o.ready(); err != nil {
		return Compacted{}, err
	}
	done, err := o.n.store.Compact(cs)
	if done.LSN > 0 { // it is in the log, whatever failed afterwards
		if applied := o.n.proj.Apply(done.LSN, nil); applied != nil {
			return done, fmt.Errorf("project: %w", applied)
		}
		o.publish(done.LSN)
	}
	return done, err
}

// rootAt returns the digest of the root of a sealed moment: that of the last fold, or
// one computed anew if something came since.
func (o *owner) rootAt(s *Space, m *moment) (memo.ID, error) {
	now := m.view.store.Vector(s.id)
	if last, ok := o.n.folder.latest(s.id); ok && last.shows(s, m.view.store) {
		return last.id, nil
	}
	r := merge.Root{Params: s.params(m.view)}
	var err error
	if r.State, err = merge.BuildState(r.Params, m.snap.States(s.id), nil); err == nil {
		r.Vector, err = merge.BuildVector(r.Params, now, nil)
	}
	if err != nil {
		return memo.ID{}, err
	}
	data, err := r.Encode()
	return memo.Sum(data), err
}
