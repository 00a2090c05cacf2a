package merge_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// What a walk remembers is bounded, however wide the tree and the window are.
func TestWalkMemoryIsBounded(t *testing.T) {
	p := testParams()
	there := blocks{}
	tree := buildState(t, p, rowStates(t, randomKeys(13, 100_000), 1), there)
	w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: tree, Rows: true})
	for range merge.MaxFrontier / p.M { // what does not come leaves nothing behind
		w.Again(next(t, w, 1)[0])
	}
	most := 0
	for !w.Done() {
		ids := next(t, w, 1<<20)
		if len(ids) == 0 {
			t.Fatal("nothing is open, nothing held, and the walk stands still")
		}
		for _, id := range ids {
			if err := w.Take(id, there[id]); err != nil {
				t.Fatal(err)
			}
			most = max(most, merge.Frontier(w))
		}
	}
	t.Logf("at most %d blocks known and not asked for", most)
	if most > merge.MaxFrontier || most < merge.MaxFrontier/4 {
		t.Errorf("%d blocks on the frontier, the bound is %d", most, merge.MaxFrontier)
	}
}

// A block that many places name and that does not come is remembered for as many
// of them as a node has; the walk waits for it then.
func TestWalkRemembersFewPlacesOfABlock(t *testing.T) {
	p := smallParams()
	there := blocks{}
	keys := slices.Sorted(slices.Values(randomKeys(3, 16)))
	inner := func(level int, keys []string, child func(i int) (memo.ID, uint64)) memo.ID {
		n := merge.Node{Level: level}
		for i, key := range keys {
			id, count := child(i)
			n.Items = append(n.Items, merge.Item{Key: key, Child: id, Count: count, Dom: 1})
		}
		data := merge.EncodeNode(nil, n)
		there[memo.Sum(data)] = data
		return memo.Sum(data)
	}
	tree := inner(2, []string{keys[0], keys[4], keys[8], keys[12]}, func(i int) (memo.ID, uint64) {
		return inner(1, keys[4*i:4*i+4], func(int) (memo.ID, uint64) { return memo.Sum([]byte("withheld")), 4 }), 16
	})
	w := newWalk(t, there, merge.WalkOptions{Params: p, Tree: tree})
	// The first two nodes of level 1 name it in M places; the four of the third wait,
	// and before them the fourth is not read.
	if got := next(t, w, 100); len(got) != 1 || w.Open() != 1 || merge.Frontier(w) != 4+1 {
		t.Errorf("asked for %v; %d blocks wait, want 5", got, merge.Frontier(w))
	}
}

// One call reads a bounded part of what is held, and a tree that is held whole
// ends without a question.
func TestWalkReadsWhatIsHeldInParts(t *testing.T) {
	p := testParams()
	held := &counting{blocks: blocks{}}
	tree := buildState(t, p, rowStates(t, randomKeys(14, 5_000), 1), held)
	w := newWalk(t, held, merge.WalkOptions{Params: p, Tree: tree, Rows: true})
	for calls := 1; !w.Done(); calls++ {
		if ids := next(t, w, 10); len(ids) > 0 {
			t.Fatalf("asked for %d blocks that are held", len(ids))
		}
		if held.reads > calls*merge.HeldPerCall {
			t.Fatalf("%d blocks read in %d calls", held.reads, calls)
		}
	}
}

// Rows come in the order of their keys; above MaxPreferred keys nobody is
// preferred.
func TestWalkGoesByKey(t *testing.T) {
	p := testParams()
	keys := slices.Sorted(slices.Values(randomKeys(15, 2_000)))
	there, m := blocks{}, map[string][]byte{}
	for i, key := range keys {
		m[key] = encode(t, delta(t, stamp(memo.Time(i+1), 1), false, set("a", "x"), set("b", "a value too long for a leaf")))
	}
	w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: buildState(t, p, m, there), Rows: true})
	for range merge.MaxPreferred {
		w.Prefer("zz")
	}
	w.Prefer(keys[1_000])
	var rows []memo.ID
	for !w.Done() {
		for _, id := range next(t, w, 1) {
			if _, err := merge.DecodeRow(there[id]); err == nil {
				rows = append(rows, id)
			}
			if err := w.Take(id, there[id]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, key := range keys {
		if rows[i] != memo.Sum(m[key]) {
			t.Fatalf("row %d is not that of the key in that place", i)
		}
	}
}

// An answer that is not there yet, a base that is not whole, a getter that fails.
func TestWalkAndItsGetter(t *testing.T) {
	p := smallParams()
	there := blocks{}
	m := rowStates(t, randomKeys(3, 120), 1)
	tree := buildState(t, p, m, there)
	base := buildState(t, p, related(t, rand.New(rand.NewPCG(1, 1)), m, 5), blocks{})
	o := merge.WalkOptions{Params: p, Tree: tree, Base: base, Rows: true}
	if err := bring(newWalk(t, blocks{}, o), there); err != nil {
		t.Errorf("with a base that is not held: %v", err)
	}
	broken := errors.New("disk on fire")
	for _, base := range []memo.ID{{}, base} {
		w := newWalk(t, failing{broken}, merge.WalkOptions{Params: p, Tree: tree, Base: base})
		if _, err := w.Next(1); !errors.Is(err, broken) || errors.Is(err, merge.ErrTree) {
			t.Errorf("a getter that fails: %v", err)
		}
	}
	w := newWalk(t, blocks{tree: []byte("rotten")}, merge.WalkOptions{Params: p, Tree: tree})
	if _, err := w.Next(1); !errors.Is(err, merge.ErrNode) || errors.Is(err, merge.ErrTree) {
		t.Errorf("a getter that gives another block: %v", err)
	}
	if w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: tree, Base: tree}); !w.Done() {
		t.Error("the base itself is not there at once")
	}
	w = newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: tree})
	w.Again(tree) // was never asked for
	if got := next(t, w, 5); !slices.Equal(got, []memo.ID{tree}) || w.Open() != 1 || w.Done() {
		t.Errorf("asked for %v first", got)
	}
	if _, err := merge.NewWalk(blocks{}, merge.WalkOptions{}); !errors.Is(err, merge.ErrParams) {
		t.Errorf("without parameters: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Block(memo.ID) ([]byte, error) { return nil, f.err }
