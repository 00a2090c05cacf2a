package merge_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// chainKeys grinds n ascending keys that leave the first domains of the leaves
// without a cut. In each of them one key in w is a link of a chain that rises
// from window to window, and all others are below the chain. That takes about
// doms·2^doms·(n/w)² tries, not the n²/w of keys that all rise.
func chainKeys(p merge.Params, n, doms int) []string {
	keys := make([]string, n)
	steps := uint64(n/p.W + 1)
	fits := func(key string, i int) bool {
		for dom := range doms {
			prio := merge.Priority(p, 0, dom, key)
			high := uint64(binary.BigEndian.Uint32(prio[:]))
			if i%p.W != dom {
				if high>>31 != 0 {
					return false
				}
			} else if high>>31 == 0 || high&(1<<31-1)*steps>>31 != uint64(i/p.W) {
				return false
			}
		}
		return true
	}
	for i := range keys {
		for nonce := 0; keys[i] == "" || !fits(keys[i], i); nonce++ {
			keys[i] = fmt.Sprintf("ground/%06d/%d", i, nonce)
		}
	}
	return keys
}

// oneChange returns a new value for key, its removal, or a key next to it.
func oneChange(key string, kind int) merge.Change {
	switch kind % 3 {
	case 0:
		return merge.Change{Key: key, Value: []byte{0x00}}
	case 1:
		return merge.Change{Key: key}
	}
	return merge.Change{Key: key + "+", Value: []byte{0x00}}
}

// cost is what single changes took in blocks.
type cost struct {
	n, reads, puts int // sums
	most, mostPuts int // of one change: both, and puts alone
}

func (c cost) String() string {
	n := float64(c.n)
	return fmt.Sprintf("%.2f blocks read and %.2f put on average, %d in all and %d put at worst",
		float64(c.reads)/n, float64(c.puts)/n, c.most, c.mostPuts)
}

// costOf applies n changes of the keys, each to the same tree.
func costOf(t *testing.T, p merge.Params, b blocks, root memo.ID, keys []string, n int) (out cost) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	for i := range n {
		c := &counting{blocks: b, drop: true}
		batch := []merge.Change{oneChange(keys[r.IntN(len(keys))], i)}
		if _, err := merge.Apply(p, c, root, batch, c); err != nil {
			t.Fatal(err)
		}
		out.n, out.reads, out.puts = out.n+1, out.reads+c.reads, out.puts+c.puts
		out.most, out.mostPuts = max(out.most, c.reads+c.puts), max(out.mostPuts, c.puts)
	}
	return out
}

// height returns the number of levels: nodes on the way to any leaf.
func height(t *testing.T, p merge.Params, b blocks, root memo.ID) int {
	t.Helper()
	f, err := merge.Prove(p, b, root, "8")
	if err != nil {
		t.Fatal(err)
	}
	return len(f)
}

// One key of a million costs its path and, where a boundary moves, a few
// neighbours.
func TestApplyOfOneKeyIsLocal(t *testing.T) {
	p := testParams()
	root, b := million()
	h := height(t, p, b, root)
	got := costOf(t, p, b, root, millionKeys(), 3_000)
	t.Logf("height %d: %s", h, got)
	if most := 2*h + p.W; got.most > most {
		t.Errorf("one key took %d blocks, the bound is %d", got.most, most)
	}
}

// Keys ground to have no cuts in all but one domain cost an edit no more than
// others do. Those without a cut in any are one run that is halved, and that is
// read whole; what an edit writes stays little.
func TestGroundKeysAreLocal(t *testing.T) {
	p := testParams()
	for i, n := range []int{10_000, 5_000, 3_000, 2_000} {
		doms := i + 1
		keys := chainKeys(p, n, doms)
		if cuts := naturalCuts(p, keys); cuts != 0 {
			t.Fatalf("the ground keys have %d cuts", cuts)
		}
		m := valued(append(randomKeys(5, 20_000), keys...))
		root, b := build(t, p, m)
		h, nodes := height(t, p, b, root), walk(t, p, b, root, merge.Place{})
		got := costOf(t, p, b, root, keys, 400)
		t.Logf("%d keys without cuts in %d domains, nodes per level %v: %s", n, doms, nodes, got)
		if doms <= p.D && got.most > 2*h+p.W {
			t.Errorf("one key took %d blocks, the bound is %d", got.most, 2*h+p.W)
		}
		if got.mostPuts > h+p.W {
			t.Errorf("one key put %d blocks, the bound is %d", got.mostPuts, h+p.W)
		}
	}
}

// A tree that ground keys come into, batch by batch, keeps its fan-out and is
// the one that Build makes.
func TestGroundKeysAppliedKeepTheFanOut(t *testing.T) {
	p := testParams()
	for name, keys := range map[string][]string{
		"a chain in domain 0": chainKeys(p, 20_000, 1),
		"a chain in all":      chainKeys(p, 1_500, p.D+1),
		"all rising":          groundKeys(p, 2_000),
		"tiny priorities":     pickedKeys(p, 8_000, 0),
		"large priorities":    pickedKeys(p, 8_000, 1),
		"sequential":          sequentialKeys(8_000),
		"clustered":           clusteredKeys(8_000),
		"random":              randomKeys(9, 8_000),
	} {
		m := valued(randomKeys(6, 5_000))
		root, b := build(t, p, m)
		r := rand.New(rand.NewPCG(4, 4))
		r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for batch := range slices.Chunk(keys, len(keys)/4) {
			add := valued(batch)
			var err error
			if root, err = merge.Apply(p, b, root, sorted(add), b); err != nil {
				t.Fatal(err)
			}
			m = after(m, add)
			walk(t, p, b, root, merge.Place{})
		}
		if want, err := merge.Build(p, entriesOf(m), nil); err != nil || root != want {
			t.Errorf("%s: applied %s, built %s: %v", name, root, want, err)
		}
	}
}

// pickedKeys grinds keys whose priorities in domain 0 of the leaves begin with
// eight bits of the given value.
func pickedKeys(p merge.Params, n int, bit byte) (keys []string) {
	for i := 0; len(keys) < n; i++ {
		key := fmt.Sprintf("picked/%d", i)
		if prio := merge.Priority(p, 0, 0, key); prio[0] == 0xff*bit {
			keys = append(keys, key)
		}
	}
	return keys
}

// A batch reads and makes each node once, so that neighbouring changes share
// nearly all of it.
func TestBatchesShareWork(t *testing.T) {
	p := testParams()
	root, b := million()
	const n = 10_000
	for _, fresh := range []bool{false, true} {
		var took [2]counting
		for i, clustered := range []bool{false, true} {
			took[i] = counting{blocks: b, drop: true}
			batch := millionBatch(n, clustered, fresh, 1)
			if _, err := merge.Apply(p, &took[i], root, batch, &took[i]); err != nil {
				t.Fatal(err)
			}
		}
		far, near := took[0], took[1]
		t.Logf("new keys %v: scattered %d read, %d put; next to each other %d, %d", fresh, far.reads, far.puts, near.reads, near.puts)
		if near.reads > n/p.W || near.puts > 2*n/p.W || far.reads > 2*n {
			t.Errorf("%d changes took %d and %d blocks apart, %d and %d together", n, far.reads, far.puts, near.reads, near.puts)
		}
	}
}

// What two trees have in common costs nothing, however large it is.
func TestDiffAndMergeCostWhatDiffers(t *testing.T) {
	p := testParams()
	root, b := million()
	h := height(t, p, b, root)
	for _, k := range []int{1, 10, 1_000} {
		c := &counting{blocks: blocks{}}
		all := layered{c, b}
		batch := millionBatch(k, false, true, k)
		other, err := merge.Apply(p, all, root, batch, all)
		if err != nil {
			t.Fatal(err)
		}
		c.reads, c.puts = 0, 0
		if got := len(differences(t, p, all, root, other)); got != k {
			t.Fatalf("%d differences, want %d", got, k)
		}
		diff := c.reads
		c.reads = 0
		merged, err := merge.Merge(p, all, other, root, greater, all)
		if err != nil || merged != other {
			t.Fatalf("merged %s, want %s: %v", merged, other, err)
		}
		back := c.reads
		merged, err = merge.Merge(p, all, root, other, greater, all)
		if err != nil || merged != other {
			t.Fatalf("merged %s, want %s: %v", merged, other, err)
		}
		t.Logf("%d differences: Diff reads %d blocks; Merge reads %d and %d, puts %d", k, diff, back, c.reads-back, c.puts)
		if most := 3*k*h + p.W; diff > most || c.reads-back > most || c.puts > 2*k*h {
			t.Errorf("%d differences: Diff read %d blocks, Merge %d, and put %d; bound %d", k, diff, c.reads-back, c.puts, most)
		}
	}
}

// layered puts new blocks over old ones.
type layered struct {
	*counting
	old blocks
}

func (l layered) Block(id memo.ID) ([]byte, error) {
	if data, ok := l.old[id]; ok {
		l.reads++
		return data, nil
	}
	return l.counting.Block(id)
}
