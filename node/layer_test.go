package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
)

// owned runs f on the owner's goroutine.
type owned struct {
	f    func(o *owner)
	done chan struct{}
}

func (c owned) do(o *owner) {
	c.f(o)
	o.drainTodo()
	close(c.done)
}

func (n *Node) onOwner(t testing.TB, f func(o *owner)) {
	t.Helper()
	c := owned{f, make(chan struct{})}
	if err := n.submit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	<-c.done
}

// enter makes a node hold the space of another, without its memos.
func enter(t testing.TB, n *Node, from *Space) (s *Space) {
	t.Helper()
	n.onOwner(t, func(o *owner) {
		var err error
		if s, err = o.adopt(from.id, "default", gossip.Secret{1}, nil); err != nil {
			t.Fatal(err)
		}
	})
	return s
}

// copyMemos attaches at to the memos that from has and to has not, at most n runs of
// them, in causal order.
func copyMemos(t testing.TB, from, to *Space, n int) {
	t.Helper()
	if m, err := from.node.sealedMoment(from); err == nil { // what waits for a seal
		m.Close()
	}
	src := from.node.view.Load().store
	for ; n > 0; n-- {
		var next *memo.Run
		first := ^uint64(0)
		for m := range src.Vector(from.id).All() {
			have, _ := to.node.view.Load().store.Vector(to.id).Get(m.Author)
			order, last, ok, err := src.NextRun(from.id, m.Author, have.Seq)
			if err != nil {
				t.Fatal(err)
			}
			if !ok || have.Seq >= m.Seq || order >= first {
				continue
			}
			raw, err := src.Run(from.id, m.Author, last)
			if err == nil {
				next, err = memo.DecodeRun(raw)
			}
			if err != nil {
				t.Fatal(err)
			}
			first = order
		}
		if next == nil {
			return
		}
		to.node.onOwner(t, func(o *owner) {
			if a := o.deliver(gossip.Deliver{Space: to.id, Runs: []*memo.Run{next}}); a.Bad != nil || a.Fresh == 0 {
				t.Errorf("delivery: %+v", a)
			}
		})
	}
}

// word is what a peer vouches for: a root with its blocks and seals.
type word struct {
	folded
	peer  PeerID
	parts map[gossip.Parts][]gossip.Block
	seals []gossip.SealedHead
	said  []byte // as peer signed it; "signed" of a root that it would not announce
}

// wordOf folds a space and takes what a fetch of its root brings.
func wordOf(t testing.TB, s *Space) word {
	t.Helper()
	now, err := s.fold(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s.wordFor(t, now)
}

// wordFor takes the blocks of a root that s holds, and the seals of its vector.
func (s *Space) wordFor(t testing.TB, f folded) word {
	t.Helper()
	w := word{folded: f, peer: s.node.id, parts: map[gossip.Parts][]gossip.Block{}}
	blocks := s.node.store.Blocks(s.id)
	take := func(p gossip.Parts, id memo.ID) {
		data, err := blocks.Block(id)
		if err != nil {
			t.Fatal(err)
		}
		w.parts[p] = append(w.parts[p], gossip.Block{ID: id, Data: data})
	}
	take(gossip.VectorPart, f.id)
	part := gossip.VectorPart
	err := merge.Reach(blocks, f.root, func(id memo.ID) bool {
		if id == f.root.State {
			part = gossip.StatePart
		}
		take(part, id)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for m := range f.vector.All() {
		seal, ok, err := s.node.view.Load().store.Seal(s.id, m.Author, m.Seq)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		w.seals = append(w.seals, gossip.SealedHead{Head: m.Head, Seal: seal})
	}
	s.node.onOwner(t, func(o *owner) {
		o.core.Step(time.Now(), gossip.Folded{Space: s.id, ID: f.id, Root: f.root, Vector: f.vector}, new(gossip.Effects))
		var id memo.ID
		if w.said, id = o.core.Word(s.id); id != f.id {
			w.said = []byte("signed")
		}
	})
	return w
}

func (w word) announcement() *gossip.Announcement {
	return &gossip.Announcement{From: w.peer, ID: w.id, Root: w.root, Memos: w.memos, Raw: w.said}
}

// say does what the protocol does when it brings parts of w to s, up to a part.
func (w word) say(t testing.TB, s *Space, upTo gossip.Parts) {
	t.Helper()
	s.node.onOwner(t, func(o *owner) {
		if s.layer.Load().peer == (PeerID{}) {
			s.put(newLayer(w.peer, time.Now(), w.memos))
		}
		for p := gossip.VectorPart; p <= upTo; p++ {
			if len(w.parts[p]) > 0 {
				o.keep(gossip.Keep{Space: s.id, Blocks: w.parts[p]})
			}
			f := gossip.Fetched{Space: s.id, Root: w.id, Parts: p, Made: w.root, Vector: w.vector, From: w.peer}
			if f.Word = w.announcement(); p >= gossip.SealsPart {
				f.Seals = w.seals
			}
			o.fetched(f)
		}
	})
}

// shown returns all rows that reads of a kind show, by key, got one by one.
func shown(t testing.TB, s *Space, r Read) map[string]Row {
	t.Helper()
	out := map[string]Row{}
	for _, topic := range []string{"t", "u"} {
		for i := range 60 {
			key := fmt.Sprint("row", i)
			row, err := s.Session(r).Get(context.Background(), topic, key)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				t.Fatalf("%s/%s: %v", topic, key, err)
			}
			out[topic+"/"+key] = row
		}
	}
	return out
}

// listed returns all rows that a scan shows, and fails when it is out of order.
func listed(t testing.TB, s *Space, r Read, q Query) map[string]Row {
	t.Helper()
	out, last := map[string]Row{}, ""
	for row, err := range s.Session(r).Scan(context.Background(), q) {
		if err != nil {
			t.Fatal(err)
		}
		key := merge.RowKey(row.Topic, row.Key)
		if last != "" && (key <= last) != q.Reverse {
			t.Fatalf("%q comes after %q", key, last)
		}
		last, out[row.Topic+"/"+row.Key] = key, row
	}
	return out
}

// bare leaves out of rows who vouches for them.
func bare(rows map[string]Row) map[string]Row {
	out := map[string]Row{}
	for k, r := range rows {
		r.VouchedBy = PeerID{}
		out[k] = r
	}
	return out
}

var (
	atOnce  = Read{Wait: -1}
	local   = Read{Mode: Local, Wait: -1}
	vouches = Read{Vouched: true, Wait: -1}
)

// What an honest peer vouches for is what is shown once the memos are here, and is
// labelled where it says more than the memos that are here. Until then nothing but
// the reads that may show it do, and none of it gets into roots.
func TestLayersOfRandomHistories(t *testing.T) {
	for seed := range Seeds(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 7))
			first := newSpace(t)
			all := []*Space{first}
			for range 2 {
				all = append(all, enter(t, openNode(t, t.TempDir(), Options{}), first))
			}
			late := all[2]
			for range 4 {
				for _, s := range all[:2] {
					copyMemos(t, first, s, 1000)
					edit(t, rng, s, 15)
				}
				copyMemos(t, all[1], first, rng.IntN(40))
				copyMemos(t, first, late, rng.IntN(10))
				if rng.IntN(2) == 0 && late.node.view.Load().store.Vector(late.id).Len() > 0 {
					edit(t, rng, late, 4)
				}
			}
			copyMemos(t, all[1], first, 1000)
			if late.node.view.Load().store.Vector(late.id).Len() == 0 {
				copyMemos(t, first, late, 1) // the genesis
			}
			checkLayer(t, first, late)
		})
	}
}

func checkLayer(t *testing.T, first, late *Space) {
	t.Helper()
	before := shown(t, late, atOnce)
	digest, err := late.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wordOf(t, first).say(t, late, gossip.StatePart)
	byLocal, byVouched, own := shown(t, late, local), shown(t, late, vouches), shown(t, late, atOnce)
	if d, err := late.Digest(t.Context()); err != nil || d != digest {
		t.Errorf("the digest is %x, and was %x before the peer spoke; %v", d, digest, err)
	}
	if fold, err := late.fold(t.Context()); err != nil || fold.root.State != digest {
		t.Errorf("the own state is %s, want %x; %v", fold.root.State, digest, err)
	}
	scans := []map[string]Row{listed(t, late, local, Query{}), listed(t, late, vouches, Query{}), listed(t, late, local, Query{Reverse: true})}
	copyMemos(t, first, late, 10000)
	after := shown(t, late, atOnce)

	if diff := cmp.Diff(before, own, differ); diff != "" {
		t.Errorf("other reads changed:\n%s", diff)
	}
	if diff := cmp.Diff(byLocal, byVouched, differ); diff != "" {
		t.Errorf("local and vouched reads differ:\n%s", diff)
	}
	if diff := cmp.Diff(after, bare(byLocal), differ); diff != "" {
		t.Errorf("not what the memos say:\n%s", diff)
	}
	for _, s := range scans {
		if diff := cmp.Diff(byLocal, s, differ); diff != "" {
			t.Errorf("a scan shows otherwise:\n%s", diff)
		}
	}
	labelled := 0
	for k, r := range byLocal {
		news := !reflect.DeepEqual(bare(before)[k], after[k])
		if (r.VouchedBy == first.node.id) != news {
			t.Errorf("%s is vouched for by %s; the memos told news: %v", k, r.VouchedBy, news)
		}
		if news {
			labelled++
		}
	}
	if labelled == 0 {
		t.Error("nothing was vouched for: the test is none")
	}
	for k, r := range shown(t, late, local) {
		if r.VouchedBy != (PeerID{}) {
			t.Errorf("%s is vouched for after its memos came", k)
		}
	}
	waitGone(t, late)
	if st := spaceStatus(t, late); len(st.Liars) > 0 {
		t.Errorf("liars: %v", st.Liars)
	}
}

// differ compares rows: values are compared by what they are, not how they are kept.
var differ = cmp.Comparer(func(a, b Row) bool { return reflect.DeepEqual(a, b) })

func waitGone(t testing.TB, s *Space) {
	t.Helper()
	waitUntil(t, "the layer is dropped", func() bool { return s.layer.Load().peer == (PeerID{}) })
}

func waitUntil(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func spaceStatus(t testing.TB, s *Space) SpaceStatus {
	t.Helper()
	st, err := s.node.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Spaces[0]
}
