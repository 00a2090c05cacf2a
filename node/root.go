package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// maxExactWalk bounds the memos that are read to answer under a context which no root
// held here covers, and so the time and memory that takes.
const maxExactWalk = 1 << 16

// named is a root that a token names, and the token's heads, all of which are
// attached here.
type named struct {
	root  memo.ID
	heads []memo.Head
}

// root returns a root of s that is held here; store.ErrNoBlock when it is not.
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

// find returns a root that a token names: one that is held, or that of what this
// node has now, or of the past of the token's heads. Else ErrContextUnavailable.
func (s *Space) find(ctx context.Context, want named) (merge.Root, error) {
	r, err := s.root(want.root)
	if err == nil || !errors.Is(err, store.ErrNoBlock) {
		return r, err
	}
	now, err := s.fold(ctx)
	if err == nil && now.id == want.root {
		return now.root, nil
	}
	if errors.Is(err, ErrClosed) || ctx.Err() != nil {
		return merge.Root{}, err
	}
	reason := "this node has other memos and does not know which ones the root covers"
	if len(want.heads) > 0 {
		r, err := s.foldPast(ctx, want)
		if err == nil {
			return r, nil
		}
		reason = err.Error()
	}
	return merge.Root{}, fmt.Errorf("%w: root %s is not held here: %s; ask the node that issued the token, or one that was in the same state",
		ErrContextUnavailable, want.root, reason)
}

// foldPast computes the root of the past of the wanted heads, and keeps it if it
// is the wanted one.
func (s *Space) foldPast(ctx context.Context, want named) (merge.Root, error) {
	p := s.params(s.node.view.Load())
	none := scratch{under: s.node.store.Blocks(s.id), own: map[memo.ID][]byte{}}
	tail, err := s.tail(ctx, memo.Vector{}, want.heads)
	if err != nil {
		return merge.Root{}, err
	}
	at, err := none.empty(p)
	if err == nil {
		at, err = at.With(tail.memos)
	}
	var r merge.Root
	if err == nil {
		r.Params = p
		r.State, err = at.Digest(none)
	}
	if err == nil {
		r.Vector, err = merge.BuildVector(p, tail.vector, none)
	}
	if err != nil {
		return merge.Root{}, err
	}
	if id, err := putRoot(r, none); err != nil || id != want.root {
		return merge.Root{}, cmp.Or(err, errors.New("it covers more than the past of the token's heads"))
	}
	err = s.node.store.Blocks(s.id).Write(func(put merge.BlockPutter) error {
		for id, data := range none.own {
			if err := put.PutBlock(id, data); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.node.pin(s, want.root, 0)
	}
	return r, err
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
				out.vector.Set(memo.Mark{Head: m.Head(), Time: m.Time})
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
		err = fmt.Errorf("memo %d of %s: %w", seq+1, author, store.ErrNoRun)
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
