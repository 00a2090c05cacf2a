package merge_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

func differences(t interface{ Fatal(...any) }, p merge.Params, g merge.BlockGetter, a, b memo.ID) []merge.Difference {
	var out []merge.Difference
	for d, err := range merge.Diff(p, g, a, b) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

func naiveDifferences(a, b map[string][]byte) (out []merge.Difference) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, k := range keysOf(all) {
		if !bytes.Equal(a[k], b[k]) {
			out = append(out, merge.Difference{Key: k, Old: a[k], New: b[k]})
		}
	}
	return out
}

// grown draws n related maps and builds their trees into one store.
func grown(t *rapid.T, p merge.Params, n int) (ms []map[string][]byte, roots []memo.ID, b blocks) {
	seed := rapid.Uint64().Draw(t, "seed")
	keys := runKeys(p, seed, rapid.IntRange(0, 500).Draw(t, "n"), rapid.IntRange(0, p.D+1).Draw(t, "rising"))
	b = blocks{}
	for range n {
		m := after(valued(keys), changesOf(t, keys))
		if rapid.IntRange(0, 9).Draw(t, "empty") == 0 {
			m = map[string][]byte{}
		}
		root, err := merge.Build(p, entriesOf(m), b)
		if err != nil {
			t.Fatal(err)
		}
		ms, roots = append(ms, m), append(roots, root)
	}
	return ms, roots, b
}

func TestDiffIsTheDifferenceOfMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		ms, roots, b := grown(t, p, 2)
		for from := range 2 {
			want := naiveDifferences(ms[from], ms[1-from])
			got := differences(t, p, b, roots[from], roots[1-from])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			if len(want) > 1 {
				for d, err := range merge.Diff(p, b, roots[from], roots[1-from]) {
					if err != nil || d.Key != want[0].Key {
						t.Fatalf("begins with %q (%v), want %q", d.Key, err, want[0].Key)
					}
					break // a consumer that has enough
				}
			}
		}
	})
}

// greater is the join of the tests: the value that sorts last.
func greater(_ string, a, b []byte) ([]byte, error) {
	return slices.MaxFunc([][]byte{a, b}, bytes.Compare), nil
}

// Merge is a join, and the tree that Build makes of the joined maps.
func TestMergeIsBuildOfTheUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		ms, roots, b := grown(t, p, 3)
		join := func(x, y memo.ID) memo.ID {
			id, err := merge.Merge(p, b, x, y, greater, b)
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		union := maps.Clone(ms[0])
		for k, v := range ms[1] {
			union[k] = slices.MaxFunc([][]byte{v, union[k]}, bytes.Compare)
		}
		want, err := merge.Build(p, entriesOf(union), nil)
		if err != nil {
			t.Fatal(err)
		}
		ab := join(roots[0], roots[1])
		if ab != want {
			t.Fatalf("merged %s, built %s", ab, want)
		}
		if ba := join(roots[1], roots[0]); ba != ab {
			t.Fatalf("a∨b %s, b∨a %s", ab, ba)
		}
		if got := join(ab, roots[1]); got != ab {
			t.Fatalf("(a∨b)∨b %s, a∨b %s", got, ab)
		}
		if l, r := join(ab, roots[2]), join(roots[0], join(roots[1], roots[2])); l != r {
			t.Fatalf("(a∨b)∨c %s, a∨(b∨c) %s", l, r)
		}
		if got := scanned(t, p, b, ab); !maps.EqualFunc(got, union, bytes.Equal) {
			t.Fatalf("%d entries in the tree, want %d", len(got), len(union))
		}
	})
}

func TestMergePassesErrorsOn(t *testing.T) {
	p, broken := testParams(), errors.New("cannot join")
	a, b := build(t, p, map[string][]byte{"k": {0x01}})
	other, more := build(t, p, map[string][]byte{"k": {0x02}})
	maps.Copy(b, more)
	for name, c := range map[string]struct {
		join func(string, []byte, []byte) ([]byte, error)
		put  merge.BlockPutter
		want error
	}{
		"a join that fails":       {func(string, []byte, []byte) ([]byte, error) { return nil, broken }, b, broken},
		"a join without a value":  {func(string, []byte, []byte) ([]byte, error) { return nil, nil }, b, memo.ErrMalformed},
		"a join that is too long": {func(string, []byte, []byte) ([]byte, error) { return make([]byte, 97), nil }, b, memo.ErrTooLarge},
		"a putter that fails":     {greater, putErr{broken}, broken},
	} {
		if id, err := merge.Merge(p, b, a, other, c.join, c.put); !errors.Is(err, c.want) || !id.IsZero() {
			t.Errorf("%s: %s, %v", name, id, err)
		}
	}
	if _, err := merge.Merge(p, blocks{a: b[a]}, a, other, greater, b); err == nil {
		t.Error("merged with a tree that is not there")
	}
	for _, err := range merge.Diff(p, blocks{a: b[a]}, a, other) {
		if err == nil {
			t.Error("a difference from a tree that is not there")
		}
	}
}
