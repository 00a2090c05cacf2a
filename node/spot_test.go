package node

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// runOf returns the run with a memo that a node holds, of whatever branch; nil: none.
func runOf(t testing.TB, s *Space, h memo.Head) *memo.Run {
	t.Helper()
	v := s.node.view.Load().store
	_, last, ok, err := v.NextRun(s.id, h.Author, h.Seq-1)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return nil
	}
	raws := [][]byte{}
	raw, err := v.Run(s.id, h.Author, last)
	if err != nil {
		t.Fatal(err)
	}
	if raws = append(raws, raw); slices.Contains(v.Forked(s.id), h.Author) {
		branches, err := v.BranchRuns(s.id, h.Author)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range branches {
			if raw, err = v.RunByID(s.id, b.ID); err != nil {
				t.Fatal(err)
			}
			raws = append([][]byte{raw}, raws...)
		}
	}
	var run *memo.Run
	for _, raw := range raws {
		if run, err = memo.DecodeRun(raw); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(run.Memos, func(m *memo.Memo) bool { return m.Head() == h }) {
			break
		}
	}
	return run
}

// lookEverywhere has all places of a root looked into by late, with what holder has for
// answers, and returns what came of it.
func lookEverywhere(t testing.TB, w word, late, holder *Space) (out []examined) {
	t.Helper()
	var picks []pick
	for r, err := range merge.StateRows(w.root.Params, late.node.store.Blocks(late.id), w.root.State, "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Row.Provenance() {
			picks = append(picks, pick{r.Key, headOf(s)})
		}
	}
	for m := range w.vector.All() {
		for seq := range m.Seq {
			picks = append(picks, pick{"", memo.Head{Author: m.Author, Seq: seq + 1}})
		}
	}
	for _, p := range picks {
		top, _ := w.vector.Get(p.head.Author)
		sp := &spot{space: late, from: w.peer, word: w.said, id: w.id, root: w.root, key: p.key, head: p.head, top: top}
		x := late.node.folder.examined(sp)
		for tries := 0; x.want.Seq > 0 && !x.parted; tries++ {
			run := runOf(t, holder, x.want)
			if run == nil || tries > 100 {
				break
			}
			sp.runs = append(sp.runs, run)
			x = late.node.folder.examined(sp)
		}
		out = append(out, x)
	}
	return out
}

// busyHistory writes cells of all types, clears rows, and a row that becomes nested.
func busyHistory(t testing.TB, rng *rand.Rand, s *Space, n int) {
	t.Helper()
	ctx := t.Context()
	for i := range n {
		row, val := fmt.Sprint("row", rng.IntN(8)), memo.Int(int64(rng.IntN(5)))
		var err error
		switch rng.IntN(8) {
		case 0:
			_, err = s.Delete(ctx, "t", row)
		case 1:
			_, err = s.Add(ctx, "t", row, "n", int64(rng.IntN(9)-3))
		case 2, 3:
			var gone []memo.Value
			if rng.IntN(2) == 0 {
				gone = append(gone, memo.Int(int64(5+rng.IntN(5))))
			}
			_, err = s.Change(ctx, "t", row, "s", []memo.Value{val}, gone)
		case 4:
			_, err = s.PutMulti(ctx, "t", row, Fields{"m": val})
		case 5:
			big := memo.Blob(bytes.Repeat([]byte{byte(i)}, 9000))
			_, err = s.Put(ctx, "t", "heavy", Fields{fmt.Sprint("f", i): big, fmt.Sprint("g", i): big})
		default:
			_, err = s.Put(ctx, "t", row, Fields{fmt.Sprint("f", rng.IntN(3)): val})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestHonestPeersAreNotBlamed: nothing of an honest peer's state, wherever it is looked
// into and whatever is held there, is a lie or in doubt: with authors who forked, rows
// cleared and nested, and bodies that nobody has any more.
func TestHonestPeersAreNotBlamed(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			maker, late := adopters(t, Options{Durability: None}, rng.IntN(20))
			busyHistory(t, rng, maker, 20)
			copyMemos(t, maker, late, rng.IntN(30))
			for _, run := range forkedRuns(t, maker) {
				deliver(t, maker.node, run)
			}
			busyHistory(t, rng, maker, 20)
			w := wordOf(t, maker)
			if seed == 2 {
				if _, err := maker.node.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			adoptAll(t, maker, late)
			looked, blind := 0, 0
			for _, x := range lookEverywhere(t, w, late, maker) {
				if looked++; x.want.Seq > 0 {
					blind++
				}
				if x.proof != nil || x.err != nil || x.parted {
					t.Fatalf("row %q, memo %s: %+v, parted %v, %v", x.key, x.head, x.lie, x.parted, x.err)
				}
			}
			if looked < 60 || (blind > 0) != (seed == 2) {
				t.Errorf("%d places were looked into, of %d the memos are gone", looked, blind)
			}
			waitUntil(t, "the lot's places are looked into", func() bool { return late.Quiet(t) })
			if st := spaceStatus(t, late); len(st.Liars)+len(st.Doubted)+len(st.Proofs) > 0 {
				t.Errorf("liars %v, doubted %v, proofs %+v", st.Liars, st.Doubted, st.Proofs)
			}
		})
	}
}

// Quiet reports whether nothing is looked into now that could be without a network.
func (s *Space) Quiet(t testing.TB) (quiet bool) {
	s.node.onOwner(t, func(o *owner) {
		quiet = o.spot == nil && !slices.ContainsFunc(o.spots, func(sp *spot) bool { return sp.want.Seq == 0 })
	})
	return quiet
}

// rowLies change what a state shows. The maker's last rows are row18 and row19, which
// others lack; it says what rows to find out.
var rowLies = []struct {
	name    string
	change  func(rows map[string]merge.Row)
	key     string
	omitted bool
}{
	{"a value under a stamp that is true", func(rows map[string]merge.Row) { alter(rows, "row19") }, "row19", false},
	{"a value of a memo that was held", func(rows map[string]merge.Row) { alter(rows, "row3") }, "row3", false},
	{"a field that its memo did not write", func(rows map[string]merge.Row) {
		r := rows[merge.RowKey("t", "row19")]
		c := r.Cells[0]
		c.Field = "w"
		r.Cells = append(slices.Clone(r.Cells), c)
		rows[merge.RowKey("t", "row19")] = r
	}, "row19", false},
	{"a row that nobody wrote", func(rows map[string]merge.Row) {
		rows[merge.RowKey("t", "row99")] = rows[merge.RowKey("t", "row19")]
	}, "row99", false},
	{"a row that nobody cleared", func(rows map[string]merge.Row) {
		rows[merge.RowKey("t", "row3")] = merge.Row{Tombstone: rows[merge.RowKey("t", "row19")].Cells[0].Register.Stamp}
	}, "row3", false},
	{"a row is left out", func(rows map[string]merge.Row) { delete(rows, merge.RowKey("t", "row18")) }, "row18", true},
	{"a row that was held is left out", func(rows map[string]merge.Row) { delete(rows, merge.RowKey("t", "row3")) }, "row3", true},
}

// TestLiesAreProved: whatever is false in a state that a peer signed is found where it
// is looked into, with a proof that holds for anybody.
func TestLiesAreProved(t *testing.T) {
	maker, late := adopters(t, Options{Durability: None}, 18)
	truth := wordOf(t, maker).folded
	for _, l := range rowLies {
		t.Run(l.name, func(t *testing.T) {
			w := maker.wordFor(t, forge(t, maker, truth, l.change))
			late.node.onOwner(t, func(o *owner) {
				for _, blocks := range w.parts {
					o.keep(gossip.Keep{Space: late.id, Blocks: blocks})
				}
			})
			found := 0
			for _, x := range lookEverywhere(t, w, late, maker) {
				if x.err != nil {
					t.Errorf("%s: %v", x.head, x.err)
				}
				if x.proof == nil {
					continue
				}
				e, err := gossip.DecodeEvidence(x.proof)
				if err != nil {
					t.Fatal(err)
				}
				lie, err := e.Verify()
				if err != nil || lie.From != maker.node.id || lie.Key != merge.RowKey("t", l.key) || lie.Omitted != l.omitted || lie.Root != w.id {
					t.Fatalf("%+v, %v", lie, err)
				}
				found++
			}
			if found == 0 {
				t.Error("it is not found")
			}
		})
	}
}

// TestInventedMemos: a row that stands on a memo which nobody has, while others have
// another in its place, is no proof, but nothing is adopted of that peer for a while;
// not where its author is known to have forked, nor where nobody has any.
func TestInventedMemos(t *testing.T) {
	maker, late := adopters(t, Options{}, 3)
	w := wordOf(t, maker)
	top, _ := w.vector.Get(maker.node.id)
	sp := spot{space: late, from: maker.node.id, word: w.said, id: w.id, root: w.root, key: merge.RowKey("t", "row3"), top: top}
	sp.head = memo.Head{Author: maker.node.id, Seq: 5, ID: memo.Sum([]byte("?"))}
	if x := late.node.folder.examined(&sp); x.want != sp.head || x.parted {
		t.Fatalf("%+v", x)
	}
	sp.runs = []*memo.Run{runOf(t, maker, sp.head)}
	x := late.node.folder.examined(&sp)
	if x.want != sp.head || !x.parted || x.proof != nil {
		t.Fatalf("%+v", x)
	}
	late.node.onOwner(t, func(o *owner) {
		now := o.n.opts.Now()
		forked := sp
		forked.top.Forked, forked.parted, forked.asked = true, true, make([]PeerID, spotAsks)
		for _, sp := range []*spot{&forked, {space: late, want: sp.head, asked: make([]PeerID, spotAsks)}} {
			if sp.want = x.want; !o.goOn(now, sp) || o.coldOf(late.id).mistrusts(maker.node.id, now) {
				t.Error("it is in doubt without a reason")
			}
		}
		sp.want, sp.parted, sp.asked = x.want, true, make([]PeerID, 1)
		if !o.goOn(now, &sp) || !o.coldOf(late.id).mistrusts(maker.node.id, now) {
			t.Error("it is not in doubt")
		}
	})
	if st := spaceStatus(t, late); !slices.Equal(st.Doubted, []PeerID{maker.node.id}) || len(st.Liars)+len(st.Proofs) > 0 {
		t.Errorf("doubted %v, liars %v, proofs %v", st.Doubted, st.Liars, st.Proofs)
	}
	w.announce(t, late)
	w.say(t, late, gossip.StatePart)
	if compared(t, late); covers(late, maker) {
		t.Error("a state of a peer in doubt is adopted")
	}
	late.node.onOwner(t, func(o *owner) {
		if _, any := o.bestState(late.id, o.adopting[late.id]); any {
			t.Error("a state of a peer in doubt is asked for")
		}
		if o.coldOf(late.id).mistrusts(maker.node.id, o.n.opts.Now().Add(doubtedFor+time.Second)) {
			t.Error("it is in doubt for good")
		}
	})
}

// TestSpotsKeepTheBudget: nobody is asked for a memo in a second whose budget is spent,
// and a place that nobody can be asked about is given up in the end.
func TestSpotsKeepTheBudget(t *testing.T) {
	maker, late := adopters(t, Options{}, 3)
	late.node.onOwner(t, func(o *owner) {
		now, h := o.n.opts.Now(), memo.Head{Author: maker.node.id, Seq: 9}
		o.core.Know(now, late.id, maker.node.id)
		o.core.Step(now, gossip.PeerUp{Peer: maker.node.id}, &o.eff)
		o.core.Step(now, gossip.Load{Capacity: leastBudget}, &o.eff)
		o.eff.Reset()
		o.core.Take(now, leastBudget)
		sp := &spot{space: late, head: h, want: h, until: now.Add(spotPatience)}
		if o.goOn(now, sp) || len(o.todo) > 0 {
			t.Error("it asks beyond the budget")
		}
		later := now.Add(2 * time.Second)
		if !o.goOn(later, sp) || len(o.todo) != 1 || o.spot != sp {
			t.Error("it does not ask within the budget")
		}
		o.todo, o.spot = nil, nil
		if !o.goOn(later, sp) && !o.goOn(later.Add(spotPatience), sp) || o.spot != nil || o.counts.unaudited != 1 {
			t.Errorf("it is not given up; %d were", o.counts.unaudited)
		}
		for range maxSpots + 1 {
			o.await(&spot{})
		}
		if len(o.spots) != maxSpots || o.counts.unaudited != 2 {
			t.Errorf("%d places wait, %d were given up", len(o.spots), o.counts.unaudited)
		}
		o.spots = nil
	})
}

// TestLots: whatever is offered is drawn as often as anything else, and a row is drawn
// with a memo that is new behind it.
func TestLots(t *testing.T) {
	some := lot{chance: newChance(1)}
	const offered, trials = 10, 3000
	drawn := map[string]int{}
	for range trials {
		l := lot{chance: some.chance, most: spotRows}
		for i := range offered {
			l.offer(pick{key: fmt.Sprint(i)})
		}
		for _, p := range l.drawn {
			drawn[p.key]++
		}
	}
	for key, n := range drawn {
		if mean := trials * spotRows / offered; n < mean*3/4 || n > mean*5/4 { // ten deviations
			t.Errorf("%s was drawn %d times, the mean is %d", key, n, mean)
		}
	}
	if len(drawn) != offered {
		t.Errorf("%d of %d were drawn at all", len(drawn), offered)
	}
	one, two := merge.Stamp{Time: 1, ID: memo.ID{1}}, merge.Stamp{Time: 2, ID: memo.ID{2}}
	if s, ok := some.oneOf([]merge.Stamp{one, two}, []merge.Stamp{one}); !ok || s != two {
		t.Errorf("%v was drawn, %v is new", s, two)
	}
	if s, ok := some.oneOf([]merge.Stamp{one}, []merge.Stamp{one}); !ok || s != one {
		t.Errorf("of none that is new %v was drawn", s)
	}
	st := foreignState{lots: newLots(some.chance), heads: []store.SealedMark{{Mark: memo.Mark{Head: memo.Head{Author: PeerID{1}, Seq: 9}}}, {Mark: memo.Mark{Head: memo.Head{Author: PeerID{2}, Seq: 4}}}}}
	var before memo.Vector
	before.Set(memo.Mark{Head: memo.Head{Author: PeerID{1}, Seq: 8}})
	before.Set(memo.Mark{Head: memo.Head{Author: PeerID{2}, Seq: 3}})
	picks := st.memos(before)
	slices.SortFunc(picks, func(a, b pick) int { return a.head.Author.Compare(b.head.Author) })
	want := []pick{{"", memo.Head{Author: PeerID{1}, Seq: 9}}, {"", memo.Head{Author: PeerID{2}, Seq: 4}}}
	if !slices.Equal(picks, want) {
		t.Errorf("of two memos %v were drawn", picks)
	}
}

// TestLiarInASwarm: of three replicas on a network one signs a state in which a row is
// altered, one made up and one left out, while another is cut off. That one adopts what
// it is told, asks the others for the memos behind it, finds all three out, and adopts
// nothing more of the liar, also after a restart, until it is pardoned. What it found
// convinces the third.
func TestLiarInASwarm(t *testing.T) {
	ctx := t.Context()
	liar, third, dir := startLinked(t, t.TempDir(), Options{}), startLinked(t, t.TempDir(), Options{}), t.TempDir()
	late := startLinked(t, dir, Options{})
	var err error
	if liar.space, err = liar.CreateSpace("default", Policy{Trust: memo.Adopt}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*linked{third, late} {
		joinOver(t, liar, r, 1<<30)
	}
	waitUntil(t, "both have the genesis", func() bool { return covers(late.space, liar.space) && covers(third.space, liar.space) })
	if err := late.Block(); err != nil {
		t.Fatal(err)
	}
	for i, row := range []string{"row18", "row19"} {
		if _, err := liar.space.Put(ctx, "t", row, Fields{"v": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	w := liar.space.wordFor(t, forge(t, liar.space, wordOf(t, liar.space).folded, func(rows map[string]merge.Row) {
		rows[merge.RowKey("t", "row99")] = rows[merge.RowKey("t", "row19")]
		alter(rows, "row19")
		delete(rows, merge.RowKey("t", "row18"))
	}))
	w.announce(t, late.space)
	w.say(t, late.space, gossip.StatePart)
	waitUntil(t, "the state is adopted", func() bool { return covers(late.space, liar.space) })
	if err := late.Unblock(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the lies are found out", func() bool { return len(spaceStatus(t, late.space).Proofs) == 3 })
	st, found := spaceStatus(t, late.space), map[string]bool{}
	for _, p := range st.Proofs {
		if found[p.Row] = p.Omitted; p.Peer != liar.id || p.Root != w.id || p.Topic != "t" {
			t.Errorf("%+v", p)
		}
		evidence, err := late.Evidence(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := third.space.Accuse(ctx, evidence); err != nil || q.ID != p.ID {
			t.Errorf("the third is not convinced: %+v, %v", q, err)
		}
	}
	if diff := cmp.Diff(map[string]bool{"row18": true, "row19": false, "row99": false}, found); diff != "" {
		t.Error(diff)
	}
	for _, r := range []*linked{late, third} {
		if liars := spaceStatus(t, r.space).Liars; !slices.Equal(liars, []PeerID{liar.id}) {
			t.Errorf("liars: %v", liars)
		}
	}
	late.stop(t)
	again := reopen(t, dir)
	if now := spaceStatus(t, again); len(now.Proofs) != 3 || !slices.Equal(now.Liars, st.Liars) || again.mistrusted(t) != 1 {
		t.Errorf("after a restart: liars %v, proofs %+v", now.Liars, now.Proofs)
	}
	if n, err := again.Pardon(ctx, liar.id); err != nil || n != 3 || again.mistrusted(t) != 0 {
		t.Errorf("%d proofs are pardoned, %v", n, err)
	}
	if _, err := again.node.Evidence(st.Proofs[0].ID); !errors.Is(err, ErrNoProof) {
		t.Errorf("a proof stays: %v", err)
	}
	if _, err := third.space.Accuse(ctx, []byte("?")); !errors.Is(err, ErrBadEvidence) {
		t.Errorf("anything convinces: %v", err)
	}
}

// mistrusted counts the peers of whom nothing is adopted.
func (s *Space) mistrusted(t testing.TB) (n int) {
	s.node.onOwner(t, func(o *owner) {
		c := o.coldOf(s.id)
		for m := range s.Vector().All() {
			if c.mistrusts(m.Author, o.n.opts.Now()) {
				n++
			}
		}
	})
	return n
}
