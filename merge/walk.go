package merge

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// ErrTree reports that the tree a Walk was to bring is none: a block has the
// digest by which the tree names it, and cannot be there. No other block has that
// digest, so nobody can help. It tells of whoever named the tree, not of who sent
// the block, which may have its right place in another tree.
var ErrTree = errors.New("no such tree")

// Limits of a Walk.
const (
	// maxFrontier bounds the blocks a walk knows of and has not asked for yet. Nodes
	// are asked for while the children of those that are under way would fit; one at
	// a time is always asked for, so a walk never stands still.
	maxFrontier = 1 << 15
	// MaxPreferred bounds the keys that Prefer takes. The ways to them come on top of
	// maxFrontier: at most M blocks a level and key.
	MaxPreferred = 64
	// heldPerCall bounds the held blocks that one call of Next reads, and with them
	// the time it takes.
	heldPerCall = 1 << 10
	// maxTaken bounds the blocks of rows a walk remembers to have come. Rows that one
	// memo wrote alike share them, and its getter may learn of them late.
	maxTaken = 1 << 12
)

// Walk brings the blocks of one tree from elsewhere, from the top down: Next says
// what to ask for, Take checks an answer. Nothing is derived from a block before
// it is known to be the one asked for and, as strictly as DecodeNode and DecodeRow
// can tell, what its parent says it is. A nested row's tree is brought like the one
// it is in; what only all of its pieces show is seen by who reads the row. Blocks that the getter holds are read
// there and not asked for, so that what was interrupted goes on where it was.
// Walk keeps no blocks; what Take accepts is the caller's to put.
//
// With a base, a complete tree that the getter holds, subtrees that both trees
// have at one place are not looked at: k changed keys cost k ways down.
//
// A Walk belongs to one goroutine. After an error of Next, or ErrTree of Take, it
// is of no more use.
type Walk struct {
	*loader
	rows  bool
	base  *basis // nil without one
	front frontier
	open  map[memo.ID][]want // asked for and not come; more than one where blocks are shared
	nodes int                // of them, those that have children
	taken map[memo.ID]want
	keys  []string // preferred
	err   error    // for good
}

// WalkOptions say what to bring.
type WalkOptions struct {
	Params Params
	Tree   memo.ID // its root node
	Base   memo.ID // the root node of a complete tree that is held; zero for none
	Rows   bool    // it is a state tree: its values are row states or name their blocks
}

// NewWalk begins to bring a tree; g knows what is held already, which may grow.
func NewWalk(g BlockGetter, o WalkOptions) (*Walk, error) {
	if err := o.Params.Validate(); err != nil {
		return nil, fmt.Errorf("walk tree %s: %w", o.Tree, err)
	}
	w := &Walk{
		loader: newLoader(o.Params, g), rows: o.Rows,
		open: map[memo.ID][]want{}, taken: map[memo.ID]want{},
	}
	if !o.Base.IsZero() {
		w.base = &basis{loader: w.loader, root: o.Base}
	}
	if o.Tree != o.Base {
		w.push(want{id: o.Tree})
	}
	return w, nil
}

// Done tells whether all of the tree is there.
func (w *Walk) Done() bool { return w.err == nil && len(w.front.wants) == 0 && len(w.open) == 0 }

// Open returns the number of blocks that were asked for and did not come.
func (w *Walk) Open() int { return len(w.open) }

// Next returns up to limit blocks to ask for, preferred ones first, then ascending
// by key. Each is returned once, until Again. It may return fewer, or none, while
// others are open or much was found held: call it again after Take, and while
// nothing is open and the walk is not done. An error is the getter's, or ErrTree.
func (w *Walk) Next(limit int) (ids []memo.ID, err error) {
	for held := 0; w.err == nil && len(ids) < limit && held < heldPerCall && w.room(); {
		at := heap.Pop(&w.front).(want)
		if also := w.open[at.id]; also != nil {
			if !slices.ContainsFunc(also, at.alike) {
				w.open[at.id] = append(also, at)
			}
			continue
		}
		known, err := w.known(at)
		if err != nil || known {
			w.err = err
			continue
		}
		switch data, err := w.g.Block(at.id); {
		case errors.Is(err, ErrNoBlock):
			w.open[at.id] = []want{at}
			w.count(at, +1)
			ids = append(ids, at.id)
		case err != nil:
			w.err = fmt.Errorf("walk: read block %s: %w", at.id, err)
		case memo.Sum(data) != at.id:
			w.err = fmt.Errorf("walk: read block %s: %w: the block given has digest %s", at.id, ErrNode, memo.Sum(data))
		default:
			held++
			w.err = w.descend(data, at)
		}
	}
	if w.err != nil {
		return nil, w.err
	}
	return ids, nil
}

// room tells whether the next block may be asked for.
func (w *Walk) room() bool {
	if len(w.front.wants) == 0 {
		return false
	}
	next := &w.front.wants[0]
	if also := w.open[next.id]; len(also) > 0 {
		return len(also) < w.M || slices.ContainsFunc(also, next.alike)
	}
	return next.row || next.first && next.in == nil || w.nodes == 0 || len(w.front.wants)+(w.nodes+1)*w.M <= maxFrontier
}

// Take takes a block that was asked for. ErrTree says that there is no such tree;
// after any other error the block is still open and who sent it lied: it is not
// the one asked for, or was not asked for at all.
func (w *Walk) Take(id memo.ID, data []byte) error { return w.TakeHashed(id, data, memo.Sum(data)) }

// TakeHashed is Take for who has computed the block's digest already.
func (w *Walk) TakeHashed(id memo.ID, data []byte, digest memo.ID) error {
	if w.err != nil {
		return w.err
	}
	wants := w.open[id]
	if wants == nil {
		return fmt.Errorf("walk: %w: block %s was not asked for", ErrNode, id)
	}
	if digest != id {
		return fmt.Errorf("walk: %w: block %s was asked for, what came has digest %s", ErrNode, id, digest)
	}
	delete(w.open, id)
	w.count(wants[0], -1)
	for _, at := range wants {
		if w.err = w.descend(data, at); w.err != nil {
			return w.err
		}
	}
	if wants[0].row || wants[0].in != nil {
		if len(w.taken) == maxTaken {
			clear(w.taken)
		}
		w.taken[id] = wants[0]
	}
	return nil
}

// Again lets Next return a block once more that did not come.
func (w *Walk) Again(id memo.ID) {
	wants := w.open[id]
	if wants == nil {
		return
	}
	delete(w.open, id)
	w.count(wants[0], -1)
	for _, at := range wants {
		w.push(at)
	}
}

// Prefer lets the blocks that a reader of key needs come before others: all of
// them are there height+1 answers later. Above MaxPreferred keys it does nothing.
func (w *Walk) Prefer(key string) {
	if len(w.keys) == MaxPreferred {
		return
	}
	w.keys = append(w.keys, key)
	for i := range w.front.wants {
		at := &w.front.wants[i]
		at.first = at.first || at.covers(key)
	}
	heap.Init(&w.front)
}

// known tells whether the block and all below it are there for sure.
func (w *Walk) known(at want) (bool, error) {
	if before, ok := w.taken[at.id]; ok && before.alike(at) {
		return true, nil
	}
	if w.base == nil {
		return false, nil
	}
	known, err := w.base.has(at)
	if errors.Is(err, ErrNoBlock) { // not complete after all: then it saves nothing
		w.base, err = nil, nil
	}
	return known, err
}

// descend puts what a block refers to on the frontier.
func (w *Walk) descend(data []byte, at want) error {
	below, err := w.refs(data, at)
	if err != nil {
		return fmt.Errorf("%w: block %s: %w", ErrTree, at.id, err)
	}
	for _, b := range below {
		w.push(b)
	}
	return nil
}

// refs returns the blocks that a block refers to, which it checks.
func (w *Walk) refs(data []byte, at want) (below []want, err error) {
	if at.row {
		return nil, at.in.check(at.place.First, data, true)
	}
	n, _, err := w.node(data, at.place)
	if err == nil && at.nestRoot() && n.Count() != at.in.pieces {
		err = fmt.Errorf("%w: a nested row of %d pieces, its value says %d", memo.ErrNotCanonical, n.Count(), at.in.pieces)
	}
	for i := 0; i < len(n.Items) && err == nil; i++ {
		it := &n.Items[i]
		switch {
		case n.Level > 0:
			below = append(below, want{id: it.Child, place: at.place.Below(n, i), in: at.in})
		case w.rows:
			var b want
			if b, err = at.in.row(it); err != nil {
				err = fmt.Errorf("row %q: %w", it.Key, err)
			} else if !b.id.IsZero() {
				below = append(below, b)
			}
		}
	}
	return below, err
}

func (w *Walk) push(at want) {
	for _, key := range w.keys {
		at.first = at.first || at.covers(key)
	}
	heap.Push(&w.front, at)
}

// count keeps the number of nodes that are open.
func (w *Walk) count(at want, by int) {
	if !at.row {
		w.nodes += by
	}
}

// want is a block that a walk has to bring, and what is known of it.
type want struct {
	id    memo.ID
	place Place // of a node; a row's First is its key
	row   bool  // the block of a row or, in a nested row, of a piece
	first bool  // on the way to a preferred key
	in    *nest // the nested row whose tree it is in; nil in the tree itself
}

// alike tells whether a check of one block at both places is one check.
func (at want) alike(o want) bool {
	switch {
	case at.row != o.row || (at.in == nil) != (o.in == nil):
		return false
	case at.row && at.in == nil:
		return true
	case at.nestRoot() && at.in.pieces != o.in.pieces:
		return false
	}
	return at.place == o.place
}

// covers tells whether a reader of key needs the block.
func (at *want) covers(key string) bool {
	switch {
	case at.in != nil:
		return key == at.in.key
	case at.row:
		return key == at.place.First
	}
	return at.place.First <= key && (at.place.Limit == "" || key < at.place.Limit)
}

// frontier is a heap of blocks to bring. Subtrees do not overlap, so that in
// ascending order a node's children come before what is beside it.
type frontier struct{ wants []want }

func (f *frontier) Len() int      { return len(f.wants) }
func (f *frontier) Swap(i, j int) { f.wants[i], f.wants[j] = f.wants[j], f.wants[i] }
func (f *frontier) Push(x any)    { f.wants = append(f.wants, x.(want)) }

func (f *frontier) Less(i, j int) bool {
	a, b := &f.wants[i], &f.wants[j]
	if a.first != b.first {
		return a.first
	}
	return a.before(b)
}

func (f *frontier) Pop() any {
	last := len(f.wants) - 1
	at := f.wants[last]
	f.wants[last] = want{}
	f.wants = f.wants[:last]
	return at
}

// basis finds places in a complete tree. It keeps the nodes on one way down,
// since what is looked for mostly comes in ascending order.
type basis struct {
	*loader
	root memo.ID
	path []placed
}

// placed is a node and its place.
type placed struct {
	Node
	place Place
}

// has tells whether the tree has the wanted block at the wanted place. Then what
// is below it is the same too, to the last key.
func (b *basis) has(at want) (bool, error) {
	if at.in != nil {
		return b.hasPiece(at)
	}
	level := at.place.Level + 1 // of the node that names it
	if at.row {
		level = 0
	}
	n, ok, err := b.find(level, at.place.First)
	if !ok || err != nil {
		return false, err
	}
	i, found := n.find(at.place.First)
	switch {
	case !found:
		return false, nil
	case at.row:
		return bytes.Equal(n.Items[i].Value, appendBytes(nil, at.id[:])), nil
	}
	return n.Items[i].Child == at.id && n.place.Below(n.Node, i) == at.place, nil
}

// find returns the node of the given level in whose range key is; false if the
// tree is lower than that or begins behind the key.
func (b *basis) find(level int, key string) (*placed, bool, error) {
	if b.path == nil {
		if err := b.enter(b.root, Place{}); err != nil {
			return nil, false, err
		}
	}
	top := &b.path[len(b.path)-1]
	for len(b.path) > 1 && (top.Level < level || !(&want{place: top.place}).covers(key)) {
		b.path = b.path[:len(b.path)-1]
		top = &b.path[len(b.path)-1]
	}
	for top.Level > level {
		i, _ := top.Node.find(key)
		if i < 0 {
			return nil, false, nil
		}
		if err := b.enter(top.Items[i].Child, top.place.Below(top.Node, i)); err != nil {
			return nil, false, err
		}
		top = &b.path[len(b.path)-1]
	}
	return top, top.Level == level, nil
}

func (b *basis) enter(id memo.ID, place Place) error {
	n, _, err := b.load(id, place)
	if err == nil {
		b.path = append(b.path, placed{n, place})
	}
	return err
}
