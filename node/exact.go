package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// exact is what an Exact session reads: the state of one cut.
type exact struct {
	at    *projection.At
	token causal.Token // of that cut; zero if no token can name it
}

// ExactToken returns a token that names the root of everything here, which the
// session thereby has seen, and pins it for the retention window. An Exact session
// under this token shows today's state, whatever is written later, here and on
// every node that holds the root or can compute it. Of an Exact session it is Token.
func (x *Session) ExactToken(ctx context.Context) (causal.Token, error) {
	src, behind, err := x.begin(ctx)
	if err != nil {
		return causal.Token{}, err
	}
	src.Close()
	if behind != nil {
		return causal.Token{}, behind
	}
	if src.fixed {
		return x.Token(), nil
	}
	now, err := x.space.fold(ctx)
	if err == nil {
		err = classify(x.space.node.store.Blocks(x.space.id).Flush())
	}
	if err != nil {
		return causal.Token{}, err
	}
	x.see(causal.Context{Space: x.space.id, Root: now.id, Below: now.vector})
	return x.space.token(now.id, causal.NewCut(now.vector).Context(x.space.id).Loose)
}

// token names a root, and its heads if there is room for them: they tell a node
// that lacks the root what to wait for.
func (s *Space) token(root memo.ID, heads []memo.Head) (causal.Token, error) {
	if len(heads) > causal.MaxTokenHeads {
		heads = nil
	}
	return causal.Context{Space: s.id, Root: root, Loose: heads}.Token(s.node.id)
}

// Digest returns the digest of the state that the session reads: equal on nodes
// that hold the same memos.
func (x *Session) Digest(ctx context.Context) ([32]byte, error) {
	src, _, err := x.begin(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	defer src.Close()
	switch rows := src.rows.(type) {
	case *projection.At:
		id, err := rows.Digest(nil)
		return id, gone(err)
	case *projection.Snapshot:
		if last, ok := x.space.node.folder.latest(x.space.id); ok && sameCut(last.vector, src.cut.Vector()) && x.space.node.view.Load().store.Branched(x.space.id) <= last.lsn {
			return last.root.State, nil
		}
		id, err := rows.Digest(x.space.params(x.space.node.view.Load()))
		return id, err
	}
	return [32]byte{}, fmt.Errorf("digest of %T: %w", src.rows, ErrUnsupported)
}

// gone marks an error that means that a root was collected.
func gone(err error) error {
	if errors.Is(err, store.ErrNoBlock) {
		return fmt.Errorf("%w: the root was kept for its time and is deleted: %w", ErrContextUnavailable, err)
	}
	return err
}

// forget makes an Exact session look for its state again.
func (x *Session) forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.exact = nil
}

// name keeps the root of a token, if it has one, for takeRoots and precisely. It
// reports whether there was room. x.mu is held.
func (x *Session) name(root memo.ID, heads []memo.Head, origin [8]byte) bool {
	switch {
	case root.IsZero(), slices.ContainsFunc(x.named, func(n named) bool { return n.root == root && len(n.heads) >= len(heads) }):
		return true
	case len(x.named) == maxTaken:
		x.full = true
		return false
	}
	x.named, x.origin = append(x.named, named{root, heads, origin}), origin
	return true
}

// precisely returns the state of the session's context, which is covered here.
func (x *Session) precisely(ctx context.Context) (*exact, error) {
	x.mu.Lock()
	known, todo, heads := x.exact, x.named, x.qc.Loose
	if !x.qc.Root.IsZero() {
		todo = append(slices.Clone(todo), named{root: x.qc.Root})
	}
	x.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if len(todo) == 0 && len(heads) == 0 {
		return nil, fmt.Errorf("%w: an exact read shows the state of a token, and none was given; get one from a scan, a write or `lightcone context show --root`", ErrContextUnavailable)
	}
	e, err := x.space.precisely(ctx, todo, heads, x.read.Wait)
	if err != nil {
		return nil, gone(err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.exact = e
	return e, nil
}

// precisely returns the state of the union of what roots cover and of the past of
// heads.
func (s *Space) precisely(ctx context.Context, roots []named, heads []memo.Head, wait time.Duration) (*exact, error) {
	p := s.params(s.node.view.Load())
	blocks := scratch{under: s.node.store.Blocks(s.id), own: map[memo.ID][]byte{}}
	at, err := blocks.empty(p)
	if err != nil {
		return nil, err
	}
	var root merge.Root
	var id memo.ID
	var below memo.Vector
	if len(roots) > 0 {
		if root, err = s.union(ctx, roots, blocks, wait); err == nil {
			below, err = merge.ReadVector(p, blocks, root.Vector)
		}
		if err == nil {
			id, err = putRoot(root, blocks)
		}
		if err != nil {
			return nil, err
		}
		at = projection.NewAt(p, blocks, root.State)
	}
	tail, err := s.tail(ctx, below, heads)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; name a root that covers more of it, or read at-least", ErrContextUnavailable, err)
	}
	if len(tail.memos) > 0 {
		if at, err = at.With(tail.memos); err != nil {
			return nil, err
		}
	}
	e := &exact{at: at}
	held := slices.ContainsFunc(roots, func(n named) bool { return n.root == id })
	switch {
	case len(roots) > 0 && !held: // the union of several
	case len(tail.memos) == 0:
		e.token, err = s.token(id, heads)
	case len(heads) <= causal.MaxTokenHeads:
		e.token, err = causal.Context{Space: s.id, Root: id, Loose: heads}.Token(s.node.id)
	}
	return e, err
}

// union returns the root of what all the roots cover, which blocks then have.
func (s *Space) union(ctx context.Context, roots []named, blocks scratch, wait time.Duration) (out merge.Root, err error) {
	for i, n := range roots {
		r, err := s.find(ctx, n, wait)
		if err == nil && i > 0 && r != out {
			r, err = merge.MergeRoot(blocks, out, r, blocks)
		}
		if err != nil {
			return merge.Root{}, err
		}
		out = r
	}
	return out, nil
}
