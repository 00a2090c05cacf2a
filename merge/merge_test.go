package merge_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/merge/mergetest"
)

// history is a set of memos: what is written to which row.
type history map[string][]mergetest.Write

// heavyRows of a history are large, so that some are nested.
const heavyRows = 2

// histories draws what was written to some rows, and which of it each of n
// replicas has.
func histories(t *rapid.T, n int) []history {
	out := make([]history, n)
	for i := range out {
		out[i] = history{}
	}
	for row := range rapid.IntRange(0, 30).Draw(t, "rows") {
		key := merge.RowKey("t", fmt.Sprint(row))
		writes := mergetest.Histories()
		if row < heavyRows {
			writes = mergetest.Heavy()
		}
		for _, w := range writes.Draw(t, "history") {
			for who := rapid.IntRange(1, 1<<n-1).Draw(t, "who"); who > 0; who &= who - 1 {
				i := 0
				for who>>i&1 == 0 {
					i++
				}
				out[i][key] = append(out[i][key], w)
			}
		}
	}
	return out
}

func union(hs ...history) history {
	out := history{}
	for _, h := range hs {
		for key, ws := range h {
			out[key] = append(out[key], ws...)
		}
	}
	return out
}

// states yields the row states after a history, by the naive rules.
func (h history) states(t *rapid.T) iter.Seq2[merge.KeyedRow, error] {
	m := map[string][]byte{}
	for key, ws := range h {
		m[key] = encode(t, mergetest.Naive(ws))
	}
	return keyed(m)
}

func keyed(m map[string][]byte) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for _, k := range keysOf(m) {
			if !yield(merge.KeyedRow{Key: k, State: m[k]}, nil) {
				return
			}
		}
	}
}

// vector is the cut of a history: per author the greatest (seq, digest).
func (h history) vector() (v memo.Vector) {
	for _, ws := range h {
		for _, w := range ws {
			var one memo.Vector
			one.Set(memo.Mark{Head: memo.Head{Author: w.Stamp.Author, Seq: w.Stamp.Seq, ID: w.Stamp.ID}, Time: w.Stamp.Time})
			v.Join(one)
		}
	}
	return v
}

// root is the root of a history, from scratch.
func (h history) root(t *rapid.T, p merge.Params, put merge.BlockPutter) merge.Root {
	r := merge.Root{Params: p}
	var err error
	if r.Vector, err = merge.BuildVector(p, h.vector(), put); err != nil {
		t.Fatal(err)
	}
	if r.State, err = merge.BuildState(p, h.states(t), put); err != nil {
		t.Fatal(err)
	}
	return r
}

// Root is a homomorphism: Merge(Root(A), Root(B)) == Root(A ∪ B), byte for byte,
// and so commutative, associative and idempotent.
func TestMergeOfRootsIsTheRootOfTheUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		hs := histories(t, 3)
		b := blocks{}
		merged := func(x, y merge.Root) merge.Root {
			r, err := merge.MergeRoot(b, x, y, b)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		ra, rb, rc := hs[0].root(t, p, b), hs[1].root(t, p, b), hs[2].root(t, p, b)
		ab := merged(ra, rb)
		same := func(what string, got, want merge.Root) {
			x, err := got.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if y, err := want.Encode(); err != nil || !bytes.Equal(x, y) {
				t.Fatalf("%s: %v, want %v (%v)", what, got, want, err)
			}
		}
		same("Root(A ∪ B)", ab, union(hs[0], hs[1]).root(t, p, nil))
		same("b∨a", merged(rb, ra), ab)
		same("a∨b∨b", merged(ab, rb), ab)
		same("(a∨b)∨c", merged(ab, rc), union(hs...).root(t, p, nil))
		same("a∨(b∨c)", merged(ra, merged(rb, rc)), union(hs...).root(t, p, nil))
	})
}

// ApplyState folds deltas into a state, in any order and batches, with
// duplicates: the state of the union, from scratch.
func TestApplyStateIsBuildStateOfTheUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		hs := histories(t, 2)
		b := blocks{}
		got, err := merge.BuildState(p, hs[0].states(t), b)
		if err != nil {
			t.Fatal(err)
		}
		var parts []history
		all := union(hs...)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			for _, w := range all[key] {
				i := rapid.IntRange(0, 4).Draw(t, "part")
				for len(parts) <= i {
					parts = append(parts, history{})
				}
				parts[i][key] = append(parts[i][key], w)
			}
		}
		for _, part := range rapid.Permutation(parts).Draw(t, "order") {
			if got, err = merge.ApplyState(p, b, got, part.states(t), b); err != nil {
				t.Fatal(err)
			}
		}
		want, err := merge.BuildState(p, union(hs...).states(t), nil)
		if err != nil || got != want {
			t.Fatalf("applied %s, built %s: %v", got, want, err)
		}
	})
}

func TestMergeOfRootsRefuses(t *testing.T) {
	a, b := merge.Root{Params: testParams()}, merge.Root{Params: smallParams()}
	if r, err := merge.MergeRoot(blocks{}, a, b, nil); !errors.Is(err, merge.ErrParams) || r != (merge.Root{}) {
		t.Errorf("roots of two spaces: %v, %v", r, err)
	}
}

// vectorOf puts a vector tree of one author with the given entry.
func vectorOf(t testing.TB, b blocks, entry any) memo.ID {
	t.Helper()
	id, err := merge.Build(testParams(), listed(merge.Entry{Key: "author", Value: cbor(t, entry)}), b)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestMergeVectorByExample(t *testing.T) {
	b, low, high := blocks{}, memo.ID{1}, memo.ID{2}
	for name, c := range map[string]struct{ a, b, want arr }{
		"the longer chain":   {arr{2, low, 5, false}, arr{1, high, 4, false}, arr{2, low, 5, false}},
		"a clock ran back":   {arr{2, low, 5, false}, arr{1, high, 9, false}, arr{2, low, 9, false}},
		"a fork":             {arr{2, low, 5, false}, arr{2, high, 4, false}, arr{2, high, 5, false}},
		"forked by either":   {arr{2, low, 5, false}, arr{1, low, 4, true}, arr{2, low, 5, true}},
		"one says the later": {arr{2, low, 5, false}, arr{2, low, 6, false}, arr{2, low, 6, false}},
	} {
		want := vectorOf(t, b, c.want)
		for _, ids := range [][2]memo.ID{{vectorOf(t, b, c.a), vectorOf(t, b, c.b)}, {vectorOf(t, b, c.b), vectorOf(t, b, c.a)}} {
			if got, err := merge.MergeVector(testParams(), b, ids[0], ids[1], b); err != nil || got != want {
				t.Errorf("%s: %s (%v), want %s", name, got, err, want)
			}
		}
	}
	good := vectorOf(t, b, arr{2, low, 5, false})
	for name, bad := range map[string]arr{
		"three parts":   {2, low, 5},
		"seq 0":         {0, low, 5, false},
		"no digest":     {2, memo.ID{}, 5, false},
		"a late time":   {2, low, uint64(1) << 63, false},
		"forked by 1":   {2, low, 5, 1},
		"forked by nil": {2, low, 5, nil},
	} {
		for _, ids := range [][2]memo.ID{{good, vectorOf(t, b, bad)}, {vectorOf(t, b, bad), good}} {
			if id, err := merge.MergeVector(testParams(), b, ids[0], ids[1], b); !errors.Is(err, memo.ErrMalformed) {
				t.Errorf("%s: %s, %v", name, id, err)
			}
		}
	}
}

// What stands for a row in a state tree is checked before it is joined.
func TestMergeStateChecksRows(t *testing.T) {
	p, b := testParams(), blocks{}
	short := encode(t, delta(t, stamp(1, 1), true))
	long := encode(t, airport(t, stamp(1, 1)))
	tree := func(value any) memo.ID {
		id, err := merge.Build(p, listed(merge.Entry{Key: merge.RowKey("t", "r"), Value: cbor(t, value)}), b)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	b[memo.Sum(short)], b[memo.Sum(long)] = short, long
	b[memo.ID{1}] = long
	good := tree(memo.Sum(long))
	if id, err := merge.MergeState(p, b, good, tree(memo.Raw(short)), b); err != nil || id == good {
		t.Fatalf("%s, %v", id, err)
	}
	for name, bad := range map[string]struct {
		value any
		want  error
	}{
		"another block":              {memo.ID{1}, merge.ErrNode},
		"a short state in a block":   {memo.Sum(short), memo.ErrNotCanonical},
		"a digest of the wrong size": {memo.Bytes("short"), memo.ErrMalformed},
		"no row":                     {7, memo.ErrMalformed},
	} {
		for _, ids := range [][2]memo.ID{{good, tree(bad.value)}, {tree(bad.value), good}} {
			if id, err := merge.MergeState(p, b, ids[0], ids[1], b); !errors.Is(err, bad.want) || !id.IsZero() {
				t.Errorf("%s: %s, %v, want %v", name, id, err, bad.want)
			}
		}
	}
	if id, err := merge.MergeState(p, b, good, tree(memo.ID{9}), b); err == nil {
		t.Errorf("merged to %s without a row's block", id)
	}
}
