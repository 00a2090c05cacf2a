package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// tour is a client that goes from node to node and carries nothing but the text
// of a token. The nodes share a space, and have of each other's memos what the
// test brings them.
type tour struct {
	*testing.T
	at     []*Space
	pasts  map[memo.ID]memo.Vector // of the nodes' memos, by their links
	token  string
	demand memo.Vector // what the client has written and read, with its past
}

func newTour(t *testing.T, nodes int) *tour {
	out := &tour{T: t, at: []*Space{newSpace(t)}, pasts: map[memo.ID]memo.Vector{}}
	for len(out.at) < nodes {
		n := openNode(t, t.TempDir(), Options{})
		s := enter(t, n, out.at[0])
		out.at = append(out.at, s)
		out.bring(0, len(out.at)-1)
	}
	return out
}

// bring gives all that one node has to another.
func (c *tour) bring(from, to int) {
	c.Helper()
	src, dst := c.at[from], c.at[to]
	v := src.node.view.Load().store
	for order := true; order; { // causes first: by rounds, until nothing is new
		order = false
		for m := range v.Vector(src.id).All() {
			have, _ := dst.node.view.Load().store.Vector(src.id).Get(m.Author)
			for have.Seq < m.Seq {
				run, err := runAfter(v, src.id, m.Author, have.Seq)
				if err != nil {
					c.Fatal(err)
				}
				d := &delivery{runs: []*memo.Run{run}, done: make(chan *gossip.Attached, 1)}
				if err := dst.node.submit(context.Background(), d); err != nil {
					c.Fatal(err)
				}
				if a := <-d.done; a.Bad != nil {
					c.Fatal(a.Bad)
				} else if a.Fresh == 0 {
					break
				}
				order = true
				have.Seq = run.Head().Seq
			}
		}
	}
}

func (c *tour) session(node int) *Session {
	t, err := causal.ParseToken(c.token)
	if err != nil {
		c.Fatal(err)
	}
	return c.at[node].Session(From(t), Read{Wait: -1})
}

// covers reports whether a node has all that the client may ask it to have.
func (c *tour) covers(node int) bool {
	return c.at[node].node.view.Load().cut(c.at[node].id).Vector().CoversAll(c.demand)
}

// allowed checks that a node answered if and only if it covers the client's past.
func (c *tour) allowed(node int, what string, err error) bool {
	c.Helper()
	var behind *BehindError
	switch {
	case err == nil || errors.Is(err, ErrNotFound):
		if !c.covers(node) {
			c.Fatalf("%s: node %d answered and lacks a part of the client's past", what, node)
		}
		return true
	case errors.As(err, &behind):
		if c.covers(node) {
			c.Fatalf("%s: node %d covers the client's past and says: %v", what, node, err)
		}
		return false
	}
	c.Fatalf("%s at node %d: %v", what, node, err)
	return false
}

// learnt adds the past of memos that node holds to what the client demands.
func (c *tour) learnt(node int, heads ...memo.Head) {
	c.Helper()
	for _, h := range heads {
		c.demand.Join(c.past(node, h))
	}
}

// past is what lies behind a memo by its links, itself included.
func (c *tour) past(node int, h memo.Head) (out memo.Vector) {
	c.Helper()
	if v, ok := c.pasts[h.ID]; ok {
		return v
	}
	s := c.at[node]
	m, ok, err := s.node.view.Load().store.Memo(s.id, h.Author, h.Seq)
	if err != nil || !ok || m.ID() != h.ID {
		c.Fatalf("memo %s is not at node %d (%v)", h, node, err)
	}
	if m.Seq > 1 {
		out.Join(c.past(node, memo.Head{Author: m.Author, Seq: m.Seq - 1, ID: m.Prev}))
	}
	for _, d := range m.Deps {
		out.Join(c.past(node, d))
	}
	out.Set(memo.Mark{Head: m.Head(), Time: m.Time})
	c.pasts[h.ID] = out
	return out
}

func (c *tour) get(node int, row string) bool {
	c.Helper()
	x := c.session(node)
	r, err := x.Get(context.Background(), "t", row)
	if !c.allowed(node, "get", err) {
		return false
	}
	for _, p := range r.Provenance {
		c.learnt(node, memo.Head{Author: p.Author, Seq: p.Seq, ID: p.ID})
	}
	c.token = x.Token().String()
	return true
}

func (c *tour) scan(node int) bool {
	c.Helper()
	x := c.session(node)
	var err error
	for _, err = range x.Scan(context.Background(), Query{}) {
		if err != nil {
			break
		}
	}
	if !c.allowed(node, "scan", err) {
		return false
	}
	for m := range c.at[node].node.view.Load().cut(c.at[node].id).Vector().All() {
		c.learnt(node, m.Head)
	}
	c.token = x.Token().String()
	return true
}

// put writes a row, and checks that the memo has the client's past behind it.
func (c *tour) put(node int, row string, v int64) bool {
	c.Helper()
	r, err := c.session(node).Put(context.Background(), "t", row, Fields{"v": memo.Int(v)})
	if !c.allowed(node, "put", err) {
		return false
	}
	s := c.at[node]
	mark, _ := s.node.view.Load().cut(s.id).Vector().Get(s.node.id)
	if mark.ID != r.ID {
		c.Fatalf("the receipt names %s, the chain ends with %s", r.ID, mark.ID)
	}
	past := c.past(node, mark.Head)
	if !past.CoversAll(c.demand) {
		c.Fatalf("the memo does not have the client's past behind it")
	}
	c.demand.Join(past)
	c.token = r.Token.String()
	return true
}

// shows is the value of a row for a reader with no past.
func (c *tour) shows(node int, row string) int64 {
	c.Helper()
	r, err := c.at[node].Get(context.Background(), "t", row)
	if err != nil {
		return 0
	}
	return r.Fields["v"].Int()
}

func TestHopReadYourWrites(t *testing.T) {
	c := newTour(t, 2)
	c.put(0, "r", 1)
	if c.get(1, "r") || c.get(1, "other") || c.scan(1) || c.put(1, "other", 2) {
		t.Error("node 1 serves a client whose write it lacks")
	}
	c.bring(0, 1)
	if !c.get(1, "r") || c.shows(1, "r") != 1 || !c.scan(1) {
		t.Error("node 1 has the write and does not show it")
	}
}

func TestHopMonotonicReads(t *testing.T) {
	for name, read := range map[string]func(c *tour, node int) bool{
		"get": func(c *tour, node int) bool { return c.get(node, "r") }, "scan": (*tour).scan,
	} {
		t.Run(name, func(t *testing.T) {
			c := newTour(t, 3)
			if _, err := c.at[0].Put(context.Background(), "t", "r", Fields{"v": memo.Int(1)}); err != nil {
				t.Fatal(err)
			}
			c.bring(0, 1)
			if !read(c, 1) { // the write of somebody else
				t.Fatal("a client without a past was refused")
			}
			if c.get(2, "r") || c.scan(2) {
				t.Error("node 2 shows an older state than was read")
			}
			c.bring(1, 2)
			if !read(c, 2) || c.shows(2, "r") != 1 {
				t.Error("node 2 has what was read and does not show it")
			}
		})
	}
}

func TestHopWritesFollowReads(t *testing.T) {
	for name, read := range map[string]func(c *tour, node int) bool{
		"get": func(c *tour, node int) bool { return c.get(node, "cause") }, "scan": (*tour).scan,
	} {
		t.Run(name, func(t *testing.T) {
			c := newTour(t, 3)
			if _, err := c.at[0].Put(context.Background(), "t", "cause", Fields{"v": memo.Int(1)}); err != nil {
				t.Fatal(err)
			}
			c.bring(0, 1)
			if !read(c, 1) || !c.put(1, "effect", 2) {
				t.Fatal("refused")
			}
			// Node 2 hears of node 1's memos alone: they wait for what they follow.
			c.bringOwn(1, 2)
			if c.shows(2, "effect") != 0 {
				t.Error("node 2 shows the effect without the cause")
			}
			c.bring(0, 2)
			c.bring(1, 2)
			if c.shows(2, "effect") != 2 || c.shows(2, "cause") != 1 {
				t.Error("node 2 has both and does not show them")
			}
		})
	}
}

// bringOwn gives to one node what another wrote itself.
func (c *tour) bringOwn(from, to int) {
	c.Helper()
	src := c.at[from]
	v := src.node.view.Load().store
	mark, _ := v.Vector(src.id).Get(src.node.id)
	for seq := uint64(0); seq < mark.Seq; {
		run, err := runAfter(v, src.id, src.node.id, seq)
		if err != nil {
			c.Fatal(err)
		}
		d := &delivery{runs: []*memo.Run{run}, done: make(chan *gossip.Attached, 1)}
		if err := c.at[to].node.submit(context.Background(), d); err != nil {
			c.Fatal(err)
		}
		<-d.done
		seq = run.Head().Seq
	}
}

func TestHopMonotonicWrites(t *testing.T) {
	c := newTour(t, 3)
	c.put(0, "first", 1)
	if c.put(1, "second", 2) {
		t.Error("node 1 writes for a client whose first write it lacks")
	}
	c.bring(0, 1)
	if !c.put(1, "second", 2) {
		t.Fatal("refused")
	}
	c.bringOwn(1, 2)
	if c.shows(2, "second") != 0 {
		t.Error("node 2 shows the second write without the first")
	}
	c.bring(0, 2)
	c.bring(1, 2)
	if c.shows(2, "first") != 1 || c.shows(2, "second") != 2 {
		t.Error("node 2 has both and does not show them")
	}
}

// Clients go where they like and do what they like; a node serves them if and only
// if it covers their past, and their memos have that past behind them.
func TestHopsAtRandom(t *testing.T) {
	for seed := range Seeds(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 3))
			first := newTour(t, 3)
			clients := []*tour{first, {T: t, at: first.at, pasts: first.pasts}, {T: t, at: first.at, pasts: first.pasts}}
			served, refused := 0, 0
			for i := range 150 {
				c, node, row := clients[rng.IntN(3)], rng.IntN(3), fmt.Sprint("row ", rng.IntN(6))
				ok := false
				switch rng.IntN(6) {
				case 0:
					first.bring(node, rng.IntN(3))
					continue
				case 1:
					ok = c.scan(node)
				case 2, 3:
					ok = c.put(node, row, int64(i))
				default:
					ok = c.get(node, row)
				}
				if ok {
					served++
				} else {
					refused++
				}
				if len(c.token) > 200 {
					t.Fatalf("a token of %d characters", len(c.token))
				}
			}
			if served < 30 || refused < 10 {
				t.Errorf("%d served, %d refused: the history shows little", served, refused)
			}
		})
	}
}

// What a root covers is waited for once it is known. This one's vector is here, as
// when it was fetched, and one of its memos and its state are not.
func TestRootsOfOthersAreWaitedFor(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	held := crowd(t, s, 0, 1)
	missing := foreign(t, s, 1, "row 1")
	var cut memo.Vector
	for _, h := range []memo.Head{held[0], missing.Head()} {
		cut.Set(memo.Mark{Head: h, Time: missing.Memos[0].Time})
	}
	theirs, id := merge.Root{Params: s.params(s.node.view.Load())}, memo.ID{}
	blocks := s.node.store.Blocks(s.id)
	if err := blocks.Write(func(put merge.BlockPutter) (err error) {
		theirs.Vector, err = merge.BuildVector(theirs.Params, cut, put)
		if err == nil {
			id, err = putRoot(theirs, put)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := blocks.Pin(store.Pin{Root: id, Until: s.node.opts.Now().Add(s.node.opts.Retention)}); err != nil {
		t.Fatal(err)
	}
	token := causal.Token{Space: [8]byte(s.id[:8]), Root: id}
	var behind *BehindError
	if _, err := s.Session(From(token), Read{Wait: -1}).Get(ctx, "t", "row 0"); !errors.As(err, &behind) || len(behind.Missing) != 1 || behind.Missing[0] != missing.Head() {
		t.Errorf("a read under a root whose memos are not here: %v", err)
	}
	deliver(t, s.node, missing)
	x := s.Session(From(token), Read{Wait: -1})
	if _, err := x.Get(ctx, "t", "row 0"); err != nil || !x.Context().Covers(missing.Head()) {
		t.Errorf("with its memos here: %v, context %v", err, x.Context())
	}
}
