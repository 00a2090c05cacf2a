package forest

import (
	"fmt"
	"sync"

	"lightcone/merge"
)

// Cost is what it takes a peer to merge a root into its own.
type Cost struct {
	Blocks int // that it lacks: the root's own, and nodes and rows of its trees
	Rows   int // that the own one does not include
}

// Merged is what became of a merge.
type Merged struct {
	Root Root
	Read int // blocks, by merge.MergeRoot
	Put  int
}

// pairs remembers what was found of pairs of roots.
type pairs[V any] [locks]struct {
	sync.Mutex
	of map[[2]Root]V
}

// get returns what is known of a pair, and finds it first if nothing is. Several may find
// the same at once, for that takes long and depends on the pair alone.
func (p *pairs[V]) get(own, other Root, find func() V) V {
	s, pair := &p[(own*31+other)%locks], [2]Root{own, other}
	s.Lock()
	v, known := s.of[pair]
	s.Unlock()
	if known {
		return v
	}
	v = find()
	s.Lock()
	defer s.Unlock()
	if s.of == nil {
		s.of = map[[2]Root]V{}
	}
	s.of[pair] = v
	return v
}

// len returns of how many pairs something is known.
func (p *pairs[V]) len() (n int) {
	for i := range p {
		p[i].Lock()
		n += len(p[i].of)
		p[i].Unlock()
	}
	return n
}

// Cost returns what it takes whose root is own, and who has all blocks of that, to merge
// another.
func (f *Forest) Cost(own, other Root) Cost {
	if own == other {
		return Cost{}
	}
	return f.costs.get(own, other, func() Cost { return f.cost(own, other) })
}

func (f *Forest) cost(own, other Root) (c Cost) {
	a, b := f.treesOf(own), f.treesOf(other)
	c.Blocks = 1 + lacking(a.blocks, b.blocks)
	for d, err := range merge.Diff(f.params, &f.blocks, a.root.State, b.root.State) {
		must(err)
		if d.New == nil {
			continue
		}
		mine, _, err := merge.StateRow(f.params, &f.blocks, a.root.State, d.Key)
		must(err)
		said, _, err := merge.StateRow(f.params, &f.blocks, b.root.State, d.Key)
		must(err)
		if !mine.Includes(said) {
			c.Rows++
		}
	}
	return c
}

// lacking counts the numbers of b that a has not; both ascend.
func lacking(a, b []uint32) (n int) {
	for _, x := range b {
		for len(a) > 0 && a[0] < x {
			a = a[1:]
		}
		if len(a) == 0 || a[0] != x {
			n++
		}
	}
	return n
}

// Merge returns what merge.MergeRoot makes of two roots.
func (f *Forest) Merge(own, other Root) Merged {
	if own == other {
		return Merged{Root: own}
	}
	return f.merges.get(own, other, func() Merged { return f.merge(own, other) })
}

func (f *Forest) merge(own, other Root) Merged {
	a, b, blocks := f.treesOf(own), f.treesOf(other), counted{store: &f.blocks}
	root, err := merge.MergeRoot(&blocks, a.root, b.root, &blocks)
	must(err)
	out := Merged{Root: f.Join(own, other), Read: blocks.read, Put: blocks.put}
	f.compare(f.at(out.Root), root)
	return out
}

// compare gives a cut the trees that a merge made of it, or finds that they are those
// that it has.
func (f *Forest) compare(c *cut, root merge.Root) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.ready.Load() {
		f.grown(c, root)
		return
	}
	if c.trees.root != root {
		err := fmt.Errorf("a merge made vector %s and state %s of a cut that has vector %s and state %s",
			root.Vector, root.State, c.trees.root.Vector, c.trees.root.State)
		f.fault.CompareAndSwap(nil, &err)
	}
}
