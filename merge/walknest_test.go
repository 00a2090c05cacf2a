package merge_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// Nested rows come with the tree they are in: whatever is held, whatever the base
// has of them, just what is missing is asked for, once each, and all of it comes.
func TestWalkBringsNestedRows(t *testing.T) {
	nested := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := treeParams().Draw(rt, "params")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		now, before := rowStates(t, randomKeys(r.Uint64(), 20), 2), map[string][]byte{}
		maps.Copy(before, now)
		for i := range rapid.IntRange(1, 3).Draw(rt, "heavy rows") {
			key, twin := fmt.Sprintf("%08x/%d", r.Uint32(), i), fmt.Sprintf("%08x/twin", r.Uint32())
			ws := mergetest.Heavy().Draw(rt, "history")
			now[key] = encode(t, mergetest.Naive(ws))
			now[twin] = now[key] // the trees of both rows are one
			before[key] = encode(t, mergetest.Naive(ws[:rapid.IntRange(0, len(ws)).Draw(rt, "of them")]))
			if len(now[key]) > merge.MaxRowBlock {
				nested++
			}
		}
		there, here := blocks{}, blocks{}
		o := merge.WalkOptions{Params: p, Tree: buildState(t, p, now, there), Rows: true}
		if rapid.Bool().Draw(rt, "base") {
			o.Base = buildState(t, p, before, here)
		}
		need := reachable(t, p, there, o.Tree)
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
		if o.Base.IsZero() && len(here) != len(there) {
			t.Fatalf("brought %d blocks of %d", len(here), len(there))
		}
	})
	if nested == 0 {
		t.Error("the generator draws no nested rows")
	}
}

// One element more in a nested row costs a walk that knows the row before it the
// blocks that differ, and who prefers the row gets it first.
func TestWalkOfNestedRows(t *testing.T) {
	p, here, there := testParams(), blocks{}, blocks{}
	row := large(5_000, 1, 1)
	m := rowStates(t, randomKeys(3, 2_000), 1)
	key := "8000"
	m[key] = encode(t, row)
	base := buildState(t, p, m, here)
	m[key] = encode(t, merge.Join(row, delta(t, when(9_000, 1), false, change(t, row, 1, []memo.Value{memo.Int(-1)}, nil))))
	tree := buildState(t, p, m, there)

	g := &counting{blocks: here}
	w := newWalk(t, g, merge.WalkOptions{Params: p, Tree: tree, Base: base, Rows: true})
	if err := bring(w, there); err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for id := range there {
		if here[id] == nil {
			fresh++
		}
	}
	t.Logf("%d blocks of %d are new; %d were looked up", fresh, len(there), g.reads)
	if fresh > 10 || g.reads > 60 {
		t.Errorf("%d blocks were looked up and %d are new", g.reads, fresh)
	}

	w = newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: tree, Rows: true})
	w.Prefer(key)
	got, need := blocks{}, 0
	for ; !w.Done(); need++ {
		id := next(t, w, 1)[0]
		if err := w.Take(id, there[id]); err != nil {
			t.Fatal(err)
		}
		got[id] = there[id]
		if _, ok, err := merge.StateRow(p, got, tree, key); ok && err == nil {
			break
		}
	}
	t.Logf("the preferred row is there after %d of %d blocks", need, len(there))
	if _, _, err := merge.StateRow(p, got, tree, key); err != nil || need > 250 {
		t.Errorf("the preferred row is there after %d blocks: %v", need, err)
	}
}

// Who names a nested row that is none is found out by the block that shows it.
func TestWalkRefusesWhatIsNoNestedRow(t *testing.T) {
	p, there := smallParams(), blocks{}
	root := stateOf(t, p, mixedRow(t), there)
	n, tree, _ := head(t, p, there, root)
	s := stamp(9, 1)
	long := encode(t, delta(t, s, false, set("a", strings.Repeat("x", merge.MaxRowBlock))))
	short := encode(t, delta(t, s, false, set("a", "")))
	unused := rowBytes(t, arr{prov(s), prov(stamp(10, 1))}, nil, arr{memo.Bytes("a"), 0, 0, 1, "x"})
	node, made := build(t, testParams(), valued(sequentialKeys(30)))
	maps.Copy(there, made)
	for _, data := range [][]byte{long, short} {
		there[memo.Sum(data)] = data
	}
	one := func(key string, value any) arr {
		id, err := merge.Build(p, listed(merge.Entry{Key: key, Value: cbor(t, value)}), there)
		if err != nil {
			t.Fatal(err)
		}
		return arr{2, 1, id}
	}
	for name, c := range map[string]struct {
		value any
		want  error
	}{
		"another count":               {arr{2, n + 1, tree}, memo.ErrNotCanonical},
		"no pieces":                   {arr{2, 0, tree}, memo.ErrMalformed},
		"a piece for a tree":          {arr{2, 1, memo.Sum(long)}, memo.ErrMalformed},
		"a node for a piece":          {one("a\x00\x00", node), memo.ErrMalformed},
		"a piece of another key":      {one("b\x00\x00", memo.Sum(long)), memo.ErrMalformed},
		"a short piece's block":       {one("a\x00\x00", memo.Sum(short)), memo.ErrNotCanonical},
		"an empty piece":              {one("", arr{arr{}, nil}), memo.ErrMalformed},
		"a piece that is not in form": {arr{2, 1, treeOf(t, p, there, []piece{{"a\x00\x00", unused}})}, memo.ErrNotCanonical},
		"a nested row within":         {one("", arr{2, n, tree}), memo.ErrMalformed},
		"a row too long for a block":  {memo.Sum(long), memo.ErrNotCanonical},
	} {
		bad := valueIn(t, p, there, c.value)
		w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: bad, Rows: true})
		if err := bring(w, there); !errors.Is(err, merge.ErrTree) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	w := newWalk(t, blocks{}, merge.WalkOptions{Params: p, Tree: valueIn(t, p, there, arr{2, n, tree}), Rows: true})
	if err := bring(w, there); err != nil {
		t.Errorf("a nested row: %v", err)
	}
}
