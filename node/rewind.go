package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
	"lightcone/store"
)

// This file computes the root of any cut that this node covers, from the root held
// here that is nearest to it. Memos beyond the cut are taken back: the rows they
// touched are joined anew from the memos of theirs that the cut has. So nobody's
// word about a state is needed to read under a root that another node made. Where
// bodies are not held, nothing can be taken back, and the root has to be below the cut.

const (
	// maxBases bounds the roots that are looked at for one that is near.
	maxBases = 32
	// maxRowWalk bounds the memos that are read to join touched rows anew.
	maxRowWalk = 1 << 18
)

// errFar says that no root held here is near enough to a cut.
var errFar = errors.New("too far from every root held here")

// rootOf returns the root of a cut that this node covers, and its digest. Its
// blocks are put into put, and may be read from there.
func (s *Space) rootOf(ctx context.Context, cut memo.Vector, blocks scratch) (merge.Root, memo.ID, error) {
	base, far, err := s.nearest(ctx, cut, blocks)
	if err == nil && far > maxExactWalk {
		err = fmt.Errorf("%w: %d memos away, the limit is %d", errFar, far, maxExactWalk)
	}
	if err != nil {
		return merge.Root{}, memo.ID{}, err
	}
	v := s.node.view.Load()
	p := s.params(v)
	beyond, err := s.between(ctx, v.store, cut, base.vector) // to be taken back
	if err != nil {
		return merge.Root{}, memo.ID{}, err
	}
	within, err := s.between(ctx, v.store, base.vector, cut) // to be joined
	if err != nil {
		return merge.Root{}, memo.ID{}, err
	}
	out := merge.Root{Params: p, State: base.root.State}
	if len(beyond) > 0 {
		out.State, err = merge.Replace(p, blocks, base.root.State, s.rewound(ctx, v, beyond, cut), blocks)
	}
	var at *projection.At
	if err == nil {
		at, err = projection.NewAt(p, blocks, out.State).With(within)
	}
	if err == nil {
		out.State, err = at.Digest(blocks)
	}
	if err == nil {
		out.Vector, err = merge.BuildVector(p, v.store.Mark(s.id, cut), blocks)
	}
	if err != nil {
		return merge.Root{}, memo.ID{}, err
	}
	id, err := putRoot(out, blocks)
	return out, id, err
}

// nearest returns the root held here whose cut differs in the fewest memos from the
// given one, and in how many. The root of nothing is one of them.
func (s *Space) nearest(ctx context.Context, cut memo.Vector, blocks scratch) (best folded, least uint64, err error) {
	best, err = s.fold(ctx)
	if err != nil {
		return folded{}, 0, err
	}
	whole, err := s.node.view.Load().store.Whole(s.id)
	if err != nil {
		return folded{}, 0, classify(err)
	}
	fits := func(v memo.Vector) bool { return whole || cut.CoversAll(v) }
	if least = apart(best.vector, cut); !fits(best.vector) {
		least = math.MaxUint64
	}
	pins, err := s.node.store.Blocks(s.id).Pins()
	if err != nil {
		return folded{}, 0, err
	}
	for _, pin := range pins[:min(len(pins), maxBases)] {
		if least == 0 {
			return best, 0, nil
		}
		if pin.Foreign {
			continue
		}
		r, err := s.root(pin.Root)
		if err != nil {
			return folded{}, 0, err
		}
		v, err := merge.ReadVector(r.Params, s.node.store.Blocks(s.id), r.Vector)
		if err != nil {
			return folded{}, 0, err
		}
		if n := apart(v, cut); n < least && fits(v) {
			best, least = folded{id: pin.Root, root: r, vector: v}, n
		}
	}
	if n := apart(memo.Vector{}, cut); n < least {
		p := best.root.Params
		state, err := merge.BuildState(p, func(func(merge.KeyedRow, error) bool) {}, blocks)
		return folded{root: merge.Root{Params: p, State: state}}, n, err
	}
	return best, least, nil
}

// apart counts the memos that one of two cuts has and the other has not.
func apart(a, b memo.Vector) uint64 { return lead(a, b) + lead(b, a) }

// between returns the memos that the cut to has beyond the cut from.
func (s *Space) between(ctx context.Context, v *store.View, from, to memo.Vector) ([]*memo.Memo, error) {
	var out []*memo.Memo
	for mark := range to.All() {
		have, _ := from.Get(mark.Author)
		for seq := have.Seq; seq < mark.Seq; {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			run, err := runAfter(v, s.id, mark.Author, seq)
			if err != nil {
				return nil, fmt.Errorf("read the log: %w", classify(err))
			}
			for _, m := range run.Memos {
				if m.Seq > seq && m.Seq <= mark.Seq {
					seq = m.Seq
					out = append(out, m)
				}
			}
		}
	}
	return out, nil
}

// rewound yields the rows that memos edit, as they are without what the cut lacks.
func (s *Space) rewound(ctx context.Context, v *view, memos []*memo.Memo, cut memo.Vector) iter.Seq2[merge.KeyedRow, error] {
	keys := map[string]struct{}{}
	for _, m := range memos {
		addKeys(keys, m)
	}
	return func(yield func(merge.KeyedRow, error) bool) {
		read := 0
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			row, edits, err := s.joined(ctx, v, key, cut, &read)
			out := merge.KeyedRow{Key: key}
			if err == nil && edits > 0 {
				out.State, err = row.Encode()
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// joined returns a row as the memos of a cut make it, and how many of them edit it;
// read counts all that edit it.
func (s *Space) joined(ctx context.Context, v *view, key string, cut memo.Vector, read *int) (row merge.Row, edits int, err error) {
	topic, name, _ := merge.SplitRowKey(key) // made by RowKey
	end := store.Place{LSN: v.lsn, Index: memo.MaxRunMemos}
	for f, err := range v.store.RowMemos(s.id, topic, name, store.Place{}, end) {
		if *read++; err == nil && *read > maxRowWalk {
			err = fmt.Errorf("%w: the rows touched since have more than %d edits", errFar, maxRowWalk)
		}
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return merge.Row{}, 0, err
		}
		if !cut.Covers(f.Memo.Author, f.Memo.Seq) {
			continue
		}
		edit, _ := f.Memo.Edits(topic, name)
		delta, err := merge.Delta(merge.StampOf(f.Memo), edit)
		if err != nil {
			return merge.Row{}, 0, err
		}
		row, edits = merge.Join(row, delta), edits+1
	}
	return row, edits, nil
}
