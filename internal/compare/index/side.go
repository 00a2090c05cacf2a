package main

import (
	"errors"

	"lightcone/memo"
)

// errUnequal reports a side that did not do the work it was given.
var errUnequal = errors.New("the tree does not hold what it was given")

// entry is a key and the digest of its row's block.
type entry struct {
	key   string
	row   memo.ID
	fresh bool // the key is not in the tree yet
}

// side is an index tree in the comparison.
type side struct {
	name string
	open func(*blocks) tree
}

// sides in the order of the table's columns: ratios are the first to the second.
var sides = []side{
	{"lightcone", func(b *blocks) tree { return newMergeTree(b) }},
	{"indigo", func(b *blocks) tree { return newIndigoTree(b) }},
	{"indigo-resident", func(b *blocks) tree { return &residentTree{b: b} }},
}

// tree makes trees in a block store and names them by their roots.
type tree interface {
	// build makes the tree of entries that ascend by key.
	build(in []entry) (memo.ID, error)
	// apply sets the keys of a batch, which ascend.
	apply(root memo.ID, batch []entry) (memo.ID, error)
	// scan visits all entries in order.
	scan(root memo.ID, visit func(entry) error) error
}

// stored is a tree that reads of the store just the nodes it needs, so that it
// works on any root, and several at once.
type stored interface {
	tree
	get(root memo.ID, key string) (row memo.ID, found bool, err error)
	// diff returns the entries of b that a has not.
	diff(a, b memo.ID) ([]entry, error)
	// merge joins a and b, of which both came from base.
	merge(base, a, b memo.ID) (memo.ID, error)
	// prove returns the nodes from root to key; verify trusts root alone.
	prove(root memo.ID, key string) ([][]byte, error)
	verify(root memo.ID, key string, proof [][]byte) (row memo.ID, err error)
	// shape walks all nodes below root.
	shape(root memo.ID) (shape, error)
}

// joiner is a tree that joins rows, where others replace them.
type joiner interface {
	// join joins row states, which ascend by key, into the tree.
	join(root memo.ID, keys []string, states [][]byte) (memo.ID, error)
}

// shape is what a tree looks like.
type shape struct {
	height, nodes, bytes int // height in levels of nodes
	most, largest        int // items and bytes of the largest nodes
}

// add notes a node at a depth, 1 for the root.
func (s *shape) add(depth, items, bytes int) {
	s.height, s.nodes, s.bytes = max(s.height, depth), s.nodes+1, s.bytes+bytes
	s.most, s.largest = max(s.most, items), max(s.largest, bytes)
}
