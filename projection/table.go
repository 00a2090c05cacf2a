package projection

import (
	"github.com/tidwall/btree"

	"lightcone/memo"
	"lightcone/merge"
)

// item is one row in a memtable. Its key is the space's 32 bytes and the row's
// key. The row behind the pointer is never changed.
type item struct {
	key string
	row *merge.Row
}

// tree is an ordered map of rows. Trees in a view are only ever read, and may be
// by any number of goroutines: the library writes to a tree in Set and Copy only.
type tree = btree.BTreeG[item]

func newTree() *tree {
	return btree.NewBTreeGOptions(func(a, b item) bool { return a.key < b.key }, btree.Options{NoLocks: true})
}

// table is a memtable under construction: a tree and an estimate of the memory
// it holds. Only DB.Apply writes to it; a view holds a copy.
type table struct {
	rows  *tree
	bytes int64
}

func newTable() *table { return &table{rows: newTree()} }

// The memory, in bytes, of a row, a cell and the parts of its state beside the
// text they hold: headers, stamps, and their share of the tree's nodes.
const (
	rowWeight    = 192
	cellWeight   = 160
	tallyWeight  = 192 // what one author counted
	atomWeight   = 128 // one value of a multi, one element of a set
	writerWeight = 80
	seenWeight   = 80 // what was seen of one author, in one span
)

func (it item) weight() int64 {
	n := rowWeight + len(it.key)
	for i := range it.row.Cells {
		c := &it.row.Cells[i]
		n += cellWeight + len(c.Field) + c.Register.Value.Size()
		if c.Counter != nil {
			n += tallyWeight * len(c.Counter.Tallies)
		}
		if c.Atoms != nil {
			n += writerWeight*len(c.Atoms.Writers) + seenWeight*len(c.Atoms.Seen)
			for i := range c.Atoms.Live {
				n += atomWeight + c.Atoms.Live[i].Value.Size()
			}
		}
	}
	return int64(n)
}

func (t *table) set(it item) {
	t.bytes += it.weight()
	if old, replaced := t.rows.Set(it); replaced {
		t.bytes -= old.weight()
	}
}

// tableKey is the key of a row in a memtable.
func tableKey(space memo.SpaceID, rowKey string) string { return string(space[:]) + rowKey }

// splitTableKey is the inverse of tableKey.
func splitTableKey(key string) (space, rowKey string) {
	const n = len(memo.SpaceID{})
	return key[:n], key[n:]
}
