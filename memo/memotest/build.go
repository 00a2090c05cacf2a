package memotest

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"lightcone/memo"
)

// build makes the memos, causes first, and returns the nodes in that order.
func (s *sketch) build() ([]*node, error) {
	var made []*node
	heads := map[string]*node{} // the newest memo by author
	for waiting := slices.Clone(s.nodes); len(waiting) > 0; {
		i := slices.IndexFunc(waiting, (*node).ready)
		if i < 0 {
			return nil, fmt.Errorf("line %d: %s, or a memo of its run, is among its own causes", waiting[0].line, waiting[0].name)
		}
		n := waiting[i]
		if err := s.make(n, heads[n.by()]); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", n.line, n.name, err)
		}
		heads[n.by()] = n
		made, waiting = append(made, n), slices.Delete(waiting, i, i+1)
	}
	return made, nil
}

// ready reports whether the causes of n are made, and those of the rest of its
// run: nobody sees a memo before its run is sealed, so the order of the memos is
// that of their runs too.
func (n *node) ready() bool {
	var run []*node // from n on
	for r := n; r != nil; r = r.then {
		for _, c := range r.causes {
			if c.memo == nil && !slices.Contains(run, c) {
				return false
			}
		}
		run = append(run, r)
	}
	return true
}

// make makes the memo of n, whose causes have theirs; prev is its author's newest.
func (s *sketch) make(n, prev *node) (err error) {
	genesis := s.nodes[0]
	if (n == genesis) != (len(n.causes) == 0) {
		return fmt.Errorf("the first name is the genesis: it alone has no cause, and all others do; draw arrows so")
	}
	m := memo.Memo{Author: memo.Author(n.key().Public().(ed25519.PublicKey)), Seq: 1, Body: memo.Join{}}
	var times []memo.Time
	ping, isPing := n.body.(*memo.Ping)
	for _, c := range n.causes {
		if times = append(times, c.memo.Time); !isPing || c.by() == n.by() || c == genesis {
			n.cut.Join(c.cut)
		}
	}
	switch {
	case n == genesis:
		n.body = genesisBody
	case n.mate != nil && n.mate != prev:
		return fmt.Errorf("it shares a run with %s, which is not the memo before it by %s", n.mate.name, n.by())
	case prev == nil:
		n.causes = append(n.causes, genesis)
	case !n.cut.Covers(m.Author, prev.memo.Seq):
		return fmt.Errorf("%s, by %s too, is not in its past; this would be a fork", prev.name, n.by())
	default:
		m.Seq, m.Prev = prev.memo.Seq+1, prev.memo.ID()
	}
	if n != genesis {
		m.Space = genesis.memo.SpaceID()
	}
	if n.body != nil {
		m.Body = n.body
	}
	m.Time = memo.Next(1+uint64(slices.Index(s.nodes, n)), times...)
	if n.at != nil {
		m.Time = *n.at
	}
	m.Deps = n.deps()
	if isPing {
		m.Deps, ping.Refs = refs(m.Deps, genesis.memo)
	}
	if prev == nil && n != genesis && !slices.Contains(m.Deps, genesis.memo.Head()) {
		return fmt.Errorf("the first memo by %s depends on the genesis, hence on no later one by %s; "+
			"draw one between that gathers them", n.by(), genesis.by())
	}
	if n.memo, err = memo.New(m); err != nil {
		return err
	}
	n.cut.Add(memo.Mark{Head: n.memo.Head(), Time: m.Time})
	return nil
}

// genesisBody is that of every drawing: an open space with the default tree.
var genesisBody = &memo.Genesis{
	Name: "drawing", W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
}

// deps are the causes by other authors, of each the newest.
func (n *node) deps() (heads []memo.Head) {
	newest := map[memo.Author]memo.Head{}
	for _, c := range n.causes {
		if h := c.memo.Head(); c.by() != n.by() && h.Seq > newest[h.Author].Seq {
			newest[h.Author] = h
		}
	}
	for _, h := range newest {
		heads = append(heads, h)
	}
	memo.SortDeps(heads)
	return heads
}

// refs takes apart what a ping is caused by: the genesis, on which only a first memo
// depends, and the pings that it refers to.
func refs(causes []memo.Head, genesis *memo.Memo) (deps, refs []memo.Head) {
	for _, h := range causes {
		if genesis != nil && h == genesis.Head() {
			deps = append(deps, h)
		} else {
			refs = append(refs, h)
		}
	}
	return deps, refs
}

// key is the one key of the author's name.
func (n *node) key() ed25519.PrivateKey {
	seed := memo.Sum([]byte(n.by()))
	return ed25519.NewKeyFromSeed(seed[:])
}
