package main

import (
	"fmt"
	"math/rand/v2"
	"slices"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
)

// What the world is like.
const (
	nodes    = 4
	authors  = 100
	rows     = 20_000
	perMemo  = 2      // rows that a memo edits, at most
	maxDelay = 400    // memos by which a node is behind the others, at most
	hot      = 1.1    // exponent of the rows' popularity (Zipf)
	foldEach = 10_000 // memos after which a node folds in any case, as its folder does
)

// world is the memos of a space, causes first, and who has them.
type world struct {
	rng     *rand.Rand
	zipf    *rand.Zipf
	space   memo.SpaceID
	trees   causal.Trees
	kept    *heap
	memos   []*memo.Memo // all from the place dropped on
	dropped int
	head    [authors]*memo.Memo
	nodes   [nodes]*node
	genesis memo.Head
	behind  [authors]memo.Vector // what each chain has behind it, by what its memos name
	roots   map[memo.ID]known    // the roots that somebody holds
	folds   int
}

// known is what a root covers: below, and so the first upto memos at least.
type known struct {
	below memo.Vector
	upto  int
}

// node is one replica: it has the first upto memos, and all by its own authors.
type node struct {
	upto  int
	head  [authors]memo.Head // of what it has; Seq 0: nothing
	last  [rows]memo.Head    // who wrote each row last, in that order
	root  causal.Context     // its newest root
	since int                // upto when that was folded
}

func newWorld(seed uint64) (*world, error) {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), kept: newHeap(), roots: map[memo.ID]known{}}
	w.zipf = rand.NewZipf(w.rng, hot, 1, rows-1)
	genesis, err := memo.New(memo.Memo{Author: keys[0], Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "contexts", W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
	}})
	if err != nil {
		return nil, err
	}
	w.space = genesis.SpaceID()
	w.trees = causal.Trees{Params: merge.DefaultParams(w.space), Get: w.kept, Put: w.kept}
	for i := range w.nodes {
		w.nodes[i] = &node{root: causal.Context{Space: w.space}}
	}
	w.genesis = genesis.Head()
	w.add(0, genesis)
	for i := range w.nodes {
		w.catchUp(i, 0)
	}
	return w, nil
}

// keys are the authors, and numbers their places among them.
var keys, numbers = func() (keys [authors]memo.Author, numbers map[memo.Author]int) {
	numbers = map[memo.Author]int{}
	for i := range keys {
		keys[i] = memo.Author(memo.Sum(fmt.Appendf(nil, "author %d", i)))
		numbers[keys[i]] = i
	}
	return keys, numbers
}()

// at is the node where an author writes.
func at(author int) int { return author % nodes }

// add appends a memo by an author, whose node has it at once.
func (w *world) add(author int, m *memo.Memo) {
	w.memos, w.head[author] = append(w.memos, m), m
	w.nodes[at(author)].learn(author, m)
}

func (n *node) learn(author int, m *memo.Memo) {
	if m.Seq <= n.head[author].Seq {
		return
	}
	n.head[author] = m.Head()
	if e, ok := m.Body.(*memo.Edit); ok {
		for _, r := range e.Topics[0].Rows {
			n.last[rowOf(r)] = m.Head()
		}
	}
}

// rowOf is the number of a row of this world.
func rowOf(r memo.RowEdit) (n int) {
	for _, digit := range r.Row {
		n = 10*n + int(digit-'0')
	}
	return n
}

// total is how many memos there are.
func (w *world) total() int { return w.dropped + len(w.memos) }

// catchUp gives a node all but the newest memos of the others.
func (w *world) catchUp(i, delay int) {
	n := w.nodes[i]
	for ; n.upto < w.total()-delay; n.upto++ {
		m := w.memos[n.upto-w.dropped]
		n.learn(numbers[m.Author], m)
	}
}

// write makes a memo by an author that follows the given heads by others, and
// joins before it when they are too many for one memo.
func (w *world) write(author int, causes []memo.Head, edit bool) (memo.Head, error) {
	if w.head[author] == nil { // a first memo follows the genesis
		causes = append(slices.DeleteFunc(slices.Clone(causes), func(h memo.Head) bool { return h.Author == w.genesis.Author }), w.genesis)
		memo.SortDeps(causes)
	}
	parts := slices.Collect(slices.Chunk(causes, memo.MaxDeps))
	if len(parts) == 0 {
		parts = [][]memo.Head{nil}
	}
	for i, deps := range parts {
		m := memo.Memo{Space: w.space, Author: keys[author], Seq: 1, Deps: deps, Body: memo.Join{}}
		if prev := w.head[author]; prev != nil {
			m.Seq, m.Prev, m.Time = prev.Seq+1, prev.ID(), prev.Time
		}
		if edit && i == len(parts)-1 {
			m.Body = w.edit()
		}
		m.Time = memo.Next(uint64(w.total()), m.Time)
		made, err := memo.New(m)
		if err != nil {
			return memo.Head{}, err
		}
		w.add(author, made)
		for _, h := range deps {
			w.behind[author].Set(memo.Mark{Head: h})
		}
	}
	return w.head[author].Head(), nil
}

// edit writes a field of one row or a few.
func (w *world) edit() *memo.Edit {
	topic := memo.TopicEdit{Topic: "t"}
	for range 1 + w.rng.IntN(perMemo) {
		row := memo.Bytes(fmt.Sprintf("%05d", w.zipf.Uint64()))
		op := memo.Op{Set: true, Value: memo.Int(w.rng.Int64N(1 << 20))}
		if !slices.ContainsFunc(topic.Rows, func(r memo.RowEdit) bool { return r.Row == row }) {
			topic.Rows = append(topic.Rows, memo.RowEdit{Row: row, Deltas: []memo.Delta{{Field: "f", Op: op}}})
		}
	}
	e := &memo.Edit{Topics: []memo.TopicEdit{topic}}
	e.Sort()
	return e
}

// background makes one memo by a random author, who has seen another one or two.
func (w *world) background() error {
	a := w.rng.IntN(authors)
	n := w.nodes[at(a)]
	var causes []memo.Head
	for range w.rng.IntN(3) {
		h := n.head[w.rng.IntN(authors)]
		if h.Seq > 0 && h.Author != keys[a] && !slices.ContainsFunc(causes, func(c memo.Head) bool { return c.Author == h.Author }) {
			causes = append(causes, h)
		}
	}
	memo.SortDeps(causes)
	_, err := w.write(a, causes, true)
	return err
}

// whole is the context of all that a node has, over its newest root.
func (w *world) whole(i int) causal.Context {
	n := w.nodes[i]
	qc := causal.Context{Space: w.space}
	for _, h := range n.head {
		if h.Seq > 0 {
			qc.Loose = append(qc.Loose, h)
		}
	}
	memo.SortDeps(qc.Loose)
	if n.root.Root.IsZero() {
		return qc
	}
	return qc.Over(n.root.Root, n.root.Below)
}

// fold gives a node the root of what it has.
func (w *world) fold(i int) error {
	n := w.nodes[i]
	qc, err := w.whole(i).Fold(w.trees, w.memos[max(n.since-w.dropped, 0):])
	if err != nil {
		return fmt.Errorf("fold node %d: %w", i, err)
	}
	n.root, n.since = qc, n.upto
	w.roots[qc.Root] = known{qc.Below, n.upto}
	w.folds++
	return nil
}

// drop forgets the memos that are below all roots in use.
func (w *world) drop() {
	all := w.total()
	for _, n := range w.nodes {
		all = min(all, n.since)
	}
	for _, r := range w.roots {
		all = min(all, r.upto)
	}
	if n := all - w.dropped; n > len(w.memos)/2 {
		w.memos, w.dropped = slices.Clone(w.memos[n:]), all
	}
}
