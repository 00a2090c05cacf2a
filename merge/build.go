package merge

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"lightcone/memo"
)

// ErrUnsorted reports entries that do not come strictly ascending by key.
var ErrUnsorted = errors.New("entries are not strictly ascending by key")

// Entry is one key of a search tree and its value, exactly one canonical CBOR
// item of at most InlineMax bytes.
type Entry struct {
	Key   string // at most MaxKey bytes
	Value []byte
}

// BlockPutter keeps blocks: tree nodes and row states. data belongs to it from
// then on. The same block may be put many times.
type BlockPutter interface {
	PutBlock(id memo.ID, data []byte) error
}

// Build makes the one search tree of the entries, puts its nodes, children
// before parents, and returns the id of the root. The entries come strictly
// ascending by key, else ErrUnsorted; Build keeps their values until their node
// is made. With a nil put only the id is computed. Without entries the tree is
// an empty leaf.
//
// Memory: per level, the items since the last natural cut, which are some
// dozens unless keys were ground to have none.
func Build(p Params, entries iter.Seq2[Entry, error], put BlockPutter) (memo.ID, error) {
	if err := p.Validate(); err != nil {
		return memo.ID{}, err
	}
	leaves := newBuilder(p, put).level(0)
	prev, first := "", true
	for e, err := range entries {
		if err == nil {
			err = e.check(false)
		}
		if err == nil && !first && e.Key <= prev {
			err = fmt.Errorf("%w: %q after %q; sort them and drop duplicates", ErrUnsorted, e.Key, prev)
		}
		if err == nil {
			err = leaves.push(Item{Key: e.Key, Value: e.Value})
		}
		if err != nil {
			return memo.ID{}, fmt.Errorf("build tree: %w", err)
		}
		prev, first = e.Key, false
	}
	root, err := leaves.finish()
	if err != nil {
		return memo.ID{}, fmt.Errorf("build tree: %w", err)
	}
	return root, nil
}

// check tells whether e can be in a tree or, if gone, leave one.
func (e Entry) check(gone bool) error {
	if len(e.Key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, the limit is %d", memo.ErrTooLarge, len(e.Key), MaxKey)
	}
	if len(e.Value) > InlineMax {
		return fmt.Errorf("key %q: %w: a value of %d bytes, the limit is %d; put it as a block and keep its digest",
			e.Key, memo.ErrTooLarge, len(e.Value), InlineMax)
	}
	if gone {
		return nil
	}
	r := &reader{b: e.Value}
	r.item()
	if err := r.end(); err != nil {
		return fmt.Errorf("key %q: value: %w", e.Key, err)
	}
	return nil
}

// builder makes nodes and puts them.
type builder struct {
	Params
	put   BlockPutter
	prios *priorities
	buf   []byte // of the node made last
}

func newBuilder(p Params, put BlockPutter) *builder {
	return &builder{Params: p, put: put, prios: newPriorities(p)}
}

// node makes a node of items, puts it unless it is the page had, and returns the
// item that describes it.
func (b *builder) node(n int, items []Item, dom int, had *page) (Item, error) {
	node := Node{Level: n, Items: items}
	b.buf = EncodeNode(b.buf[:0], node)
	it := Item{Child: memo.Sum(b.buf), Count: node.Count(), Dom: dom}
	if len(items) > 0 {
		it.Key = items[0].Key
	}
	if b.put == nil || had != nil && it.Child == had.id {
		return it, nil
	}
	if err := b.put.PutBlock(it.Child, bytes.Clone(b.buf)); err != nil {
		return Item{}, fmt.Errorf("put node %s: %w", it.Child, err)
	}
	return it, nil
}

// level cuts its items into nodes, whose descriptions are the items of the
// level above.
type level struct {
	*builder
	cutter cutter
	n      int   // 0 for leaves
	cuts   peaks // natural cuts in domain 0, over all the level
	base   int   // place in the level of run[0]
	run    []Item
	first  *Item  // the only node so far
	up     *level // exists once there are two
}

func (b *builder) level(n int) *level {
	l := &level{builder: b, n: n, cuts: peaks{w: b.W}}
	l.cutter = cutter{Params: b.Params, n: n, prios: b.prios, emit: l.emit}
	return l
}

// push adds the next item. A piece that ends at a natural cut of domain 0 is
// done with as soon as the cut's window is complete.
func (l *level) push(it Item) error {
	l.run = append(l.run, it)
	cut, ok := l.cuts.push(l.prios.of(l.n, 0, it.Key))
	if !ok {
		return nil
	}
	size := cut - l.base
	if err := l.cutter.split(l.run[:size], 1); err != nil {
		return err
	}
	l.run = append(l.run[:0], l.run[size:]...)
	l.base = cut
	return nil
}

// finish makes nodes of what is left and returns the id of the root.
func (l *level) finish() (memo.ID, error) {
	if err := l.cutter.split(l.run, 1); err != nil {
		return memo.ID{}, err
	}
	if l.up == nil {
		return l.first.Child, nil
	}
	return l.up.finish()
}

// emit makes a node of items and tells the level above.
func (l *level) emit(items []Item, dom int) error {
	it, err := l.node(l.n, items, dom, nil)
	if err != nil {
		return err
	}
	if l.first == nil {
		l.first = &it
		return nil
	}
	if l.up == nil {
		l.up = l.level(l.n + 1)
		if err := l.up.push(*l.first); err != nil {
			return err
		}
	}
	return l.up.push(it)
}
