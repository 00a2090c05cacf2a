package merge_test

import (
	"bytes"
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

// Runs that go on for many nodes are where an edit can reach far: every single
// edit of such trees, and small groups of edits near each other.
func TestEditsOfLongRuns(t *testing.T) {
	for seed, c := range []struct{ w, more, d, ground int }{
		{1, 0, 0, 1}, {1, 1, 1, 1}, {2, 0, 1, 1}, {2, 2, 1, 2}, {2, 1, 2, 1}, {2, 0, 3, 2}, {3, 0, 2, 2}, {3, 3, 2, 3}, {4, 0, 3, 1},
	} {
		p := testParams()
		p.W, p.M, p.D = c.w, 4*c.w+c.more, c.d
		// Keys without cuts in the first domains, and a few that break the chain.
		keys := append(chainKeys(p, 60*c.w, c.ground), "ground/000050", "ground/000051+", "ground/000090")
		m := valued(keys)
		slices.Sort(keys)
		root, b := build(t, p, m)
		check := func(batch map[string][]byte) {
			t.Helper()
			want, err := merge.Build(p, entriesOf(after(m, batch)), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := merge.Apply(p, b, root, sorted(batch), nil); err != nil || got != want {
				t.Fatalf("%+v: %v applied makes %s, built %s: %v", c, sorted(batch), got, want, err)
			}
		}
		one := []byte{0x01}
		for _, k := range keys {
			check(map[string][]byte{k: nil})
			check(map[string][]byte{k + "+": one})
		}
		r := rand.New(rand.NewPCG(uint64(seed), 5))
		for range groupsOfEdits {
			batch := map[string][]byte{}
			from, near := r.IntN(len(keys)), p.M*(1+r.IntN(4))
			for range 2 + r.IntN(p.M) {
				k := keys[min(from+r.IntN(near), len(keys)-1)]
				switch r.IntN(3) {
				case 0:
					batch[k] = nil
				case 1:
					batch[k] = one
				case 2:
					batch[fmt.Sprintf("%s+%d", k, r.IntN(50))] = one
				}
			}
			for i := range r.IntN(p.M) * r.IntN(2) { // and a gap
				batch[keys[min(from+near/2+i, len(keys)-1)]] = nil
			}
			check(batch)
		}
	}
}

// groupsOfEdits is how many groups each tree meets.
const groupsOfEdits = 600

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

// A peer that lies about the domains of nodes, which no reader can check, gets
// some tree or an error for it.
func TestApplyToForgedDomains(t *testing.T) {
	applied := 0
	rapid.Check(t, func(t *rapid.T) {
		p := smallParams()
		keys := keysOf(valued(randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(9, 60).Draw(t, "n"))))
		b := blocks{}
		root, err := merge.Build(p, entriesOf(valued(keys)), b)
		if err != nil {
			t.Fatal(err)
		}
		top, err := merge.DecodeNode(p, b[root], merge.Place{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range top.Items {
			top.Items[i].Dom = rapid.IntRange(1, p.D+1).Draw(t, "dom")
		}
		forged := merge.EncodeNode(nil, top)
		b[memo.Sum(forged)] = forged
		_, err = merge.Apply(p, b, memo.Sum(forged), sorted(changesOf(t, keys)), b)
		if err == nil {
			applied++
		} else if !errors.Is(err, merge.ErrNode) {
			t.Fatal(err)
		}
	})
	if applied == 0 {
		t.Error("every forged tree was refused before it was applied to")
	}
}

// A block that is missing, or cannot be put, is an error, wherever in the tree.
func TestApplyPassesErrorsOn(t *testing.T) {
	p := smallParams()
	m := valued(randomKeys(1, 200))
	root, b := build(t, p, m)
	batch := map[string][]byte{}
	for i, k := range keysOf(m) {
		if i%2 == 0 { // some in every leaf
			batch[k+"+"] = []byte{0x01}
		}
	}
	for id := range b {
		rest := maps.Clone(b)
		delete(rest, id)
		if got, err := merge.Apply(p, rest, root, sorted(batch), rest); err == nil || !got.IsZero() {
			t.Errorf("applied without node %s: %s, %v", id, got, err)
		}
	}
	broken := errors.New("disk on fire")
	if got, err := merge.Apply(p, b, root, sorted(batch), putErr{broken}); !errors.Is(err, broken) || !got.IsZero() {
		t.Errorf("a failed putter: %s, %v", got, err)
	}
}

// fresh is a block store that minds what is put although it is there.
type fresh struct {
	blocks
	again int
}

func (f *fresh) PutBlock(id memo.ID, data []byte) error {
	if f.blocks[id] != nil {
		f.again++
	}
	return f.blocks.PutBlock(id, data)
}

// A node that stays as it is is not put again: not those beside an edit, and not a root
// that a taller tree has below its own.
func TestApplyPutsWhatIsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := treeParams().Draw(t, "params")
		keys := randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 400).Draw(t, "n"))
		slices.Sort(keys)
		f, n := &fresh{}, 0
		for n < len(keys) {
			f.blocks = blocks{} // of the tree before, and no older one
			root, err := merge.Build(p, entriesOf(valued(keys[:n])), f.blocks)
			if err != nil {
				t.Fatal(err)
			}
			to := min(len(keys), n+rapid.IntRange(1, 60).Draw(t, "batch"))
			if _, err = merge.Apply(p, f, root, sorted(valued(keys[n:to])), f); err != nil {
				t.Fatal(err)
			}
			n = to
		}
		if f.again > 0 {
			t.Fatalf("%d nodes of the tree before were put again", f.again)
		}
	})
}
