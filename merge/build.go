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
	b := &builder{Params: p, put: put, prios: newPriorities(p)}
	leaves := &level{builder: b, cuts: peaks{w: p.W}}
	prev, first := "", true
	for e, err := range entries {
		if err == nil {
			err = e.check()
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

// check tells whether e can be in a tree.
func (e Entry) check() error {
	if len(e.Key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, the limit is %d", memo.ErrTooLarge, len(e.Key), MaxKey)
	}
	if len(e.Value) > InlineMax {
		return fmt.Errorf("key %q: %w: a value of %d bytes, the limit is %d; put it as a block and keep its digest",
			e.Key, memo.ErrTooLarge, len(e.Value), InlineMax)
	}
	r := &reader{b: e.Value}
	r.item()
	if err := r.end(); err != nil {
		return fmt.Errorf("key %q: value: %w", e.Key, err)
	}
	return nil
}

// builder is what the levels of a tree under construction share.
type builder struct {
	Params
	put   BlockPutter
	prios *priorities
	buf   []byte // node bytes, when nobody keeps them
}

// level cuts its items into nodes, whose descriptions are the items of the
// level above.
type level struct {
	*builder
	n     int   // 0 for leaves
	cuts  peaks // natural cuts in domain 0, over all the level
	base  int   // place in the level of run[0]
	run   []Item
	first *Item  // the only node so far
	up    *level // exists once there are two
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
	if err := l.split(l.run[:size], 1); err != nil {
		return err
	}
	l.run = append(l.run[:0], l.run[size:]...)
	l.base = cut
	return nil
}

// finish makes nodes of what is left and returns the id of the root.
func (l *level) finish() (memo.ID, error) {
	if err := l.split(l.run, 1); err != nil {
		return memo.ID{}, err
	}
	if l.up == nil {
		return l.first.Child, nil
	}
	return l.up.finish()
}

// split cuts run, a piece of domain dom-1, into nodes.
func (l *level) split(run []Item, dom int) error {
	if len(run) <= l.M {
		return l.emit(run, dom)
	}
	if dom > l.D {
		prios := make([]priority, len(run))
		for i := range run {
			prios[i] = l.prios.of(l.n, dom, run[i].Key)
		}
		return l.halve(run, prios, dom)
	}
	found, from := peaks{w: l.W}, 0
	for i := range run {
		if cut, ok := found.push(l.prios.of(l.n, dom, run[i].Key)); ok {
			if err := l.split(run[from:cut], dom+1); err != nil {
				return err
			}
			from = cut
		}
	}
	return l.split(run[from:], dom+1)
}

// halve cuts run, which has no natural cuts left, where the middle half of it
// has the greatest priority, until the parts are short enough.
func (l *level) halve(run []Item, prios []priority, dom int) error {
	if len(run) <= l.M {
		return l.emit(run, dom)
	}
	quarter := len(run) / 4
	cut := quarter
	for i := quarter + 1; i < len(run)-quarter; i++ {
		if bytes.Compare(prios[i][:], prios[cut][:]) > 0 {
			cut = i
		}
	}
	if err := l.halve(run[:cut], prios[:cut], dom); err != nil {
		return err
	}
	return l.halve(run[cut:], prios[cut:], dom)
}

// emit makes a node of items and tells the level above.
func (l *level) emit(items []Item, dom int) error {
	node := Node{Level: l.n, Items: items}
	if l.put == nil {
		l.buf = l.buf[:0]
	} else {
		l.buf = nil
	}
	l.buf = EncodeNode(l.buf, node)
	it := Item{Child: memo.Sum(l.buf), Count: node.Count(), Dom: dom}
	if len(items) > 0 {
		it.Key = items[0].Key
	}
	if l.put != nil {
		if err := l.put.PutBlock(it.Child, l.buf); err != nil {
			return fmt.Errorf("put node %s: %w", it.Child, err)
		}
	}
	if l.first == nil {
		l.first = &it
		return nil
	}
	if l.up == nil {
		l.up = &level{builder: l.builder, n: l.n + 1, cuts: peaks{w: l.W}}
		if err := l.up.push(*l.first); err != nil {
			return err
		}
	}
	return l.up.push(it)
}
