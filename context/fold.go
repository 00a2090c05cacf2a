package causal

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// Trees is where the roots of a space are: Get finds the blocks of those that are
// folded or joined, Put keeps those of the results. What was put by one call, Get
// has by the next.
type Trees struct {
	Params merge.Params
	Get    merge.BlockGetter
	Put    merge.BlockPutter
}

// Fold returns the same context with all of its tail joined into its root. The
// tail is among memos, in any order. However often and in whatever parts a
// context was folded before, the root is the one of its cut. Errors: ErrTail,
// ErrOtherSpace, and what Get and Put say.
func (qc Context) Fold(t Trees, memos []*memo.Memo) (Context, error) {
	return qc.FoldPart(t, memos, Budget{})
}

// FoldPart is Fold of a part of the tail that is within the budget: its densest
// part that is closed under causes, whole memos. The context is returned as it is
// where nothing fits.
//
// What a fold costs is set by the rows it rewrites, more than by the memos: dense
// is a part with many row edits for each row that it touches. For each of the rows
// with most edits the memos that touch it, with all their causes, are a candidate;
// the one that adds the most edits a row is taken, and so on. What touches no
// further row comes along first. The choice is a function of context and budget.
func (qc Context) FoldPart(t Trees, memos []*memo.Memo, b Budget) (Context, error) {
	if t.Params.Space != qc.Space {
		return Context{}, fmt.Errorf("%w: fold a context of %s into trees of %s", ErrOtherSpace, qc.Space, t.Params.Space)
	}
	tail, err := qc.Tail(memos)
	if err != nil {
		return Context{}, err
	}
	part := tail.Memos
	if !b.admits(len(tail.Memos), tail.Bytes) {
		part = densest(tail.Memos, b)
	}
	if len(part) == 0 {
		return qc, nil
	}
	out, err := t.take(qc, part)
	if err != nil {
		return Context{}, fmt.Errorf("fold a context: %w", err)
	}
	return out, nil
}

// take joins a part of the tail, closed under causes, into the root.
func (t Trees) take(qc Context, part []*memo.Memo) (Context, error) {
	rows, err := deltas(part)
	if err != nil {
		return Context{}, err
	}
	var marks memo.Vector
	for _, m := range part {
		marks.Add(memo.Mark{Head: m.Head(), Time: m.Time})
	}
	markForked(&marks, qc.Below, part)
	next := merge.Root{Params: t.Params}
	if qc.Root.IsZero() {
		next.Vector, err = merge.BuildVector(t.Params, marks, t.Put)
		if err == nil {
			next.State, err = merge.BuildState(t.Params, rows.all(), t.Put)
		}
	} else if next, err = t.root(qc.Root); err == nil {
		next.Vector, err = merge.ApplyVector(t.Params, t.Get, next.Vector, marks.All(), t.Put)
		if err == nil {
			next.State, err = merge.ApplyState(t.Params, t.Get, next.State, rows.all(), t.Put)
		}
	}
	if err != nil {
		return Context{}, err
	}
	return t.put(qc, next, joined(qc.Below, marks))
}

// markForked marks the authors whom fork proofs among memos name. Proofs depend on
// memos of theirs, so they are in marks, or below.
func markForked(marks *memo.Vector, below memo.Vector, memos []*memo.Memo) {
	for _, m := range memos {
		p, ok := m.Body.(*memo.ForkProof)
		if !ok {
			continue
		}
		mark, ok := marks.Get(p.Author)
		if !ok {
			mark, ok = below.Get(p.Author)
		}
		if mark.Forked = true; ok {
			marks.Set(mark)
		}
	}
}

// put returns the context over a root made of trees that were put.
func (t Trees) put(qc Context, r merge.Root, below memo.Vector) (Context, error) {
	data, err := r.Encode()
	if err != nil {
		return Context{}, err
	}
	id := memo.Sum(data)
	if err := t.Put.PutBlock(id, data); err != nil {
		return Context{}, fmt.Errorf("put root %s: %w", id, err)
	}
	return qc.Over(id, below), nil
}

// root reads a root.
func (t Trees) root(id memo.ID) (merge.Root, error) {
	data, err := t.Get.Block(id)
	if err != nil {
		return merge.Root{}, fmt.Errorf("read root %s: %w", id, err)
	}
	r, err := merge.DecodeRoot(data)
	if err == nil && r.Params != t.Params {
		err = fmt.Errorf("%w: %+v, those of the space are %+v", merge.ErrParams, r.Params, t.Params)
	}
	if err != nil {
		return merge.Root{}, fmt.Errorf("read root %s: %w", id, err)
	}
	return r, nil
}

// Join is the package's Join, but where that would leave too many heads it merges
// the two roots into one. What is loose beyond both has to be folded first when it
// is too much even then: ErrTooManyHeads.
func (t Trees) Join(a, b Context) (Context, error) {
	out, err := Join(a, b)
	if !errors.Is(err, ErrTooManyHeads) || a.Root == b.Root || a.Root.IsZero() || b.Root.IsZero() {
		return out, err
	}
	x, err := t.root(a.Root)
	if err != nil {
		return Context{}, fmt.Errorf("join contexts: %w", err)
	}
	y, err := t.root(b.Root)
	if err == nil {
		x, err = merge.MergeRoot(t.Get, x, y, t.Put)
	}
	below := joined(a.Below, b.Below)
	if err == nil {
		a, err = t.put(a, x, below)
	}
	if err != nil {
		return Context{}, fmt.Errorf("join contexts: %w", err)
	}
	return Join(a, b.Over(a.Root, below))
}

// joined returns the join of two vectors, which are not cloned: goroutines may
// share them.
func joined(a, b memo.Vector) (out memo.Vector) {
	out.Join(a)
	out.Join(b)
	return out
}

// rowDeltas is what memos do to rows, by row key.
type rowDeltas map[string]merge.Row

func deltas(memos []*memo.Memo) (rowDeltas, error) {
	out := rowDeltas{}
	for _, m := range memos {
		for key, edit := range merge.RowEdits(m) {
			delta, err := merge.Delta(merge.StampOf(m), edit)
			if err != nil {
				return nil, fmt.Errorf("memo %s: row %q: %w", m.Head(), key, err)
			}
			out[key] = merge.Join(out[key], delta)
		}
	}
	return out, nil
}

// all yields the rows, ascending.
func (d rowDeltas) all() iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(d)) {
			state, err := d[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) || err != nil {
				return
			}
		}
	}
}
