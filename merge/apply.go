package merge

import (
	"bytes"
	"fmt"

	"lightcone/memo"
)

// Change is what a batch does to one key: it sets the value or, where Value is
// nil, removes the key.
type Change struct {
	Key   string // at most MaxKey bytes
	Value []byte // one canonical CBOR item of at most InlineMax bytes; nil removes
}

// Apply makes the tree that Build makes of the entries under root with the
// batch applied, puts the nodes that are new, children before parents, and
// returns the id of its root. The changes are strictly ascending by key, else
// ErrUnsorted; one that changes nothing is allowed. With a nil put only the id
// is computed. The new tree shares nodes with the old one, which stays.
//
// Cost: with keys that were not ground, a change of one key reads and makes one
// node a level and now and then a neighbour; a batch makes no node twice and
// reads hardly one twice. Memory: the nodes of the inner levels that were read, and the batch.
func Apply(p Params, g BlockGetter, root memo.ID, batch []Change, put BlockPutter) (memo.ID, error) {
	edits := make([]edit, len(batch))
	for i, c := range batch {
		err := Entry(c).check(c.Value == nil)
		if err == nil && i > 0 && c.Key <= batch[i-1].Key {
			err = fmt.Errorf("%w: %q after %q; sort them and drop duplicates", ErrUnsorted, c.Key, batch[i-1].Key)
		}
		if err != nil {
			return memo.ID{}, fmt.Errorf("apply to tree: %w", err)
		}
		edits[i] = edit{Item: Item{Key: c.Key, Value: c.Value}, gone: c.Value == nil}
	}
	var id memo.ID
	old, err := openPages(p, g, root)
	if err == nil {
		id, err = apply(old, edits, put)
	}
	if err != nil {
		return memo.ID{}, fmt.Errorf("apply to tree %s: %w", root, err)
	}
	return id, nil
}

// edit changes one item of a level.
type edit struct {
	Item
	gone bool

	effect effect // on the page it belongs to
	at     int    // place of its key there
}

type effect uint8

const (
	none effect = iota
	replaces
	removes
	adds
)

// meet finds out what the edit does to page q.
func (e *edit) meet(q *page) {
	i, found := q.Node.find(e.Key)
	e.at = i
	switch {
	case !found && e.gone:
		e.effect = none
	case !found:
		e.effect, e.at = adds, i+1
	case e.gone:
		e.effect = removes
	case q.Items[i].same(&e.Item):
		e.effect = none
	default:
		e.effect = replaces
	}
}

// same tells whether two items of one key and level say the same.
func (it *Item) same(o *Item) bool {
	return it.Child == o.Child && it.Count == o.Count && it.Dom == o.Dom && bytes.Equal(it.Value, o.Value)
}

// applier changes one level of a tree.
type applier struct {
	*pages
	*builder
	cutter  cutter
	edits   []edit    // not yet met
	pending []*region // done but for a right end that a later edit may move
	up      []edit    // what that does to the level above
	whole   []Item    // the nodes of the level, where one region is all of it
	spare   *region   // its memory serves the next one
}

// apply is Apply to a tree of which some pages may have been read.
func apply(old *pages, edits []edit, put BlockPutter) (memo.ID, error) {
	p := old.Params
	b := newBuilder(p, put)
	for n := 0; len(edits) > 0; n++ {
		a := &applier{pages: old, builder: b, edits: edits, cutter: cutter{Params: p, n: n, prios: b.prios}}
		if err := a.run(); err != nil {
			return memo.ID{}, err
		}
		switch {
		case len(a.whole) == 1:
			return a.whole[0].Child, nil
		case a.whole != nil && n == old.root.Level:
			return b.above(n, a.whole)
		}
		edits = a.up
	}
	return old.root.id, nil
}

// above builds what is above the nodes of level n, two or more.
func (b *builder) above(n int, nodes []Item) (memo.ID, error) {
	l := b.level(n + 1)
	for _, it := range nodes {
		if err := l.push(it); err != nil {
			return memo.ID{}, err
		}
	}
	return l.finish()
}

// run meets all edits of the level.
func (a *applier) run() error {
	for len(a.edits) > 0 {
		q, err := a.find(a.cutter.n, a.edits[0].Key)
		if err != nil {
			return err
		}
		r := a.spare
		if r == nil {
			r = &region{}
		}
		a.spare = nil
		if !a.take(r, q) {
			a.spare = r.reset()
			continue
		}
		if err := a.settle(r); err != nil {
			return err
		}
		if r.anchored(a.cutter.Params) {
			if err := a.flush(); err != nil {
				return err
			}
		}
		a.pending = append(a.pending, r)
	}
	return a.flush()
}

// take appends page q to the region, with its edits, and tells whether those
// have an effect.
func (a *applier) take(r *region, q *page) (changed bool) {
	n := 0
	for n < len(a.edits) && (q.place.Limit == "" || a.edits[n].Key < q.place.Limit) {
		e := &a.edits[n]
		e.meet(q)
		changed = changed || e.effect != none
		r.keyed = r.keyed || e.effect == adds || e.effect == removes
		n++
	}
	r.parts = append(r.parts, part{q, a.edits[:n]})
	r.right = nil
	a.edits = a.edits[n:]
	return changed
}

// settle lets the region grow until both its ends are sure to stay.
func (a *applier) settle(r *region) error {
	for r.keyed {
		grow, err := a.ends(r)
		if err == nil && grow == neither {
			r.assemble(a.cutter.prios)
			grow, err = r.recut(&a.cutter)
		}
		if err == nil && grow != neither {
			err = a.grow(r, grow)
		}
		if err != nil || grow == neither {
			return err
		}
	}
	return nil
}

// ends looks at the ends of the region and returns the one that no domain's
// priorities explain: there the run was halved, which depends on all of it.
func (a *applier) ends(r *region) (side, error) {
	var err error
	if r.left == nil {
		r.left, err = a.end(r.first(), left)
	}
	if err == nil && r.right == nil {
		r.right, err = a.end(r.last(), right)
	}
	switch {
	case err != nil:
		return neither, err
	case r.left.dom > a.cutter.D:
		return left, nil
	case r.right.dom > a.cutter.D:
		return right, nil
	}
	return neither, nil
}

// grow takes one more page into the region. To the left that may be one of a
// region that seemed to be done.
func (a *applier) grow(r *region, to side) error {
	if to == right {
		q, err := a.beside(r.last(), +1)
		if err == nil {
			a.take(r, q)
		}
		return err
	}
	q, err := a.beside(r.first(), -1)
	if err != nil {
		return err
	}
	grown, before := []part{{page: q}}, (*end)(nil)
	if n := len(a.pending) - 1; n >= 0 && a.pending[n].last() == q {
		grown, before = a.pending[n].parts, a.pending[n].left
		a.pending = a.pending[:n]
	}
	r.parts, r.left = append(grown, r.parts...), before
	return nil
}

// end looks at the boundary of the old level on one side of page q.
func (a *applier) end(q *page, to side) (*end, error) {
	e := &end{key: q.place.Limit}
	if to == left {
		e.key = q.place.First
	}
	if q.outermost(to) {
		e.dom = edge
		return e, nil
	}
	if a.cutter.uncut(q.place.Dom) || a.cutter.uncut(q.siblingDom(to)) {
		return e, nil
	}
	beyond, err := a.beside(q, int(to))
	if err != nil {
		return nil, err
	}
	if !a.cutter.uncut(beyond.place.Dom) {
		e.beyond = beyond
		if to == left {
			e.dom = a.cutter.domain(beyond, q)
		} else {
			e.dom = a.cutter.domain(q, beyond)
		}
	}
	return e, nil
}

// flush makes the nodes of the pending regions.
func (a *applier) flush() error {
	for _, r := range a.pending {
		if !r.keyed {
			r.assemble(nil)
			r.pieces = r.pieces[:0]
			for from, i := 0, 0; i < len(r.parts); i++ {
				n := len(r.parts[i].Items)
				r.pieces = append(r.pieces, piece{r.items[from : from+n], r.parts[i].place.Dom})
				from += n
			}
		}
		if err := a.make(r); err != nil {
			return err
		}
		a.spare = r.reset()
	}
	a.pending = a.pending[:0]
	return nil
}

// make makes the nodes of a region and tells the level above what differs from
// the old ones.
func (a *applier) make(r *region) error {
	nodes := make([]Item, 0, len(r.pieces))
	parts := r.parts
	gone := func() {
		a.up = append(a.up, edit{Item: Item{Key: parts[0].place.First}, gone: true})
		parts = parts[1:]
	}
	for _, piece := range r.pieces {
		for len(parts) > 0 && len(piece.items) > 0 && parts[0].place.First < piece.items[0].Key {
			gone()
		}
		var had *page
		if len(parts) > 0 && len(piece.items) > 0 && parts[0].place.First == piece.items[0].Key {
			had, parts = parts[0].page, parts[1:]
		}
		old := had
		if r.first().parent == nil { // its key is nobody's; below a taller tree it may stay as it is
			old = r.first()
		}
		it, err := a.node(a.cutter.n, piece.items, piece.dom, old)
		if err != nil {
			return err
		}
		if had != nil {
			it.Key = had.place.First // which the parent holds anyway
		}
		nodes = append(nodes, it)
		if had == nil || had.id != it.Child || had.place.Dom != it.Dom {
			a.up = append(a.up, edit{Item: it})
		}
	}
	for len(parts) > 0 {
		gone()
	}
	if r.whole() {
		a.whole = nodes
	}
	for _, part := range r.parts {
		part.drop()
	}
	return nil
}

// outermost tells whether nothing is on that side of q in its level.
func (q *page) outermost(to side) bool {
	for ; q.parent != nil; q = q.parent {
		if to == left && q.index > 0 || to == right && q.index+1 < len(q.parent.Items) {
			return false
		}
	}
	return true
}

// siblingDom returns the domain of the page beside q, 0 if they have not one
// parent.
func (q *page) siblingDom(to side) int {
	if i := q.index + int(to); q.parent != nil && i >= 0 && i < len(q.parent.Items) {
		return q.parent.Items[i].Dom
	}
	return 0
}

// domain returns the domain that cut between the neighbours before and after:
// the first in which the item there is the greatest of its window. It is D+1 if
// there is none, or if after is too short to hold the window.
func (c *cutter) domain(before, after *page) int {
	around := make([]string, 0, 2*c.W)
	for _, it := range before.Items[len(before.Items)-c.W:] {
		around = append(around, it.Key)
	}
	for _, it := range after.Items[1:min(c.W+1, len(after.Items))] {
		around = append(around, it.Key)
	}
	if len(around) < 2*c.W {
		return c.D + 1
	}
	prios := make([]priority, len(around))
	for dom := range c.D + 1 {
		for i, key := range around {
			prios[i] = c.prios.of(c.n, dom, key)
		}
		if above(c.prios.of(c.n, dom, after.place.First), prios) {
			return dom
		}
	}
	return c.D + 1
}
