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
	"lightcone/p2p/gossip"
	"lightcone/projection"
	"lightcone/store"
)

// maxExactWalk bounds the memos that are read to answer under a context which no root
// held here covers, and so the time and memory that takes.
const maxExactWalk = 1 << 16

// named is a root that a token names; the token's heads, all of which are attached
// here; and the first bytes of the peer that issued it.
type named struct {
	root   memo.ID
	heads  []memo.Head
	origin [8]byte
}

// root returns a root of s that is held here, a peer's too; store.ErrNoBlock when it
// is not. What it covers is what its digest says; see computed for its state.
func (s *Space) root(id memo.ID) (merge.Root, error) {
	data, err := s.node.store.Blocks(s.id).Block(id)
	if err != nil {
		return merge.Root{}, err
	}
	r, err := merge.DecodeRoot(data)
	if err == nil && r.Params.Space != s.id {
		err = fmt.Errorf("%w: it is of space %s", store.ErrNoBlock, r.Params.Space)
	}
	return r, err
}

// find returns a root that a token names: one that was computed here, or that of
// what this node has now, or that of the cut it says it is of, once this node covers
// it, for which it waits. Else ErrContextUnavailable, or a BehindError.
func (s *Space) find(ctx context.Context, want named, wait time.Duration) (merge.Root, error) {
	pin, ok, err := s.node.store.Blocks(s.id).Pinned(want.root)
	if err != nil {
		return merge.Root{}, classify(err)
	}
	if ok && !pin.Foreign {
		return s.root(want.root)
	}
	now, err := s.fold(ctx)
	if err == nil && now.id == want.root {
		return now.root, nil
	}
	if errors.Is(err, ErrClosed) || ctx.Err() != nil {
		return merge.Root{}, err
	}
	r, err := s.refold(ctx, want, wait)
	var behind *BehindError
	if (errors.Is(err, store.ErrNoBody) || errors.Is(err, errFar)) && s.adopts(s.node.view.Load()) {
		r, err = s.takeOver(ctx, want, wait)
	}
	if err == nil || errors.As(err, &behind) || errors.Is(err, ErrClosed) || ctx.Err() != nil {
		return r, err
	}
	return merge.Root{}, fmt.Errorf("%w: root %s is not held here: %w; ask the node that issued the token, or one that was in the same state",
		ErrContextUnavailable, want.root, err)
}

// errOtherRoot says that what a root covers makes another root here.
var errOtherRoot = errors.New("the memos it covers make another root")

// refold computes a root that a token names from the memos it covers, and keeps it.
func (s *Space) refold(ctx context.Context, want named, wait time.Duration) (merge.Root, error) {
	cut, err := s.covered(ctx, want, wait)
	if err != nil && len(want.heads) > 0 && !errors.Is(err, ErrClosed) && ctx.Err() == nil {
		var past tail // it may be just what the root covers: the digest tells
		past, err = s.tail(ctx, memo.Vector{}, want.heads)
		cut = past.vector
	}
	if err == nil {
		err = s.awaitCut(ctx, cut, want.origin, wait)
	}
	if err != nil {
		return merge.Root{}, err
	}
	blocks := scratch{under: s.node.store.Blocks(s.id), own: map[memo.ID][]byte{}}
	r, id, err := s.rootOf(ctx, cut, blocks)
	if err == nil && id != want.root {
		err = fmt.Errorf("%w, %s: its maker computed it wrongly, or it covers more than the past of the token's heads", errOtherRoot, id)
	}
	if err != nil {
		return merge.Root{}, err
	}
	s.node.folder.keeping.RLock() // nothing is collected before it is pinned
	defer s.node.folder.keeping.RUnlock()
	err = s.node.store.Blocks(s.id).Write(func(put merge.BlockPutter) error {
		for id, data := range blocks.own {
			if err := put.PutBlock(id, data); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.node.pin(s, id, 0)
	}
	return r, classify(err)
}

// takeOver fetches a root whose memos are not held here, and takes it for computed: in
// a space that adopts, the state that a member names stands for memos.
func (s *Space) takeOver(ctx context.Context, want named, wait time.Duration) (merge.Root, error) {
	patient, cancel := context.WithTimeout(ctx, max(wait, 0))
	defer cancel()
	fetched, err := s.fetchRoot(patient, want.root, want.origin, gossip.StatePart)
	if err == nil {
		err = s.node.pin(s, fetched.id, 0)
	}
	return fetched.root, classify(err)
}

// covered returns what a root covers, as its vector tree says, which is held here or
// fetched from a peer. The root's digest answers for it.
func (s *Space) covered(ctx context.Context, want named, wait time.Duration) (memo.Vector, error) {
	if r, err := s.root(want.root); err == nil {
		v, err := merge.ReadVector(r.Params, s.node.store.Blocks(s.id), r.Vector)
		if err == nil || !errors.Is(err, store.ErrNoBlock) {
			return v, classify(err)
		}
	}
	patient, cancel := context.WithTimeout(ctx, max(wait, 0))
	defer cancel()
	fetched, err := s.fetchRoot(patient, want.root, want.origin, gossip.VectorPart)
	if err == nil {
		return fetched.vector, nil
	}
	return memo.Vector{}, fmt.Errorf("what it covers is not known here: %w", err)
}

// awaitCut waits until this node covers a cut, and asks for it, first the peer whose
// id begins with origin. Else it returns a BehindError.
func (s *Space) awaitCut(ctx context.Context, cut memo.Vector, origin [8]byte, wait time.Duration) error {
	timeout := time.NewTimer(max(wait, 0))
	defer timeout.Stop()
	again := time.NewTicker(wantEvery)
	defer again.Stop()
	for asked := false; ; {
		v := s.node.view.Load()
		have := v.store.Vector(s.id)
		if have.CoversAll(cut) {
			return nil
		}
		if !asked {
			asked = true
			_ = s.node.submit(ctx, wantFrom{s.id, origin, nil}) // else ctx or quit ends the wait
		}
		select {
		case <-v.changed:
		case <-again.C:
			asked = false
		case <-timeout.C:
			return s.behind(ctx, have, cut)
		case <-ctx.Done():
			return ctx.Err()
		case <-s.node.quit:
			return ErrClosed
		}
	}
}

// behind says what a cut has beyond another.
func (s *Space) behind(ctx context.Context, have, cut memo.Vector) error {
	e := &BehindError{Lag: Lag{Memos: lead(cut, have)}}
	for m := range cut.All() {
		if !have.Covers(m.Author, m.Seq) && len(e.Missing) < causal.MaxLoose {
			e.Missing = append(e.Missing, m.Head)
		}
	}
	return s.Session().fill(ctx, e)
}

// scratch keeps blocks in memory, above those of the store.
type scratch struct {
	under merge.BlockGetter
	own   map[memo.ID][]byte
}

func (c scratch) PutBlock(id memo.ID, data []byte) error {
	c.own[id] = data
	return nil
}

func (c scratch) Block(id memo.ID) ([]byte, error) {
	if data, ok := c.own[id]; ok {
		return data, nil
	}
	return c.under.Block(id)
}

// empty returns the state in which nothing was written.
func (c scratch) empty(p merge.Params) (*projection.At, error) {
	state, err := merge.BuildState(p, func(func(merge.KeyedRow, error) bool) {}, c)
	return projection.NewAt(p, c, state), err
}

// tail is what a walk found: the memos that are in the past of some heads, and not
// below where it began.
type tail struct {
	memos  []*memo.Memo
	vector memo.Vector // with what is below
}

// tail walks from heads, which are attached, down to what a cut covers.
func (s *Space) tail(ctx context.Context, below memo.Vector, heads []memo.Head) (tail, error) {
	return s.tailWithin(ctx, below, heads, maxExactWalk)
}

// tailWithin is tail of at most limit memos.
func (s *Space) tailWithin(ctx context.Context, below memo.Vector, heads []memo.Head, limit int) (tail, error) {
	v := s.node.view.Load().store
	for _, h := range heads {
		if !v.Vector(s.id).Covers(h.Author, h.Seq) { // not sealed yet
			m, err := s.node.sealedMoment(s)
			if err != nil {
				return tail{}, err
			}
			m.Close()
			v = m.view.store
			break
		}
	}
	var out tail
	out.vector.Join(below) // no clone of it: others may read it meanwhile
	for todo := slices.Clone(heads); len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		have, _ := out.vector.Get(h.Author)
		for seq := have.Seq; seq < h.Seq; {
			if len(out.memos) > limit {
				return tail{}, fmt.Errorf("its past has more than %d memos that no root held here covers", limit)
			}
			if ctx.Err() != nil {
				return tail{}, ctx.Err()
			}
			run, err := runAfter(v, s.id, h.Author, seq)
			if err != nil {
				return tail{}, fmt.Errorf("read the log: %w", classify(err))
			}
			for _, m := range run.Memos {
				if m.Seq <= seq || m.Seq > h.Seq {
					continue
				}
				seq = m.Seq
				out.memos = append(out.memos, m)
				out.vector.Add(memo.Mark{Head: m.Head(), Time: m.Time})
				todo = append(todo, m.Deps...)
			}
		}
	}
	return out, nil
}

// runAfter returns the run that holds the author's first memo after seq.
func runAfter(v *store.View, space memo.SpaceID, author memo.Author, seq uint64) (*memo.Run, error) {
	_, last, ok, err := v.NextRun(space, author, seq)
	if err == nil && !ok {
		err = fmt.Errorf("memo %d of %s: %w", seq+1, author, store.ErrNoBody)
	}
	if err != nil {
		return nil, err
	}
	data, err := v.Run(space, author, last)
	if err != nil {
		return nil, err
	}
	return memo.DecodeRun(data)
}
