package merge_test

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
)

// blocks is a block store in memory.
type blocks map[memo.ID][]byte

func (b blocks) PutBlock(id memo.ID, data []byte) error {
	b[id] = data
	return nil
}

func (b blocks) Block(id memo.ID) ([]byte, error) {
	data, ok := b[id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
	}
	return data, nil
}

func testParams() merge.Params { return merge.DefaultParams(memo.SpaceID(memo.Sum([]byte("space")))) }

// entriesOf yields a map in ascending order of its keys.
func entriesOf(m map[string][]byte) iter.Seq2[merge.Entry, error] {
	return func(yield func(merge.Entry, error) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(merge.Entry{Key: k, Value: m[k]}, nil) {
				return
			}
		}
	}
}

// valued gives each key a small value of its own.
func valued(keys []string) map[string][]byte {
	m := map[string][]byte{}
	for _, k := range keys {
		m[k] = append([]byte{0x44}, memoSum4(k)...)
	}
	return m
}

func memoSum4(s string) []byte {
	id := memo.Sum([]byte(s))
	return id[:4]
}

func build(t testing.TB, p merge.Params, m map[string][]byte) (memo.ID, blocks) {
	t.Helper()
	b := blocks{}
	root, err := merge.Build(p, entriesOf(m), b)
	if err != nil {
		t.Fatal(err)
	}
	return root, b
}

// walk decodes and checks every node below id and returns how many there are on
// each level.
func walk(t testing.TB, p merge.Params, b blocks, id memo.ID, place merge.Place) []int {
	t.Helper()
	n, err := merge.DecodeNode(p, b[id], place)
	if err != nil {
		t.Fatal(err)
	}
	if root := place.Dom == 0; len(n.Items) > p.M || !root && len(n.Items) < p.W {
		t.Fatalf("a node of %d items, need %d … %d", len(n.Items), p.W, p.M)
	}
	levels := make([]int, n.Level+1)
	levels[n.Level] = 1
	if n.Level > 0 {
		for i, it := range n.Items {
			for l, c := range walk(t, p, b, it.Child, place.Below(n, i)) {
				levels[l] += c
			}
		}
	}
	return levels
}

func randomKeys(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x%08x", r.Uint64(), r.Uint32())
	}
	return keys
}

func sequentialKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("row/%08d", i)
	}
	return keys
}

// clusteredKeys share long prefixes in groups of very different size.
func clusteredKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0*d/%06d", i*i%61+1, i%7, i)
	}
	return keys
}

// groundKeys have priorities in domain 0 of the leaves that rise in steps of w
// keys: every window reaches into a higher step, so none has its greatest
// priority in the middle.
func groundKeys(p merge.Params, n int) []string {
	keys := make([]string, n)
	steps := uint64(n/p.W + 1)
	for i := range keys {
		for nonce := 0; ; nonce++ {
			keys[i] = fmt.Sprintf("%06d/%d", i, nonce)
			prio := merge.Priority(p, 0, 0, keys[i])
			high := uint64(prio[0])<<24 | uint64(prio[1])<<16 | uint64(prio[2])<<8 | uint64(prio[3])
			if high*steps>>32 == uint64(i/p.W) {
				break
			}
		}
	}
	return keys
}

// naturalCuts counts the leaves' cuts in domain 0.
func naturalCuts(p merge.Params, keys []string) (n int) {
	keys = slices.Sorted(slices.Values(keys))
	prios := make([][32]byte, len(keys))
	for i, k := range keys {
		prios[i] = merge.Priority(p, 0, 0, k)
	}
	for i := p.W; i < len(keys)-p.W; i++ {
		window := prios[i-p.W : i+p.W+1]
		if slices.MaxFunc(window, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) }) == prios[i] {
			n++
		}
	}
	return n
}

func TestFanOutWhateverTheKeys(t *testing.T) {
	halving := testParams()
	halving.D = 0 // nothing but halving is left when domain 0 has no cuts
	for name, c := range map[string]struct {
		p      merge.Params
		keys   []string
		ground bool
	}{
		"random":                  {testParams(), randomKeys(1, 20_000), false},
		"sequential":              {testParams(), sequentialKeys(20_000), false},
		"clustered":               {testParams(), clusteredKeys(20_000), false},
		"ground":                  {testParams(), groundKeys(testParams(), 4_000), true},
		"ground, and only halved": {halving, groundKeys(halving, 4_000), true},
	} {
		t.Run(name, func(t *testing.T) {
			m := valued(c.keys)
			root, b := build(t, c.p, m)
			if cuts := naturalCuts(c.p, c.keys); (cuts == 0) != c.ground {
				t.Fatalf("the keys have %d cuts in domain 0", cuts)
			}
			t.Logf("%d entries, nodes per level %v", len(m), walk(t, c.p, b, root, merge.Place{}))
			if got := naiveBuild(c.p, m); got != root {
				t.Fatalf("root %s, by the naive algorithm %s", root, got)
			}
		})
	}
}

// The streaming build is the recursive algorithm of DESIGN.md, for parameters
// small enough that every branch of it is taken.
func TestBuildIsTheRecursiveAlgorithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testParams()
		p.W = rapid.IntRange(1, 4).Draw(t, "w")
		p.M = 4*p.W + rapid.IntRange(0, 3).Draw(t, "m")
		p.D = rapid.IntRange(0, 3).Draw(t, "D")
		m := valued(randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 600).Draw(t, "n")))
		b := blocks{}
		root, err := merge.Build(p, entriesOf(m), b)
		if err != nil {
			t.Fatal(err)
		}
		if want := naiveBuild(p, m); root != want {
			t.Fatalf("root %s, want %s", root, want)
		}
		if dry, err := merge.Build(p, entriesOf(m), nil); err != nil || dry != root {
			t.Fatalf("without a putter: %s, %v", dry, err)
		}
	})
}

func TestGetAndScanAreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testParams()
		p.W, p.M = 2, 8
		m := valued(randomKeys(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 300).Draw(t, "n")))
		b := blocks{}
		root, err := merge.Build(p, entriesOf(m), b)
		if err != nil {
			t.Fatal(err)
		}
		keys := slices.Sorted(maps.Keys(m))
		probe := rapid.StringMatching(`[0-9a-f]{0,4}|zz`).Draw(t, "probe")
		if len(keys) > 0 && rapid.Bool().Draw(t, "present") {
			probe = rapid.SampledFrom(keys).Draw(t, "key")
		}
		got, ok, err := merge.Get(p, b, root, probe)
		if want, has := m[probe]; err != nil || ok != has || !bytes.Equal(got, want) {
			t.Fatalf("Get(%q) = %x %v %v, want %x %v", probe, got, ok, err, want, has)
		}
		from, _ := slices.BinarySearch(keys, probe)
		var scanned []string
		for e, err := range merge.Scan(p, b, root, probe) {
			if err != nil || !bytes.Equal(e.Value, m[e.Key]) {
				t.Fatalf("Scan: %q = %x, %v", e.Key, e.Value, err)
			}
			scanned = append(scanned, e.Key)
		}
		if !slices.Equal(scanned, keys[from:]) {
			t.Fatalf("Scan from %q: %v, want %v", probe, scanned, keys[from:])
		}
	})
}

// A tree over a million entries must not be rewritten for one. The bounds are
// per level and were measured with room to spare.
func TestOneChangeIsLocal(t *testing.T) {
	const changes = 40
	p := testParams()
	m := valued(randomKeys(2, 10_000))
	root, before := build(t, p, m)
	height := len(walk(t, p, before, root, merge.Place{}))
	keys := slices.Sorted(maps.Keys(m))

	fresh := func(m map[string][]byte) (n int) {
		_, after := build(t, p, m)
		for id := range after {
			if _, had := before[id]; !had {
				n++
			}
		}
		return n
	}
	var worst, sum int
	for i := range changes {
		k := keys[i*len(keys)/changes]
		changed := maps.Clone(m)
		changed[k] = []byte{0x00}
		if n := fresh(changed); n != height {
			t.Errorf("a new value made %d nodes; its path has %d", n, height)
		}
		delete(changed, k)
		removed := fresh(changed)
		changed[k], changed[k+"+"] = m[k], m[k]
		added := fresh(changed)
		worst, sum = max(worst, removed, added), sum+removed+added
	}
	t.Logf("height %d; a key added or removed made %.2f nodes on average, %d at worst",
		height, float64(sum)/(2*changes), worst)
	if worst > 4*height || sum > 2*changes*(height+1) {
		t.Errorf("one key changed %d nodes at worst and %d in %d changes, in a tree of height %d", worst, sum, 2*changes, height)
	}
}
