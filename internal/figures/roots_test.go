package figures

import (
	"maps"
	"math"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// What people do with roots beside folding all they have; see peer.folds.

// indexes makes the root of the named memos alone: a part of what p has, which
// others can be merged with.
func (p *peer) indexes(names ...string) (r merge.Root) {
	p.t.Helper()
	r.Params = merge.DefaultParams(p.d.Space)
	var v memo.Vector
	rows := map[string]merge.Row{}
	for _, m := range p.memos(names...) {
		var one memo.Vector
		one.Set(memo.Mark{Head: m.Head(), Time: m.Time})
		v.Join(one)
		e, ok := m.Body.(*memo.Edit)
		if !ok {
			continue
		}
		for _, topic := range e.Topics {
			for _, row := range topic.Rows {
				key := merge.RowKey(topic.Topic, string(row.Row))
				delta, err := merge.Delta(merge.StampOf(m), row)
				p.must(err)
				rows[key] = merge.Join(rows[key], delta)
			}
		}
	}
	p.must(p.store.Blocks(p.d.Space).Write(func(put merge.BlockPutter) (err error) {
		r.State, err = merge.BuildState(r.Params, func(yield func(merge.KeyedRow, error) bool) {
			for _, key := range slices.Sorted(maps.Keys(rows)) {
				state, err := rows[key].Encode()
				if !yield(merge.KeyedRow{Key: key, State: state}, err) {
					return
				}
			}
		}, put)
		if err == nil {
			r.Vector, err = merge.BuildVector(r.Params, v, put)
		}
		return err
	}))
	return r
}

// merges makes the root of two: it joins keyframes, and looks at no memo.
func (p *peer) merges(a, b merge.Root) (r merge.Root) {
	p.t.Helper()
	blocks := p.store.Blocks(p.d.Space)
	p.must(blocks.Write(func(put merge.BlockPutter) (err error) {
		r, err = merge.MergeRoot(blocks, a, b, put)
		return err
	}))
	return r
}

// fetches brings the trees of q's root to p, from the top down, where p's own root
// has others; a zero one has none. It returns how many blocks came.
func (p *peer) fetches(q *peer, theirs, mine merge.Root) int {
	p.t.Helper()
	return p.fetchesSome(q, theirs, mine, math.MaxInt)
}

// fetchesSome is fetches that stops after so many blocks.
func (p *peer) fetchesSome(q *peer, theirs, mine merge.Root, most int) (came int) {
	p.t.Helper()
	here, there := p.store.Blocks(p.d.Space), q.store.Blocks(q.d.Space)
	for _, o := range []merge.WalkOptions{
		{Params: theirs.Params, Tree: theirs.Vector, Base: mine.Vector},
		{Params: theirs.Params, Tree: theirs.State, Base: mine.State, Rows: true},
	} {
		w, err := merge.NewWalk(here, o)
		p.must(err)
		for !w.Done() && came < most {
			ids, err := w.Next(min(16, most-came))
			p.must(err)
			p.must(here.Write(func(put merge.BlockPutter) error {
				for _, id := range ids {
					data, err := there.Block(id)
					p.must(err)
					p.must(w.Take(id, data))
					p.must(put.PutBlock(id, data))
					came++
				}
				return nil
			}))
		}
	}
	return came
}

// reached are the blocks of a root's two trees.
func (p *peer) reached(r merge.Root) (ids []memo.ID) {
	p.t.Helper()
	met := map[memo.ID]bool{}
	p.must(merge.Reach(p.store.Blocks(p.d.Space), r, func(id memo.ID) bool {
		again := met[id]
		if met[id] = true; !again {
			ids = append(ids, id)
		}
		return !again
	}))
	slices.SortFunc(ids, memo.ID.Compare)
	return ids
}

// rootBytes are the bytes of a root, which name its trees.
func (p *peer) rootBytes(r merge.Root) string {
	p.t.Helper()
	b, err := r.Encode()
	p.must(err)
	return string(b)
}
