package forest

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// trees are those of a root.
type trees struct {
	root   merge.Root
	id     memo.ID
	blocks []uint32 // numbers of all its blocks, ascending
}

// plant makes the trees of Empty.
func (f *Forest) plant() error {
	var founded memo.Vector
	founded.Set(f.genesis)
	root := merge.Root{Params: f.params}
	var err error
	if root.Vector, err = merge.BuildVector(f.params, founded, &f.blocks); err != nil {
		return err
	}
	if root.State, err = merge.BuildState(f.params, func(func(merge.KeyedRow, error) bool) {}, &f.blocks); err != nil {
		return err
	}
	f.grown(f.at(Empty), root)
	return nil
}

// treesOf returns the trees of a root, which are made if there are none.
func (f *Forest) treesOf(r Root) *trees {
	c := f.at(r)
	if c.ready.Load() {
		return &c.trees
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.ready.Load() {
		base := f.at(c.from)
		for !base.ready.Load() {
			base = f.at(base.from)
		}
		root, err := f.extend(base, c)
		must(err)
		f.grown(c, root)
	}
	return &c.trees
}

// grown keeps the trees of a cut, whose lock is held or which nobody else knows.
func (f *Forest) grown(c *cut, root merge.Root) {
	data, err := root.Encode()
	must(err)
	c.trees = trees{root: root, id: memo.Sum(data)}
	seen := map[memo.ID]bool{}
	must(merge.Reach(&f.blocks, root, func(id memo.ID) bool {
		if seen[id] {
			return false
		}
		seen[id] = true
		b, err := f.blocks.find(id)
		must(err)
		c.trees.blocks = append(c.trees.blocks, b.number)
		return true
	}))
	slices.Sort(c.trees.blocks)
	f.made.Add(1)
	c.ready.Store(true)
}

// extend makes the root of a cut out of one below it.
func (f *Forest) extend(base, c *cut) (root merge.Root, err error) {
	root.Params = f.params
	if root.Vector, err = merge.ApplyVector(f.params, &f.blocks, base.trees.root.Vector, f.marks(base, c), &f.blocks); err != nil {
		return root, err
	}
	root.State, err = merge.ApplyState(f.params, &f.blocks, base.trees.root.State, f.rows(base, c), &f.blocks)
	return root, err
}

// marks yields the heads of a cut that one below it has not.
func (f *Forest) marks(base, c *cut) iter.Seq[memo.Mark] {
	return func(yield func(memo.Mark) bool) {
		for _, a := range f.order {
			if seq := c.seqs[a]; seq > base.seqs[a] {
				m := f.Run(a, int(seq)).Memos[0]
				if !yield(memo.Mark{Head: m.Head(), Time: m.Time}) {
					return
				}
			}
		}
	}
}

// rows yields what the memos of a cut do to rows that one below it has not.
func (f *Forest) rows(base, c *cut) iter.Seq2[merge.KeyedRow, error] {
	rows := map[string]merge.Row{}
	for a, seq := range c.seqs {
		for i := base.seqs[a]; i < seq; i++ {
			w := &f.chains[a].memos[i]
			rows[w.key] = merge.Join(rows[w.key], w.delta)
		}
	}
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			state, err := rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}
}

// ID returns the digest of a root.
func (f *Forest) ID(r Root) memo.ID { return f.treesOf(r).id }

// Sum returns 64 bits of it.
func (f *Forest) Sum(r Root) uint64 {
	id := f.treesOf(r).id
	return binary.BigEndian.Uint64(id[:])
}

// Real returns a root as package merge has it, and where its blocks are.
func (f *Forest) Real(r Root) (merge.Root, merge.BlockGetter) { return f.treesOf(r).root, &f.blocks }
