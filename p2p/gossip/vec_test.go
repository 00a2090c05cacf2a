package gossip

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// crowds are those that were made: keys and seals take long.
var crowds = map[crowdOf]madeCrowd{}

type crowdOf struct {
	genesis memo.ID
	seed    uint64
	n       int
}

type madeCrowd struct {
	authors []author
	runs    []*memo.Run
}

// crowd makes one run of each of n authors, the same ones for a seed.
func crowd(genesis memo.Head, seed uint64, n int) (as []*author, runs []*memo.Run) {
	made, ok := crowds[crowdOf{genesis.ID, seed, n}]
	if !ok {
		for _, a := range authors(seed, n) {
			made.runs = append(made.runs, a.write(memo.SpaceID(genesis.ID), time.Second, []memo.Head{genesis}, 1, 10))
			made.authors = append(made.authors, *a)
		}
		crowds[crowdOf{genesis.ID, seed, n}] = made
	}
	for _, a := range made.authors {
		as = append(as, &a)
	}
	return as, slices.Clone(made.runs)
}

func (s *shelf) putAll(runs []*memo.Run) {
	for _, r := range runs {
		s.put(r)
	}
}

// TestVecByTree: what it costs to learn what differs between vectors of many authors
// grows with what differs, and both sides end with the union.
func TestVecByTree(t *testing.T) {
	const n = 2000
	listing := n * headBytes
	for _, c := range []struct {
		name     string
		a, b     int // new memos of so many authors on each side
		strange  int // authors that only b knows
		most     int // bytes of vectors
		listed   bool
		nothingA bool
	}{
		{name: "one of theirs", b: 1, most: listing / 8},
		{name: "one of ours", a: 1, most: listing / 8},
		{name: "some of each", a: 5, b: 5, most: listing / 2},
		{name: "one more author", strange: 1, most: listing / 8},
		{name: "all", b: n, most: 2*listing + listing/20, listed: true}, // lists both ways
		{name: "a peer without anything", nothingA: true, most: 2*listing + listing/20, listed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(2, 2, faults{delay: 10 * time.Millisecond, noGossip: true})
			a, b := w.replicas[0], w.replicas[1]
			as, runs := crowd(w.genesis.Head(), 3, n)
			b.shelf.putAll(append([]*memo.Run{w.genesis}, runs...))
			if c.nothingA {
				a.shelf = newShelf(w.space)
				a.core = New(Config{Self: a.id, Holdings: a.shelf, Seed: 1})
				a.core.AddSpace(w.space, testSecret)
			} else {
				a.shelf.putAll(runs)
			}
			for i := range max(c.a, c.b) {
				if i < c.b {
					b.shelf.put(as[i*n/max(c.b, 1)].write(w.space, time.Second, nil, 1, 10))
				}
				if i < c.a {
					a.shelf.put(as[i*n/c.a+1].write(w.space, time.Second, nil, 1, 10))
				}
			}
			_, more := crowd(w.genesis.Head(), 5, c.strange)
			b.shelf.putAll(more)
			vectors, listed := 0, false
			watch := func(data []byte) []byte {
				switch data[1] {
				case typeVec, typeVecNodes, typeVecWant:
					vectors += len(data)
				}
				listed = listed || data[1] == typeVecWant && len(data) == 3
				return data
			}
			a.twist, b.twist = watch, watch
			b.core.Know(w.time(), w.space, a.id) // only a opens
			w.links[pair(a, b)] = true
			a.core.Know(w.time(), w.space, b.id)
			a.step(PeerUp{b.id})
			if !w.run(5*time.Second, func() bool { return w.converged() && w.idle() }) {
				t.Fatal("no agreement")
			}
			if len(w.blamed) > 0 {
				t.Error(w.blamed)
			}
			if vectors > c.most || listed != c.listed {
				t.Errorf("%d bytes of vectors, at most %d; listed %v", vectors, c.most, listed)
			}
			t.Logf("%d bytes of vectors; %d authors listed are %d", vectors, n, listing)
		})
	}
}

// TestNothingIsListed: who holds nothing gets a list at once.
func TestNothingIsListed(t *testing.T) {
	v := newVictim(t)
	_, runs := crowd(v.me.head, 3, treeFrom+1)
	v.shelf.putAll(runs)
	h := v.hello()
	var err error
	if h.VecRoot, err = merge.BuildVector(merge.DefaultParams(v.space), memo.Vector{}, nil); err != nil {
		t.Fatal(err)
	}
	v.frame(1, h)
	if m, ok := v.said[1][1].(*vec); !ok || len(m.Heads) != treeFrom+2 {
		t.Fatalf("said %T", v.said[1][1])
	}
}

// offered is a victim that gave its tree in the place of a list, and the ids of the
// children of its root.
func offered(t *testing.T) (v *victim, ids []memo.ID) {
	v = newVictim(t)
	_, runs := crowd(v.me.head, 3, 4*treeFrom)
	v.shelf.putAll(runs)
	v.frame(1, v.hello())
	m, ok := v.said[1][1].(*vecNodes)
	if !ok {
		t.Fatalf("said %T", v.said[1][1])
	}
	root, err := merge.DecodeNode(merge.DefaultParams(v.space), []byte(m.Nodes[0]), merge.Place{})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range root.Items {
		ids = append(ids, it.Child)
	}
	return v, ids
}

// TestVecWants: what a partner may ask of a tree, and what it may not.
func TestVecWants(t *testing.T) {
	everything := &vecWant{Type: typeVecWant}
	for _, c := range []struct {
		name string
		want string
		say  func(v *victim, ids []memo.ID)
	}{
		{"nodes", "", func(v *victim, ids []memo.ID) { v.frame(1, &vecWant{Type: typeVecWant, IDs: ids}) }},
		{"the list", "", func(v *victim, _ []memo.ID) { v.frame(1, everything) }},
		{"the list twice", "unexpected VECWANT", func(v *victim, _ []memo.ID) { v.frame(1, everything); v.frame(1, everything) }},
		{"nodes after the vectors", "unexpected VECWANT", func(v *victim, ids []memo.ID) {
			v.frame(1, vecOf(false))
			v.frame(1, &vecWant{Type: typeVecWant, IDs: ids})
		}},
		{"a block of another tree", "not in the tree", func(v *victim, _ []memo.ID) { v.frame(1, &vecWant{Type: typeVecWant, IDs: []memo.ID{{9}}}) }},
		{"nodes without end", "of a vector's tree", func(v *victim, ids []memo.ID) {
			const left = 4 << 20 // the rest of the session was given before
			v.core.sessions[1].offer.bytes = treeBytes - left
			for range left / 4096 { // they are many at once
				if v.core.sessions[1] == nil {
					return
				}
				v.said[1] = nil
				v.frame(1, &vecWant{Type: typeVecWant, IDs: ids})
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, ids := offered(t)
			c.say(v, ids)
			if c.want == "" {
				if len(v.closes) > 0 {
					t.Error(v.closes)
				}
				return
			}
			if len(v.closes) != 1 || !strings.Contains(v.closes[0].Err.Error(), c.want) {
				t.Errorf("closes %v, want one about %q", v.closes, c.want)
			}
		})
	}
}

// TestVecLies: a partner answers with a tree that is none, or with nodes that nobody
// asked for. The session ends, it is blamed, and an honest peer is served.
func TestVecLies(t *testing.T) {
	space, genesis := newVictim(t).space, newVictim(t).me.head
	_, runs := crowd(genesis, 3, 4*treeFrom)
	theirs := newShelf(space)
	theirs.putAll(runs)
	root, _ := theirs.VecRoot(space)
	tree, err := theirs.HadTree(space)
	if err != nil {
		t.Fatal(err)
	}
	node := func(id memo.ID) memo.Bytes {
		data, err := tree.Block(id)
		if err != nil {
			t.Fatal(err)
		}
		return memo.Bytes(data)
	}
	top, err := merge.DecodeNode(merge.DefaultParams(space), []byte(node(root)), merge.Place{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := top.Items[0].Child, top.Items[1].Child
	nodes := func(n ...memo.Bytes) *vecNodes { return &vecNodes{Type: typeVecNodes, Nodes: n} }
	var below []memo.Bytes
	for _, it := range top.Items {
		below = append(below, node(it.Child))
	}
	below = append(below, below[0])
	junk, no := memo.Bytes("no node"), memo.Bytes("")
	for name, c := range map[string]struct {
		root memo.ID
		say  []*vecNodes
	}{
		"another root":          {root, []*vecNodes{nodes(node(first))}},
		"no root":               {root, []*vecNodes{nodes()}},
		"junk":                  {memo.Sum([]byte(junk)), []*vecNodes{nodes(junk)}},
		"an empty node":         {memo.Sum(nil), []*vecNodes{nodes(no)}},
		"a leaf as the root":    {first, []*vecNodes{nodes(node(first)), nodes(node(second))}},
		"another order":         {root, []*vecNodes{nodes(node(root)), nodes(node(second), node(first))}},
		"junk below":            {root, []*vecNodes{nodes(node(root)), nodes(junk)}},
		"more than asked for":   {root, []*vecNodes{nodes(node(root)), nodes(below...)}},
		"the root twice in one": {root, []*vecNodes{nodes(node(root), node(root))}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			_, own := crowd(genesis, 4, 4*treeFrom)
			v.shelf.putAll(own)
			v.opened("opened")
			id := v.core.nextID
			h := v.hello()
			h.VecRoot = c.root
			v.frame(id, h)
			for _, m := range c.say {
				v.frame(id, m)
			}
			if len(v.closes) != 1 || !v.closes[0].Blame {
				t.Fatalf("closes %v, want one with blame", v.closes)
			}
			v.healthy()
		})
	}
}
