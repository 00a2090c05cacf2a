package node

import (
	"context"
	"errors"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
)

// Take adds what the token names to the session; it is never un-known. After more
// than 256 different tokens that this node does not cover, the session answers
// with ErrTooManyTokens.
func (x *Session) Take(t causal.Token) {
	x.forget()
	if t.IsZero() || x.take(t) {
		return
	}
	x.settle(x.space.node.view.Load()) // what came meanwhile makes room
	if !x.take(t) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.full = true
	}
}

// take keeps t if there is room for it, or it is kept already.
func (x *Session) take(t causal.Token) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	same := func(u causal.Token) bool {
		return t.Space == u.Space && t.Origin == u.Origin && t.Root == u.Root && slices.Equal(t.Heads, u.Heads)
	}
	if slices.ContainsFunc(x.taken, same) {
		return true
	}
	if len(x.taken) == maxTaken {
		return false
	}
	x.taken = append(x.taken, t)
	return true
}

func (x *Session) overfull() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.full
}

// See adds a context of this space, read from Space.Context, to the session.
func (x *Session) See(qc causal.Context) {
	x.forget()
	x.see(qc)
}

// see takes in a whole context of this space.
func (x *Session) see(qc causal.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.become(x.qc.Take(qc), later(x.causes(), headsIn(qc)))
	x.whole = true
}

func (x *Session) saw(heads ...memo.Head) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range heads {
		x.learn(h)
	}
}

// learn takes in a memo and its past. x.mu is held.
func (x *Session) learn(h memo.Head) {
	x.qc = x.qc.With(h)
	if x.tops != nil { // it is a cause, as it were without a root that may cover it
		x.tops = causal.Context{Loose: x.tops}.With(h).Loose
	}
}

// Context returns what the session has seen, but for tokens that this node does
// not cover yet and for roots that were not read under.
func (x *Session) Context() causal.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.qc
}

// settle moves taken tokens that v covers into the context and returns what is
// still missing.
func (x *Session) settle(v *view) *BehindError {
	x.mu.Lock()
	defer x.mu.Unlock()
	cut := v.cut(x.space.id)
	e := &BehindError{}
	rest := x.taken[:0:0]
	for _, t := range x.taken {
		if [8]byte(x.space.id[:8]) != t.Space {
			foreign := memo.Head{ID: t.Root}
			if len(t.Heads) > 0 {
				foreign = partial(causal.MissingHead{TokenHead: t.Heads[0]})
			}
			e.Missing, e.Forked = append(e.Missing, foreign), true
			rest = append(rest, t)
			continue
		}
		digest := x.space.digests(v, t)
		if x.read.Mode != Exact { // that one is about the memos named and no others
			t = v.known(x.space.id, t, digest)
		}
		missing := t.Missing(cut, digest)
		if len(missing) == 0 {
			if qc, ok := t.Resolve(x.space.id, cut, digest); ok && x.name(t.Root, qc.Loose, t.Origin) {
				for _, h := range qc.Loose {
					x.learn(h)
				}
				continue
			}
		}
		rest = append(rest, t)
		for _, h := range missing {
			e.add(h, cut)
		}
	}
	x.taken = rest
	for _, h := range x.uncovered(cut) {
		e.Missing, e.Lag.Memos = append(e.Missing, h), e.Lag.Memos+1
	}
	if len(e.Missing) == 0 {
		return nil
	}
	return e
}

// add records one memo that a token names and the cut lacks.
func (e *BehindError) add(h causal.MissingHead, cut causal.Cut) {
	e.Missing = append(e.Missing, partial(h))
	e.Forked = e.Forked || h.Conflict
	have, _ := cut.Vector().Get(h.Known)
	if h.Seq > have.Seq {
		e.Lag.Memos += h.Seq - have.Seq
	}
}

// partial turns a token's head into a Head, as complete as it is known.
func partial(h causal.MissingHead) memo.Head {
	out := memo.Head{Author: h.Known, Seq: h.Seq}
	if h.Known == (memo.Author{}) {
		copy(out.Author[:], h.Author[:])
	}
	copy(out.ID[:], h.Digest[:])
	return out
}

// fence waits until this node covers the session's context. It returns nil, or a
// BehindError with Holders filled in. See await for vouched.
func (x *Session) fence(ctx context.Context, vouched bool) error {
	if x.read.Mode == Local {
		return nil
	}
	return x.await(ctx, vouched)
}

// await waits until this node covers the session's context, or with vouched until
// this node and a layer together do.
func (x *Session) await(ctx context.Context, vouched bool) error {
	if x.overfull() {
		return ErrTooManyTokens
	}
	l, v := x.space.layer.Load(), x.space.node.view.Load()
	behind := x.settle(v)
	if behind == nil {
		return nil
	}
	timeout := time.NewTimer(max(x.read.Wait, 0))
	defer timeout.Stop()
	again := time.NewTicker(wantEvery)
	defer again.Stop()
	x.want(ctx)
	for behind != nil && !behind.Forked && !(vouched && x.vouchedFor(v, l)) {
		select {
		case <-v.changed:
		case <-l.changed:
		case <-again.C:
			x.want(ctx)
			continue
		case <-timeout.C:
			return x.fill(ctx, behind)
		case <-ctx.Done():
			return errors.Join(x.fill(context.WithoutCancel(ctx), behind), ctx.Err())
		case <-x.space.node.quit:
			return ErrClosed
		}
		l, v = x.space.layer.Load(), x.space.node.view.Load()
		behind = x.settle(v)
	}
	if behind != nil && !(vouched && x.vouchedFor(v, l)) {
		return x.fill(ctx, behind)
	}
	return nil
}

// uncovered returns what of the session's context is not here: memos of a root of
// others, and after the log lost unsynced writes, own ones. Of a root that was here
// once only the loose heads beyond it are looked at. x.mu is held.
func (x *Session) uncovered(cut causal.Cut) []memo.Head {
	if x.qc.Root == x.held {
		return causal.Context{Loose: x.qc.Loose}.Missing(cut)
	}
	missing := x.qc.Missing(cut)
	if len(missing) == 0 {
		x.held = x.qc.Root
	}
	return missing
}

// takeRoots puts what the named roots cover into the session's context, and
// reports whether there were any. What that names may not be here yet.
func (x *Session) takeRoots(ctx context.Context) (took bool, err error) {
	x.mu.Lock()
	todo := x.named
	x.mu.Unlock()
	for _, n := range todo {
		below, err := x.space.extent(ctx, n, x.read.Wait)
		if err != nil {
			return false, err
		}
		x.see(causal.Context{Space: x.space.id, Root: n.root, Below: below})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.named = x.named[len(todo):]
	return len(todo) > 0, nil
}

// extent returns what a root that a token names covers.
func (s *Space) extent(ctx context.Context, n named, wait time.Duration) (memo.Vector, error) {
	if last, ok := s.node.folder.latest(s.id); ok && last.id == n.root {
		return last.vector, nil
	}
	v, unknown := s.covered(ctx, n, wait)
	if unknown == nil || ctx.Err() != nil {
		return v, unknown
	}
	root, err := s.find(ctx, n, wait) // it may be the root of what is here
	if err != nil {
		return memo.Vector{}, gone(err)
	}
	v, err = merge.ReadVector(root.Params, s.node.store.Blocks(s.id), root.Vector)
	return v, gone(err)
}
