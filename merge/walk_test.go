package merge_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// rowStates gives each key a row state; versions differ. Some states are short
// enough to stay in the leaf, some rows share one.
func rowStates(t testing.TB, keys []string, version int) map[string][]byte {
	t.Helper()
	long := func(i int) []byte {
		return encode(t, delta(t, stamp(memo.Time(version), i), false, set("city", fmt.Sprint(i)), set("name", "Thigpen")))
	}
	short, shared := encode(t, delta(t, stamp(memo.Time(version), 1), true)), long(0)
	m := map[string][]byte{}
	for i, key := range keys {
		switch {
		case i%7 == 0:
			m[key] = short
		case i%5 == 0:
			m[key] = shared
		default:
			m[key] = long(i)
		}
	}
	return m
}

func buildState(t testing.TB, p merge.Params, m map[string][]byte, put merge.BlockPutter) memo.ID {
	t.Helper()
	root, err := merge.BuildState(p, keyed(m), put)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// reachable returns the blocks of a state tree.
func reachable(t testing.TB, p merge.Params, b blocks, state memo.ID) map[memo.ID]bool {
	t.Helper()
	all := maps.Clone(b)
	vector, err := merge.BuildVector(p, memo.Vector{}, all)
	if err != nil {
		t.Fatal(err)
	}
	out := map[memo.ID]bool{}
	err = merge.Reach(all, merge.Root{Params: p, Vector: vector, State: state}, func(id memo.ID) bool {
		seen := out[id]
		out[id] = true
		return !seen
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ours := b[vector]; !ours {
		delete(out, vector)
	}
	return out
}

func newWalk(t testing.TB, g merge.BlockGetter, o merge.WalkOptions) *merge.Walk {
	t.Helper()
	w, err := merge.NewWalk(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func next(t testing.TB, w *merge.Walk, limit int) []memo.ID {
	t.Helper()
	ids, err := w.Next(limit)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// Whatever is held already, whatever the base, in whatever order answers come or
// get lost: just what is missing is asked for, once each, and all of it comes.
func TestWalkBringsWhatIsMissing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := treeParams().Draw(rt, "params")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		keys := randomKeys(r.Uint64(), rapid.IntRange(0, 300).Draw(rt, "n"))
		m, there := rowStates(t, keys, 2), blocks{}
		o := merge.WalkOptions{Params: p, Tree: buildState(t, p, m, there), Rows: true}
		need := reachable(t, p, there, o.Tree)

		here := blocks{}
		if rapid.Bool().Draw(rt, "base") {
			o.Base = buildState(t, p, related(t, r, m, rapid.IntRange(0, 40).Draw(rt, "changes")), here)
		}
		partly := rapid.Float64Range(0, 1).Draw(rt, "held")
		for _, id := range slices.SortedFunc(maps.Keys(need), memo.ID.Compare) {
			if r.Float64() < partly {
				here[id] = there[id]
			}
		}
		for id := range here {
			delete(need, id)
		}
		drive(rt, r, newWalk(t, here, o), there, here, need)
		reachable(t, p, here, o.Tree) // fails if a block is missing
	})
}

// related returns m with some keys removed, changed and added.
func related(t testing.TB, r *rand.Rand, m map[string][]byte, changes int) map[string][]byte {
	m = maps.Clone(m)
	old := rowStates(t, keysOf(m), 1)
	for _, key := range keysOf(m) {
		switch r.IntN(len(m)) < changes {
		case r.IntN(3) == 0:
			delete(m, key)
		case r.IntN(2) == 0:
			m[key] = old[key]
		case true:
			m[key+"+"] = old[key]
		}
	}
	return m
}

// drive answers a walk out of there, in random order, with losses and lies, and
// puts what comes into here. need is what must be asked for, and is used up.
func drive(t *rapid.T, r *rand.Rand, w *merge.Walk, there, here blocks, need map[memo.ID]bool) {
	var asked []memo.ID
	lost, lies := rapid.Float64Range(0, 0.5).Draw(t, "lost"), rapid.Float64Range(0, 0.3).Draw(t, "lies")
	for steps := 0; !w.Done(); steps++ {
		ids, err := w.Next(1 + r.IntN(20))
		if err != nil || steps > 100_000 {
			t.Fatalf("after %d steps: %v", steps, err)
		}
		for _, id := range ids {
			if !need[id] {
				t.Fatalf("asked for %s, which is held, was asked for before or is not of the tree", id)
			}
			delete(need, id)
		}
		asked = append(asked, ids...)
		if w.Open() != len(asked) {
			t.Fatalf("%d are open, %d were asked for", w.Open(), len(asked))
		}
		for range r.IntN(len(asked) + 1) {
			i := r.IntN(len(asked))
			id := asked[i]
			if r.Float64() < lies {
				if err := w.Take(id, append(bytes.Clone(there[id]), 0)); !errors.Is(err, merge.ErrNode) || errors.Is(err, merge.ErrTree) {
					t.Fatalf("a lie: %v", err)
				}
			}
			asked = slices.Delete(asked, i, i+1)
			if r.Float64() < lost {
				w.Again(id)
				need[id] = true
				continue
			}
			if err := w.Take(id, there[id]); err != nil {
				t.Fatal(err)
			}
			here[id] = there[id]
		}
	}
	if len(need) > 0 {
		t.Fatalf("done, and %d blocks were not asked for", len(need))
	}
}

// A sender who does not send what was asked for is found out at once, wherever in
// the tree it is; the right block is taken afterwards.
func TestWalkRefusesLies(t *testing.T) {
	p := smallParams()
	there := blocks{}
	tree := buildState(t, p, rowStates(t, randomKeys(3, 120), 1), there)
	all := slices.SortedFunc(maps.Keys(there), memo.ID.Compare)
	w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: tree, Rows: true})
	taken := 0
	for !w.Done() {
		for _, id := range next(t, w, 10) {
			for at := 0; at < len(there[id]); at += 1 + len(there[id])/20 {
				flipped := bytes.Clone(there[id])
				flipped[at] ^= 1 << (at % 8)
				lie(t, w, id, flipped, fmt.Sprintf("bit in byte %d flipped", at))
			}
			for _, other := range all {
				if other != id {
					lie(t, w, id, there[other], "another block of the tree")
				}
			}
			lie(t, w, id, nil, "nothing")
			lie(t, w, id, there[id][:len(there[id])-1], "truncated")
			lie(t, w, id, append(bytes.Clone(there[id]), make([]byte, 1<<16)...), "huge")
			if err := w.Take(id, there[id]); err != nil {
				t.Fatalf("the honest block after the lies: %v", err)
			}
			lie(t, w, id, there[id], "what came already")
			taken++
		}
	}
	if want := len(reachable(t, p, there, tree)); taken != want {
		t.Errorf("%d blocks taken, the tree has %d", taken, want)
	}
}

func lie(t *testing.T, w *merge.Walk, id memo.ID, data []byte, what string) {
	t.Helper()
	err := w.Take(id, data)
	if !errors.Is(err, merge.ErrNode) || errors.Is(err, merge.ErrTree) || !strings.Contains(err.Error(), id.String()) {
		t.Fatalf("%s: %v", what, err)
	}
}

// forged is a tree whose root says something that is not so, over honest blocks.
func forged(t *testing.T, p merge.Params, b blocks, root memo.ID, forge func(*merge.Node)) memo.ID {
	t.Helper()
	n, err := merge.DecodeNode(p, b[root], merge.Place{})
	if err != nil {
		t.Fatal(err)
	}
	n.Items = slices.Clone(n.Items)
	forge(&n)
	data := merge.EncodeNode(nil, n)
	id := memo.Sum(data)
	b[id] = data
	return id
}

// Who names a tree that is none is found out, whether the blocks come from
// elsewhere, are held, or are part of the base; who sends honest blocks is not
// accused.
func TestWalkRefusesWhatIsNoTree(t *testing.T) {
	p := smallParams()
	there := blocks{}
	m := rowStates(t, randomKeys(3, 120), 1)
	tree := buildState(t, p, m, there)
	long := m[keysOf(m)[1]]
	inLeaf := func(value []byte) memo.ID {
		root, err := merge.Build(p, entriesOf(map[string][]byte{"k": value}), there)
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	short := encode(t, delta(t, stamp(1, 1), true))
	for name, c := range map[string]struct {
		tree memo.ID
		want error
	}{
		"a wrong count":        {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Count++ }), merge.ErrNode},
		"a wrong domain":       {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Dom = 0 }), merge.ErrNode},
		"a wrong first key":    {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Key += "+" }), merge.ErrNode},
		"overlapping children": {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1] = n.Items[0]; n.Items[1].Key += "+" }), merge.ErrNode},
		"a key of the next":    {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Key = n.Items[0].Key + "\x00" }), merge.ErrNode},
		"one child twice": {forged(t, p, there, tree, func(n *merge.Node) {
			second := n.Items[1].Key
			n.Items[1] = n.Items[0]
			n.Items[1].Key = second
		}), merge.ErrNode},
		"a row for a node":     {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Child = memo.Sum(long) }), memo.ErrMalformed},
		"itself for a leaf":    {forged(t, p, there, tree, func(n *merge.Node) { n.Items[1].Child = tree }), merge.ErrNode},
		"a node for a row":     {inLeaf(cbor(t, tree)), memo.ErrMalformed},
		"a short row's block":  {inLeaf(cbor(t, memo.Sum(short))), memo.ErrNotCanonical},
		"no row in a leaf":     {inLeaf(cbor(t, arr{1, 2})), memo.ErrMalformed},
		"no row and no digest": {inLeaf(cbor(t, memo.Bytes("short"))), memo.ErrMalformed},
	} {
		there[memo.Sum(short)] = short
		for who, here := range map[string]blocks{"sent": {}, "held": there} {
			for _, base := range []memo.ID{{}, tree} {
				if !base.IsZero() && who == "sent" {
					continue
				}
				w := newWalk(t, here, merge.WalkOptions{Params: p, Tree: c.tree, Base: base, Rows: true})
				if err := bring(w, there); !errors.Is(err, merge.ErrTree) || !errors.Is(err, c.want) {
					t.Errorf("%s, %s, base %v: %v", name, who, !base.IsZero(), err)
				}
				if _, err := w.Next(1); !errors.Is(err, merge.ErrTree) || w.Done() {
					t.Errorf("%s, %s: goes on: %v", name, who, err)
				}
			}
		}
	}
}

// bring answers all that a walk asks for.
func bring(w *merge.Walk, from blocks) error {
	for !w.Done() {
		ids, err := w.Next(64)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := w.Take(id, from[id]); err != nil {
				return err
			}
		}
	}
	return nil
}

// The last key of a subtree that both trees have may belong behind the next one
// in a tree that is none: that the base has it proves only what is below it.
func TestWalkChecksTheEndOfWhatTheBaseHas(t *testing.T) {
	p := smallParams()
	here := blocks{}
	m := valued(randomKeys(5, 400))
	base, err := merge.Build(p, entriesOf(m), here)
	if err != nil {
		t.Fatal(err)
	}
	other := after(m, map[string][]byte{keysOf(m)[399] + "+": {0x01}})
	tree, err := merge.Build(p, entriesOf(other), here)
	if err != nil {
		t.Fatal(err)
	}
	first := func(n *merge.Node, i int) string { return n.Items[i].Key }
	bad := forged(t, p, here, tree, func(n *merge.Node) {
		if n.Level < 2 {
			t.Fatalf("a tree of %d levels shows nothing", n.Level+1)
		}
		// the second child begins a little after the first: the last keys of the first
		// are behind that, which only its last leaf shows
		n.Items[1].Key = first(n, 0) + "\x00"
	})
	w := newWalk(t, here, merge.WalkOptions{Params: p, Tree: bad, Base: base})
	if err := bring(w, here); !errors.Is(err, merge.ErrTree) {
		t.Errorf("%v", err)
	}
}

// Trees that differ in k keys cost k ways down, not their size.
func TestWalkCostsWhatDiffers(t *testing.T) {
	p := testParams()
	keys := randomKeys(11, 100_000)
	m, there := rowStates(t, keys, 1), blocks{}
	base := buildState(t, p, m, there)
	here := maps.Clone(there)
	h := height(t, p, there, base)
	for _, k := range []int{1, 10, 100, 1_000} {
		changed := rowStates(t, keys[:k], 2)
		tree, err := merge.Replace(p, there, base, keyed(changed), there)
		if err != nil {
			t.Fatal(err)
		}
		held := &counting{blocks: here}
		w := newWalk(t, held, merge.WalkOptions{Params: p, Tree: tree, Base: base, Rows: true})
		asked := 0
		for !w.Done() {
			for _, id := range next(t, w, 1_000) {
				asked++
				if err := w.Take(id, there[id]); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Logf("height %d, %d keys changed: %d blocks asked for, %d looked up", h, k, asked, held.reads)
		if most := k*(h+1) + p.W; asked > most || held.reads > 4*most {
			t.Errorf("%d keys took %d blocks and %d lookups, the bounds are %d and %d", k, asked, held.reads, most, 4*most)
		}
	}
}

// A reader's row is there after height+1 answers, whatever else is under way.
func TestWalkPrefersKeys(t *testing.T) {
	p := testParams()
	keys := slices.Sorted(slices.Values(randomKeys(12, 20_000)))
	there := blocks{}
	tree := buildState(t, p, rowStates(t, keys, 1), there)
	h := height(t, p, there, tree)
	for _, late := range []bool{false, true} {
		here := blocks{}
		w := newWalk(t, here, merge.WalkOptions{Params: p, Tree: tree, Rows: true})
		take := func(ids []memo.ID) {
			for _, id := range ids {
				here[id] = there[id]
				if err := w.Take(id, there[id]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if late { // with much known already
			for range 40 {
				take(next(t, w, 8))
			}
		}
		key := keys[len(keys)*3/4+1]
		if _, _, err := merge.StateRow(p, here, tree, key); err == nil {
			t.Fatal("the row is there before it was asked for: this shows nothing")
		}
		w.Prefer(key)
		for range h + 1 {
			take(next(t, w, 1))
		}
		if _, ok, err := merge.StateRow(p, here, tree, key); !ok || err != nil {
			t.Errorf("late %v: not there after %d answers: %v", late, h+1, err)
		}
	}
}

// keyedOf is keyed in any order that the test wants.
func keyedOf(rows ...merge.KeyedRow) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}
