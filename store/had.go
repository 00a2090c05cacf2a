package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"lightcone/memo"
	"lightcone/merge"
)

// Had is what a View shows to peers of one space: what is attached, and what is held
// back as late. It says what need not be sent, and serves all of it to who lacks it.
// Where nothing is held it is the attached cut.
type Had struct {
	v     *View
	space memo.SpaceID
}

// HeldRun says what one run of the quarantine holds.
type HeldRun struct {
	Head  memo.Head
	First uint64 // seq of its first memo
	Time  memo.Time
	Bytes int
}

// hadView is the part of a spaceView behind Had.
type hadView struct {
	held   map[memo.Author][]heldRun // ascending, not to be changed
	vector func() memo.Vector
	root   func() (memo.ID, error)
	tree   func() (merge.BlockGetter, error)
}

// freezeHad makes the hadView of sp beside v; old is the one before, or nil.
func (sp *space) freezeHad(v *spaceView, old *spaceView) hadView {
	if len(sp.held) == 0 {
		return hadView{vector: func() memo.Vector { return v.sealed }, root: v.root, tree: v.tree}
	}
	if old != nil && !sp.moved && !sp.heldMoved {
		return old.had
	}
	h := hadView{held: map[memo.Author][]heldRun{}}
	for a, c := range sp.held {
		h.held[a] = c.runs
	}
	sealed := v.sealed
	h.vector = sync.OnceValue(func() memo.Vector {
		vec := sealed.Clone()
		for a, runs := range h.held { // into a sorted vector: the order does not show
			mark, _ := vec.Get(a)
			for _, r := range runs {
				for _, m := range r.run.Memos {
					mark = mark.Join(memo.Mark{Head: m.Head(), Time: m.Time})
				}
			}
			vec.Set(mark)
		}
		return vec
	})
	h.root, h.tree = treeOf(sp.params(), h.vector)
	return h
}

// treeOf makes the tree of a vector, on demand.
func treeOf(params merge.Params, vector func() memo.Vector) (root func() (memo.ID, error), tree func() (merge.BlockGetter, error)) {
	root = sync.OnceValues(func() (memo.ID, error) { return merge.BuildVector(params, vector(), nil) })
	tree = sync.OnceValues(func() (merge.BlockGetter, error) {
		blocks := vectorBlocks{}
		_, err := merge.BuildVector(params, vector(), blocks)
		return blocks, err
	})
	return root, tree
}

// Had returns what of a space need not be sent to this replica.
func (v *View) Had(space memo.SpaceID) Had { return Had{v, space} }

func (h Had) view() hadView { return h.v.space(h.space).had }

// Vector returns the attached cut with what is held beyond it.
func (h Had) Vector() memo.Vector { return h.view().vector() }

// Root returns the digest of the search tree of Vector.
func (h Had) Root() (memo.ID, error) { return h.view().root() }

// Tree returns the blocks of that tree.
func (h Had) Tree() (merge.BlockGetter, error) { return h.view().tree() }

// Held returns what is held of each author, in the order of its chain.
func (h Had) Held() map[memo.Author][]HeldRun {
	out := map[memo.Author][]HeldRun{}
	for a, runs := range h.view().held {
		for _, r := range runs {
			last := r.run.Memos[len(r.run.Memos)-1]
			out[a] = append(out[a], HeldRun{Head: last.Head(), First: r.run.FirstSeq(), Time: last.Time, Bytes: r.size})
		}
	}
	return out
}

// NextRun is View.NextRun; held runs come behind all that is attached.
func (h Had) NextRun(author memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	if r, found := h.find(author, after+1); found {
		return heldOrder + r.number, r.run.Head().Seq, true, nil
	}
	return h.v.NextRun(h.space, author, after)
}

// Run is View.Run, of held runs too.
func (h Had) Run(author memo.Author, last uint64) ([]byte, error) {
	if r, found := h.find(author, last); found && r.run.Head().Seq == last {
		raw, err := r.run.Encode()
		if err != nil {
			return nil, fmt.Errorf("encode run %s: %w", r.run.Head(), err)
		}
		return raw, nil
	}
	return h.v.Run(h.space, author, last)
}

// ID is View.ID, of held memos too; one that is covered and whose body is not held is
// not there.
func (h Had) ID(author memo.Author, seq uint64) (memo.ID, bool, error) {
	if r, found := h.find(author, seq); found {
		return r.run.Memos[seq-r.run.FirstSeq()].ID(), true, nil
	}
	id, ok, err := h.v.ID(h.space, author, seq)
	if errors.Is(err, ErrNoBody) { // a state stands for it
		return memo.ID{}, false, nil
	}
	return id, ok, err
}

// find returns the held run with the author's memo seq.
func (h Had) find(author memo.Author, seq uint64) (heldRun, bool) {
	runs := h.view().held[author]
	i, _ := slices.BinarySearchFunc(runs, seq, func(r heldRun, seq uint64) int { return cmp.Compare(r.run.Head().Seq, seq) })
	if i == len(runs) || runs[i].run.FirstSeq() > seq {
		return heldRun{}, false
	}
	return runs[i], true
}
