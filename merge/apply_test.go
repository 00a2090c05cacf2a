package merge_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// counting is a block store that counts what is asked of it.
type counting struct {
	blocks
	drop               bool // what is put is only counted
	reads, puts, bytes int
}

func (c *counting) Block(id memo.ID) ([]byte, error) {
	c.reads++
	return c.blocks.Block(id)
}

func (c *counting) PutBlock(id memo.ID, data []byte) error {
	c.puts++
	c.bytes += len(data)
	if c.drop {
		return nil
	}
	return c.blocks.PutBlock(id, data)
}

// treeParams generates parameters under which small trees take every branch.
func treeParams() *rapid.Generator[merge.Params] {
	return rapid.Custom(func(t *rapid.T) merge.Params {
		p := testParams()
		p.W = rapid.IntRange(1, 4).Draw(t, "w")
		p.M = 4*p.W + rapid.IntRange(0, 3).Draw(t, "m")
		p.D = rapid.IntRange(0, 3).Draw(t, "D")
		return p
	})
}

// runKeys returns the keys that a tree is made of: n random ones, and where
// rising is set only those that leave the first domains of the leaves without
// peaks, so that runs get long.
func runKeys(p merge.Params, seed uint64, n, rising int) []string {
	keys := randomKeys(seed, n)
	slices.Sort(keys)
	for dom := range rising {
		var prev [32]byte
		kept := keys[:0]
		for i, k := range keys {
			prio := merge.Priority(p, 0, dom, k)
			if len(kept)%p.W != 0 || bytes.Compare(prio[:], prev[:]) > 0 || i%97 == 0 {
				kept = append(kept, k)
				if len(kept)%p.W == 0 {
					prev = prio
				}
			}
		}
		keys = kept
	}
	return keys
}

// changesOf makes a batch that takes keys away, gives others new values and
// puts new ones beside them.
func changesOf(t *rapid.T, keys []string) map[string][]byte {
	batch := map[string][]byte{}
	n := rapid.OneOf(rapid.IntRange(1, 4), rapid.IntRange(1, 60)).Draw(t, "changes")
	at := rapid.IntRange(0, len(keys)).Draw(t, "at")
	near := rapid.IntRange(1, 40).Draw(t, "near")
	for range n {
		i := at
		if rapid.Bool().Draw(t, "far") {
			i = rapid.IntRange(0, len(keys)).Draw(t, "i")
		}
		i = min(max(0, i+rapid.IntRange(-near, near).Draw(t, "off")), len(keys)-1)
		key := "k"
		if i >= 0 {
			key = keys[i]
		}
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			batch[key] = []byte{byte(rapid.IntRange(0, 3).Draw(t, "value"))}
		case 1:
			batch[key] = nil
		case 2:
			batch[fmt.Sprintf("%s%c", key, rapid.IntRange('a', 'z').Draw(t, "suffix"))] = []byte{0x01}
		case 3:
			batch[fmt.Sprintf("%s%c", key[:len(key)-1], rapid.IntRange(0, 127).Draw(t, "last"))] = []byte{0x02}
		}
	}
	return batch
}

func keysOf(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }

func sorted(batch map[string][]byte) []merge.Change {
	out := make([]merge.Change, 0, len(batch))
	for _, k := range keysOf(batch) {
		out = append(out, merge.Change{Key: k, Value: batch[k]})
	}
	return out
}

// after applies a batch to a map.
func after(m, batch map[string][]byte) map[string][]byte {
	m = maps.Clone(m)
	for k, v := range batch {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return m
}

// Whatever was done to a tree, it is the one that Build makes of what is left,
// and all of its nodes are there.
func TestApplyIsBuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		seed := rapid.Uint64().Draw(t, "seed")
		keys := runKeys(p, seed, rapid.IntRange(0, 700).Draw(t, "n"), rapid.IntRange(0, p.D+1).Draw(t, "rising"))
		m, b := valued(keys), blocks{}
		root, err := merge.Build(p, entriesOf(m), b)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			batch := changesOf(t, keysOf(m))
			switch rapid.IntRange(0, 9).Draw(t, "all") {
			case 0: // to empty
				for k := range m {
					batch[k] = nil
				}
			case 1: // and back
				maps.Copy(batch, valued(keys))
			}
			m = after(m, batch)
			want, err := merge.Build(p, entriesOf(m), nil)
			if err != nil {
				t.Fatal(err)
			}
			if dry, err := merge.Apply(p, b, root, sorted(batch), nil); err != nil || dry != want {
				t.Fatalf("applied %s, built %s: %v", dry, want, err)
			}
			if root, err = merge.Apply(p, b, root, sorted(batch), b); err != nil || root != want {
				t.Fatalf("applied %s, built %s: %v", root, want, err)
			}
			if got := scanned(t, p, b, root); !maps.EqualFunc(got, m, bytes.Equal) {
				t.Fatalf("%d entries in the tree, want %d", len(got), len(m))
			}
		}
	})
}

func scanned(t interface{ Fatal(...any) }, p merge.Params, b merge.BlockGetter, root memo.ID) map[string][]byte {
	m := map[string][]byte{}
	for e, err := range merge.Scan(p, b, root, "") {
		if err != nil {
			t.Fatal(err)
		}
		m[e.Key] = e.Value
	}
	return m
}

func TestApplyRefuses(t *testing.T) {
	one := []byte{0x01}
	p := testParams()
	root, b := build(t, p, nil)
	for name, c := range map[string]struct {
		batch []merge.Change
		want  error
	}{
		"descending keys": {[]merge.Change{{Key: "b", Value: one}, {Key: "a"}}, merge.ErrUnsorted},
		"a key twice":     {[]merge.Change{{Key: "a", Value: one}, {Key: "a"}}, merge.ErrUnsorted},
		"a long key":      {[]merge.Change{{Key: strings.Repeat("k", merge.MaxKey+1)}}, memo.ErrTooLarge},
		"a long value":    {[]merge.Change{{Key: "k", Value: make([]byte, merge.InlineMax+1)}}, memo.ErrTooLarge},
		"no value":        {[]merge.Change{{Key: "k", Value: []byte{}}}, memo.ErrMalformed},
	} {
		if id, err := merge.Apply(p, b, root, c.batch, nil); !errors.Is(err, c.want) || !id.IsZero() {
			t.Errorf("%s: %s, %v, want %v", name, id, err, c.want)
		}
	}
}
