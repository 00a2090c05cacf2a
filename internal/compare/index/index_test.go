package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightcone/memo"
	"lightcone/merge"
)

// small does every case with little.
var small = plan{
	batches: []size{{1, 5}, {100, 2}}, inserts: 300,
	diffs: []size{{1, 5}, {40, 2}}, merges: size{50, 2},
	reads: 200, proofs: 50, ordinary: 500, layer: 300, ground: 600, deep: 200, amid: 10,
}

const smallKeys = 3000

func newSmall(t *testing.T, o options) *bench {
	t.Helper()
	o.keys, o.rounds = smallKeys, 2
	b, err := newBench(o, small, makeLines())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// figureOf returns a figure of a run.
func figureOf(t *testing.T, b *bench, name, side, metric string) float64 {
	t.Helper()
	i := slices.IndexFunc(b.figures, func(l line) bool { return l.Case == name && l.Side == side && l.Name == metric })
	if i < 0 {
		t.Fatalf("no figure %q of %s, %s", metric, side, name)
	}
	return b.figures[i].Value
}

// Every side takes part in all of its cases, holds in the end what it was given,
// and has the tree that is built of that; what was counted is what trees of this
// size say.
func TestSidesDoEqualWork(t *testing.T) {
	b := newSmall(t, options{})
	taking := b.sides
	if err := b.run(io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(b.changing(), b.looking()) {
		for _, s := range taking {
			took := slices.ContainsFunc(b.figures, func(l line) bool { return l.Case == c.name && l.Side == s.name && l.Value > 0 })
			if took != c.has(s.tree) {
				t.Errorf("%s, %s has a figure: %v, takes part: %v", c.name, s.name, took, c.has(s.tree))
			}
		}
	}
	all := b.data.entries()
	for _, s := range taking {
		if err := s.holds(all); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		fresh := s.open(newBlocks(b.data.blocks))
		if root, err := fresh.build(all); err != nil || root != s.root {
			t.Errorf("%s: built anew %s, after batches %s: %v", s.name, root, s.root, err)
		}
	}
	checkCounts(t, b)
}

func checkCounts(t *testing.T, b *bench) {
	one := "update 1 scattered"
	for _, side := range []string{"lightcone", "indigo"} {
		height := figureOf(t, b, "shape", side, "height")
		read, written := figureOf(t, b, one, side, "nodes read per batch"), figureOf(t, b, one, side, "nodes written per batch")
		if read != written || read < 1 || read > height {
			t.Errorf("%s: one new value reads %v nodes and writes %v, in a tree of height %v", side, read, written, height)
		}
		if path, proof := figureOf(t, b, "reads", side, "path bytes, mean"), figureOf(t, b, "proofs", side, "bytes of a proof"); path <= 0 || proof < path/2 || proof > 2*path {
			t.Errorf("%s: a path has %v bytes and a proof %v", side, path, proof)
		}
	}
	if one, other := figureOf(t, b, one, "indigo", "nodes written per batch"), figureOf(t, b, one, "indigo-resident", "nodes written per batch"); one != other {
		t.Errorf("indigo's trees write %v and %v nodes", one, other)
	}
	most := figureOf(t, b, "ground indigo", "indigo", "items of the largest node")
	if n := figureOf(t, b, "ground lightcone deep", "lightcone", "items of the largest node"); int(most) < small.layer || int(n) > params.M {
		t.Errorf("the largest nodes have %v items with indigo, of %d ground keys, and %v with Lightcone, whose limit is %d", most, small.layer, n, params.M)
	}
	if n := figureOf(t, b, "join 300", "lightcone", "row blocks written per batch"); n != 300 {
		t.Errorf("%v rows were written of 300 that were joined", n)
	}
}

// A side that does other work than it was given is no side: a run notices.
func TestUnequalWorkIsNoticed(t *testing.T) {
	for name, spoil := range map[string]func(batch []entry) []entry{
		"loses an entry": func(batch []entry) []entry { return batch[1:] },
		"keeps another row": func(batch []entry) []entry {
			return append(batch[:0:0], entry{batch[0].key, memo.ID{}, batch[0].fresh})
		},
	} {
		for _, cases := range []string{"update 1 scattered", "insert", "diff 40", "merge", "join"} {
			b := newSmall(t, options{cases: cases})
			for _, s := range b.sides[:1] {
				if err := b.buildAll(); err != nil {
					t.Fatal(err)
				}
				s.tree = spoiled{s.tree.(*mergeTree), spoil}
			}
			if err := runSpoiled(b); !errors.Is(err, errUnequal) {
				t.Errorf("a side that %s, %s: %v", name, cases, err)
			}
		}
	}
}

// runSpoiled is run with trees that were built before.
func runSpoiled(b *bench) error {
	for _, c := range slices.Concat(b.changing(), b.looking()) {
		if !strings.HasPrefix(c.name, b.o.cases) {
			continue
		}
		if _, err := b.compare(c); err != nil {
			return err
		}
	}
	return b.check()
}

// spoiled is a tree that applies other batches than it is given.
type spoiled struct {
	*mergeTree
	spoil func([]entry) []entry
}

func (t spoiled) apply(root memo.ID, batch []entry) (memo.ID, error) {
	return t.mergeTree.apply(root, t.spoil(batch))
}

// A proof with a changed byte, without a node, or of another root is refused by
// both sides.
func TestProofsAreVerified(t *testing.T) {
	b := newSmall(t, options{})
	if err := b.buildAll(); err != nil {
		t.Fatal(err)
	}
	key := b.data.keys[17]
	for _, c := range b.sides {
		s, ok := c.tree.(stored)
		if !ok {
			continue
		}
		proof, err := s.prove(c.root, key)
		if err != nil {
			t.Fatal(err)
		}
		if row, err := s.verify(c.root, key, proof); err != nil || row != b.data.now[key] {
			t.Errorf("%s: a proof shows row %s: %v", c.name, row, err)
		}
		changed := slices.Clone(proof)
		last := slices.Clone(changed[len(changed)-1])
		last[len(last)-1] ^= 1
		changed[len(changed)-1] = last
		if _, err := s.verify(c.root, key, changed); err == nil {
			t.Errorf("%s takes a proof with a changed byte", c.name)
		}
		if _, err := s.verify(c.root, key, proof[1:]); err == nil {
			t.Errorf("%s takes a proof without a root", c.name)
		}
		if _, err := s.verify(b.data.now[key], key, proof); err == nil {
			t.Errorf("%s takes a proof of another root", c.name)
		}
	}
}

// What the comparison says of ground keys: indigo cannot store a node of more than
// 8,192 entries, and Lightcone takes as many of the same keys.
func TestIndigoRefusesWideNodes(t *testing.T) {
	keys, _ := grindLayer(8193)
	for n, want := range map[int]bool{8192: true, 8193: false} {
		_, err := (&residentTree{b: newBlocks(newHeap())}).build(labelled(keys[:n]))
		if stored := err == nil; stored != want {
			t.Errorf("indigo stores %d keys of one layer: %v, %v", n, stored, err)
		}
		if _, err := newMergeTree(newBlocks(newHeap())).build(labelled(keys[:n])); err != nil {
			t.Errorf("Lightcone, %d keys: %v", n, err)
		}
	}
}

// Ground keys leave Lightcone's leaves without the cuts that they were ground
// against, as the nodes above them say, and ordinary keys do not.
func TestGroundKeysHaveNoCuts(t *testing.T) {
	ordinary := ordinaryKeys(600)
	slices.Sort(ordinary)
	if least := leastDomain(t, ordinary); least != 1 {
		t.Errorf("ordinary keys are cut in domain %d at first", least)
	}
	for doms, n := range map[int]int{1: 600, params.D + 1: 200} {
		keys, _ := grindChain(n, doms)
		if least := leastDomain(t, keys); least < min(doms+1, params.D+1) {
			t.Errorf("%d keys ground against %d domains are short enough in domain %d", n, doms, least)
		}
	}
}

// leastDomain returns the first domain in which leaves were short enough; the keys
// are so few that a node above all leaves is the root.
func leastDomain(t *testing.T, keys []string) int {
	t.Helper()
	b := newBlocks(newHeap())
	root, err := newMergeTree(b).build(labelled(keys))
	if err != nil {
		t.Fatal(err)
	}
	n, err := merge.DecodeNode(params, b.nodes.get(root), merge.Place{})
	if err != nil || n.Level != 1 {
		t.Fatalf("a root of level %d: %v", n.Level, err)
	}
	return slices.MinFunc(n.Items, func(a, b merge.Item) int { return a.Dom - b.Dom }).Dom
}

// Rows of a file are those of its lines; keys that indigo would not take are
// refused with a cause.
func TestRowsOfAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "places.csv")
	text := "code,name,about\nAB,Abbeville,a place with a name of some length\nCD,Cedar City,another place\nx y,Blank,no key\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := readLines(path, "code")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newDataset(l, 10); err == nil || !strings.Contains(err.Error(), "--key") {
		t.Errorf("a key with a blank: %v", err)
	}
	l.keys, l.texts = l.keys[:2], l.texts[:2]
	d, err := newDataset(l, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range d.entries() {
		row := string(d.blocks.get(e.row))
		if strings.HasPrefix(e.key, "places/AB:") != strings.Contains(row, "Abbeville") || len(e.key) != keySize {
			t.Errorf("key %q, row %q", e.key, row)
		}
	}
	if _, err := readLines(path, "none"); err == nil {
		t.Error("a column that is not there was found")
	}
}
