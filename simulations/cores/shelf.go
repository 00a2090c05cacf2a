package cores

import (
	"errors"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// errNoRun reports a run that a shelf does not hold.
var errNoRun = errors.New("the run is not held here")

// Shelf is what one peer holds: gossip.Holdings by the rules of package store, for one
// space in which nobody forks.
type Shelf struct {
	pool   *pool
	vec    memo.Vector // never changed in place: the core keeps what Vector returns
	runs   map[memo.Author][]shelved
	order  uint64
	orphan []*run
	blocks map[memo.ID]bool // that are here, of those in the pool
	root   *rooted          // newest; nil: none
	adopts bool

	// Memos and Bytes are of the runs here.
	Memos, Bytes int
}

// shelved is a run in its place of the attach order.
type shelved struct {
	*run
	order uint64
}

// rooted is an own root.
type rooted struct {
	id   memo.ID
	root merge.Root
	vec  memo.Vector
}

func newShelf(p *pool) *Shelf {
	return &Shelf{pool: p, runs: map[memo.Author][]shelved{}, blocks: map[memo.ID]bool{}}
}

// Vector implements gossip.Holdings, as all below.
func (s *Shelf) Vector(memo.SpaceID) memo.Vector { return s.vec }

// VecRoot is the digest of the vector's tree.
func (s *Shelf) VecRoot(memo.SpaceID) (memo.ID, error) { return s.pool.tree(s.vec) }

// Had is Vector: nothing is held back.
func (s *Shelf) Had(id memo.SpaceID) memo.Vector { return s.Vector(id) }

// HadRoot is VecRoot.
func (s *Shelf) HadRoot(id memo.SpaceID) (memo.ID, error) { return s.VecRoot(id) }

// HadTree makes the vector's tree.
func (s *Shelf) HadTree(memo.SpaceID) (merge.BlockGetter, error) {
	_, err := merge.BuildVector(s.pool.params, s.vec, s.pool)
	return s.pool, err
}

// find returns the run that ends at or behind an author's memo.
func (s *Shelf) find(a memo.Author, seq uint64) (shelved, bool) {
	runs := s.runs[a]
	i, _ := slices.BinarySearchFunc(runs, seq, func(r shelved, seq uint64) int {
		if r.Head().Seq < seq {
			return -1
		}
		return 1
	})
	if i == len(runs) || runs[i].FirstSeq() > seq {
		return shelved{}, false
	}
	return runs[i], true
}

// NextRun finds the run of the author's first memo behind seq.
func (s *Shelf) NextRun(_ memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	r, ok := s.find(a, after+1)
	if !ok {
		return 0, 0, false, nil
	}
	return r.order, r.Head().Seq, true, nil
}

// Run returns a run's bytes.
func (s *Shelf) Run(_ memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	if r, ok := s.find(a, last); ok && r.Head().Seq == last {
		return r.raw, nil
	}
	return nil, errNoRun
}

// ID returns the digest of a memo.
func (s *Shelf) ID(_ memo.SpaceID, a memo.Author, seq uint64) (memo.ID, bool, error) {
	r, ok := s.find(a, seq)
	if !ok {
		return memo.ID{}, false, nil
	}
	return r.Memos[seq-r.FirstSeq()].ID(), true, nil
}

// Forked is empty: nobody forks here.
func (s *Shelf) Forked(memo.SpaceID) []memo.Author { return nil }

// BranchRuns is not asked for.
func (s *Shelf) BranchRuns(memo.SpaceID, memo.Author) ([]gossip.BranchRun, error) { return nil, nil }

// RunByID is not asked for.
func (s *Shelf) RunByID(memo.SpaceID, memo.ID) ([]byte, error) { return nil, errNoRun }

// Holds reports whether a memo is here.
func (s *Shelf) Holds(id memo.SpaceID, h memo.Head) (bool, error) {
	at, ok, err := s.ID(id, h.Author, h.Seq)
	return ok && at == h.ID, err
}

// Params are those of the space, once its genesis is here.
func (s *Shelf) Params(memo.SpaceID) (merge.Params, bool) { return s.pool.params, s.vec.Len() > 0 }

// Root is the newest own root.
func (s *Shelf) Root(memo.SpaceID) (memo.ID, merge.Root, bool) {
	if s.root == nil {
		return memo.ID{}, merge.Root{}, false
	}
	return s.root.id, s.root.root, true
}

// Adopts is the space's rule.
func (s *Shelf) Adopts(memo.SpaceID) bool { return s.adopts }

// Block returns a block that is here.
func (s *Shelf) Block(_ memo.SpaceID, id memo.ID) ([]byte, error) {
	if !s.blocks[id] {
		return nil, merge.ErrNoBlock
	}
	return s.pool.Block(id)
}

// Seal returns the seal of a run's head.
func (s *Shelf) Seal(_ memo.SpaceID, a memo.Author, seq uint64) (memo.Seal, bool, error) {
	r, ok := s.find(a, seq)
	if !ok || r.Head().Seq != seq {
		return memo.Seal{}, false, nil
	}
	return r.Run.Seal, true, nil
}

// Judgements of a run.
const (
	attachable = iota
	covered
	waiting
)

func (s *Shelf) judge(r *run) int {
	own, _ := s.vec.Get(r.Author())
	switch {
	case r.Head().Seq <= own.Seq:
		return covered
	case r.FirstSeq() != own.Seq+1 || r.Memos[0].Prev != own.ID:
		return waiting
	}
	for _, m := range r.Memos {
		for _, d := range m.Deps {
			if !s.vec.Covers(d.Author, d.Seq) {
				return waiting
			}
		}
	}
	return attachable
}

// attach takes a run if its causes are here, and those that waited for it. It returns
// how many memos are new, and whether the run waits.
func (s *Shelf) attach(r *run) (fresh int, waits bool) {
	switch s.judge(r) {
	case covered:
		return 0, false
	case waiting:
		s.orphan = append(s.orphan, r)
		return 0, true
	}
	s.put(r)
	fresh = len(r.Memos)
	for again := len(s.orphan) > 0; again; {
		again = false
		s.orphan = slices.DeleteFunc(s.orphan, func(o *run) bool {
			v := s.judge(o)
			if v == attachable {
				s.put(o)
				fresh, again = fresh+len(o.Memos), true
			}
			return v != waiting
		})
	}
	return fresh, false
}

func (s *Shelf) put(r *run) {
	s.order++
	s.Memos, s.Bytes = s.Memos+len(r.Memos), s.Bytes+len(r.raw)
	s.runs[r.Author()] = append(s.runs[r.Author()], shelved{r, s.order})
	v := s.vec.Clone()
	v.Set(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
	s.vec = v
}
