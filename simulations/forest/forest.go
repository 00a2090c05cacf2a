package forest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"lightcone/memo"
	"lightcone/merge"
)

// Limits of a forest.
const (
	// MaxAuthors bounds the authors: every cut has a number for each.
	MaxAuthors = 1 << 10
	// MaxEach bounds the memos of an author: such a number has 16 bits.
	MaxEach = 1<<16 - 1
	// chunkCuts is how many cuts are allocated together, maxChunks bounds those chunks.
	chunkCuts, maxChunks = 1 << 10, 1 << 14
	// MaxRoots bounds the different roots.
	MaxRoots = maxChunks * chunkCuts
	// locks is over how many locks cuts, blocks and merges are spread.
	locks = 64
)

// Root is a root's number. It tells nothing but which roots are equal.
type Root uint32

// Empty is the root of no edit: it has the space's genesis alone.
const Empty Root = 0

// Config says what there is to write.
type Config struct {
	Seed    uint64 // of keys
	Authors int
	Each    int // memos of an author, at most
	Rows    int // that they change: the n-th memo of author a changes row (a + n·Authors) mod Rows
	Value   int // bytes that a memo writes
	Roots   int // different ones, at most; 0: MaxRoots
}

// ErrConfig reports a forest that cannot be.
var ErrConfig = errors.New("no such forest")

// ErrFull reports that there came more different roots than there may be.
var ErrFull = errors.New("forest: too many different roots")

// Validate returns ErrConfig unless there can be such a forest.
func (c Config) Validate() error {
	switch {
	case c.Authors < 1 || c.Authors > MaxAuthors:
		return fmt.Errorf("%w: %d authors; give from 1 to %d", ErrConfig, c.Authors, MaxAuthors)
	case c.Each < 1 || c.Each > MaxEach:
		return fmt.Errorf("%w: %d memos an author; give from 1 to %d", ErrConfig, c.Each, MaxEach)
	case c.Rows < 1:
		return fmt.Errorf("%w: %d rows; give 1 or more", ErrConfig, c.Rows)
	case c.Roots < 0 || c.Roots > MaxRoots:
		return fmt.Errorf("%w: %d roots; give from 0 to %d", ErrConfig, c.Roots, MaxRoots)
	}
	return nil
}

// Forest is all roots of a simulation.
type Forest struct {
	cfg     Config
	params  merge.Params
	genesis memo.Mark
	chains  []chain
	order   []int // authors by their keys
	blocks  store

	grow   sync.Mutex
	cuts   [maxChunks]atomic.Pointer[[chunkCuts]cut]
	count  atomic.Uint32
	made   atomic.Uint64 // cuts that have trees
	named  [locks]names
	merges pairs[Merged]
	costs  pairs[Cost]
	fault  atomic.Pointer[error]
}

// cut is what is known of a root.
type cut struct {
	seqs    []uint16 // of each author
	size    uint32   // memos
	authors uint16   // that it has memos of
	from    Root     // one below it
	next    Root     // of the same sum, Empty at the end

	mutex sync.Mutex // held while the trees are made
	ready atomic.Bool
	trees trees
}

// names finds the numbers of cuts.
type names struct {
	sync.Mutex
	bySum map[uint64]Root
	slab  []uint16 // room for seqs
}

// New makes the authors and the empty root.
func New(cfg Config) (*Forest, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Roots = cmp.Or(cfg.Roots, MaxRoots)
	f := &Forest{cfg: cfg}
	if err := f.found(); err != nil {
		return nil, err
	}
	empty, _ := f.allocate() // there may be one at least
	f.at(empty).seqs = make([]uint16, cfg.Authors)
	return f, f.plant()
}

// at returns what is known of a root.
func (f *Forest) at(r Root) *cut { return &f.cuts[r/chunkCuts].Load()[r%chunkCuts] }

// intern returns the number of a cut, a new one if it has none. seqs is copied; from is
// some root below it, which is returned where there is no room for another.
func (f *Forest) intern(seqs []uint16, from Root) Root {
	sum := sumOf(seqs)
	n := &f.named[sum%locks]
	n.Lock()
	defer n.Unlock()
	first := n.bySum[sum] // Empty where there is none, which every list ends with
	for r := first; ; r = f.at(r).next {
		if slices.Equal(f.at(r).seqs, seqs) {
			return r
		}
		if r == Empty {
			break
		}
	}
	r, ok := f.allocate()
	if !ok {
		return from
	}
	if n.bySum == nil {
		n.bySum = map[uint64]Root{}
	}
	c := f.at(r)
	c.seqs, c.from, c.next = n.keep(seqs), from, first
	for _, seq := range seqs {
		c.size += uint32(seq)
		if seq > 0 {
			c.authors++
		}
	}
	n.bySum[sum] = r
	return r
}

// keep copies seqs to memory of their own.
func (n *names) keep(seqs []uint16) []uint16 {
	if len(n.slab) < len(seqs) {
		n.slab = make([]uint16, 64*len(seqs))
	}
	out := n.slab[:len(seqs):len(seqs)]
	n.slab = n.slab[len(seqs):]
	copy(out, seqs)
	return out
}

// allocate returns the number of a new cut. Where there is no room for one the forest is
// at fault from then on.
func (f *Forest) allocate() (r Root, ok bool) {
	n := f.count.Add(1) - 1
	if n >= uint32(f.cfg.Roots) {
		f.count.Add(^uint32(0)) // less one
		err := fmt.Errorf("%w: more than %d; offer fewer memos, or to fewer peers", ErrFull, f.cfg.Roots)
		f.fault.CompareAndSwap(nil, &err)
		return Empty, false
	}
	if chunk := &f.cuts[n/chunkCuts]; chunk.Load() == nil {
		f.grow.Lock()
		if chunk.Load() == nil {
			chunk.Store(new([chunkCuts]cut))
		}
		f.grow.Unlock()
	}
	return Root(n), true
}

// sumOf is a digest of a cut.
func sumOf(seqs []uint16) uint64 {
	sum := uint64(len(seqs))
	for _, seq := range seqs {
		sum = (sum ^ uint64(seq)) * 0x9e3779b97f4a7c15
		sum ^= sum >> 32
	}
	return sum
}

// Size returns how many memos a root covers, Authors of how many authors.
func (f *Forest) Size(r Root) int { return int(f.at(r).size) }

// Authors returns the authors of whom a root has memos.
func (f *Forest) Authors(r Root) int { return int(f.at(r).authors) }

// Seq returns how many memos of an author a root covers.
func (f *Forest) Seq(r Root, a int) int { return int(f.at(r).seqs[a]) }

// Lacks returns how many memos a root has that another, own, has not.
func (f *Forest) Lacks(own, root Root) (n int) {
	if own == root {
		return 0
	}
	mine := f.at(own).seqs
	for a, seq := range f.at(root).seqs {
		n += max(0, int(seq)-int(mine[a]))
	}
	return n
}

// Covers reports whether a root has all memos that another has.
func (f *Forest) Covers(r, other Root) bool {
	if r == other {
		return true
	}
	c, o := f.at(r), f.at(other)
	if o.size > c.size {
		return false
	}
	for a, seq := range o.seqs {
		if seq > c.seqs[a] {
			return false
		}
	}
	return true
}

// Add returns the root that has an author's next memo too.
func (f *Forest) Add(r Root, a int) Root {
	var room [MaxAuthors]uint16
	seqs := room[:copy(room[:], f.at(r).seqs)]
	seqs[a]++
	return f.intern(seqs, r)
}

// Join returns the root of the union of two cuts, without its trees.
func (f *Forest) Join(a, b Root) Root {
	switch {
	case f.Covers(a, b):
		return a
	case f.Covers(b, a):
		return b
	}
	var room [MaxAuthors]uint16
	seqs := room[:copy(room[:], f.at(a).seqs)]
	for i, seq := range f.at(b).seqs {
		seqs[i] = max(seqs[i], seq)
	}
	return f.intern(seqs, a)
}

// Stats is what there is in a forest.
type Stats struct {
	Cuts   int // different ones
	Trees  int // of these, with trees
	Merges int // different ones
	Blocks int // different ones
}

// Stats counts what there is. It depends on what was asked for, not on the order.
func (f *Forest) Stats() (s Stats) {
	s.Cuts, s.Trees, s.Blocks = int(f.count.Load()), int(f.made.Load()), f.blocks.len()
	s.Merges = f.merges.len()
	return s
}

// Err returns why what was made is not to be trusted: ErrFull, or that two ways to one
// cut made different roots.
func (f *Forest) Err() error {
	if e := f.fault.Load(); e != nil {
		return *e
	}
	return nil
}
