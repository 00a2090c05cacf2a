package memotest

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"lightcone/memo"
)

// key returns the fixed key of an author's name.
func key(author string) ed25519.PrivateKey {
	seed := memo.Sum([]byte(author))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(author string) memo.Author {
	return memo.Author(key(author).Public().(ed25519.PublicKey))
}

// builder turns a sketch into memos, causes first.
type builder struct {
	sketch  *sketch
	space   memo.SpaceID
	heads   map[string]*node // the newest memo by author
	ordered []*node          // those made, in causal order
}

// build makes the memos: again and again those whose causes are made, in the
// order of the drawing.
func (b *builder) build() error {
	waiting := slices.Clone(b.sketch.order)
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, (*node).ready)
		if next < 0 {
			return fmt.Errorf("line %d: %s is among its own causes", waiting[0].line, waiting[0].name)
		}
		n := waiting[next]
		if err := b.make(n); err != nil {
			return fmt.Errorf("line %d: %s: %w", n.line, n.name, err)
		}
		waiting = slices.Delete(waiting, next, next+1)
		b.ordered = append(b.ordered, n)
	}
	return nil
}

func (n *node) ready() bool {
	return !slices.ContainsFunc(n.causes, func(c *node) bool { return c.memo == nil })
}

// make makes the memo of n, whose causes have theirs.
func (b *builder) make(n *node) error {
	genesis := b.sketch.order[0]
	if (len(n.causes) == 0) != (n == genesis) {
		return fmt.Errorf("every memo but the first drawn, the genesis, has a cause; draw an arrow to it")
	}
	m := memo.Memo{Space: b.space, Author: public(n.by()), Seq: 1, Body: memo.Join{}}
	var times []memo.Time
	for _, c := range n.causes {
		n.cut.Join(c.cut)
		times = append(times, c.memo.Time)
	}
	prev := b.heads[n.by()]
	switch {
	case n == genesis:
		m.Body = genesisBody
	case prev == nil && n.with == nil:
		n.causes = append(n.causes, genesis)
	case n.with != prev && n.with != nil:
		return fmt.Errorf("it shares a run with %s, which is not its author's memo before it", n.with.name)
	case !n.cut.Covers(m.Author, prev.memo.Seq):
		return fmt.Errorf("it is by %s as %s is, which is not in its past; this would be a fork", n.by(), prev.name)
	default:
		m.Seq, m.Prev = prev.memo.Seq+1, prev.memo.ID()
	}
	if n.edit != nil {
		m.Body = n.edit
	}
	m.Deps = n.deps()
	m.Time = memo.Next(1+uint64(slices.Index(b.sketch.order, n)), times...)
	if n.at != nil {
		m.Time = memo.Next(*n.at)
	}
	var err error
	if n.memo, err = memo.New(m); err != nil {
		return err
	}
	if n == genesis {
		b.space = n.memo.SpaceID()
	}
	if m.Seq == 1 && n != genesis && !slices.Contains(n.memo.Deps, genesis.memo.Head()) {
		return fmt.Errorf("%s's first memo depends on the genesis and so on no later memo by %s; "+
			"draw one between that gathers them", n.by(), genesis.by())
	}
	n.cut.Set(memo.Mark{Head: n.memo.Head(), Time: n.memo.Time})
	b.heads[n.by()] = n
	return nil
}

// genesisBody is that of every drawing: an open space with the default tree.
var genesisBody = &memo.Genesis{
	Name: "drawing", W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
}

// deps are the causes by other authors, of each the newest.
func (n *node) deps() []memo.Head {
	var newest memo.Vector
	for _, c := range n.causes {
		if c.by() != n.by() {
			var v memo.Vector
			v.Set(memo.Mark{Head: c.memo.Head()})
			newest.Join(v)
		}
	}
	var heads []memo.Head
	for mark := range newest.All() {
		heads = append(heads, mark.Head)
	}
	return heads
}
