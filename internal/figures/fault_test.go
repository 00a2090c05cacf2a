package figures

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
)

// The faults of the first implementation of the seeds' ideas, as far as what they
// broke exists here yet; see the figures for what should happen instead. One is no
// test here: that a simulator met timeouts by the wall clock. The rooms that compute
// take the time as an argument, and internal/tidy keeps the clock out of them.

// Concurrent values were resolved by their order of arrival.
func TestConcurrentValuesAreNotResolvedByArrival(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1@alice, B1@bob, C1@carol

		A1 at 7: animals/11 name=Panda
		B1 at 7: animals/11 name=Cat   // at the very same time
		C1 at 6: animals/11 name=Dog legs=4
	`)
	var first *peer
	for _, order := range [][]string{
		{"A1", "B1", "C1"},
		{"A1", "C1", "B1"},
		{"B1", "A1", "C1"},
		{"B1", "C1", "A1"},
		{"C1", "A1", "B1"},
		{"C1", "B1", "A1"},
		{"C1", "B1", "C1", "A1", "B1"}, // with duplicates
	} {
		p := one(t, d)
		p.hears("G")
		for _, name := range order {
			p.hears(name)
		}
		if first == nil {
			first = p
		}
		t.Log(order, p.sees("animals/11"))
		agree(t, first, p)
	}
}

// A keyframe made on one branch hid a concurrent branch. A row state is a
// keyframe: here one branch is in the file for good when the other arrives, whose
// clock is behind and whose author knows nothing of the first.
func TestAKeyframeOfOneBranchHidesNoOther(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A0@zoe -> A1@alice -> A2@alice
		     | -> B1@bob

		A0: animals/11 name=Fox legs=4
		A1: animals/11 name=Panda
		A2: animals/11 name=Cat
		B1 at 3: animals/11 color=red -legs name=Dog
	`)
	alice, bob := two(t, d)
	alice.hears("G", "A0", "A1", "A2")
	alice.must(alice.proj.Flush())
	bob.hears("G", "A0", "B1")
	bob.must(bob.proj.Flush())
	want(t, "Bob", bob, "animals/11", "color=red name=Dog")

	alice.hears("B1")
	bob.hears("A1", "A2")
	want(t, "Alice", alice, "animals/11", "color=red name=Cat")
	agree(t, alice, bob)
}

// "Descends" was false for identical heads if there were two of them, so that
// compaction stopped for good under concurrency.
func TestIdenticalContextsOfTwoHeadsCoverEachOther(t *testing.T) {
	d := memotest.Draw(t, concurrent)
	alice, bob := two(t, d)
	alice.hears("G", "A0", "A2")
	bob.hears("G", "A0", "A1")
	alice.writes("A1")
	bob.writes("A2")
	exchange(alice, bob)

	holds(t, "Alice", alice, "A1", "A2")
	for who, pair := range map[string][2]*peer{"Alice": {alice, bob}, "Bob": {bob, alice}} {
		mine, theirs := pair[0], pair[1]
		if missing := mine.qc.Missing(theirs.cut()); missing != nil {
			t.Errorf("the other lacks %v of %s's context", missing, who)
		}
		if !theirs.cut().Includes(mine.cut()) {
			t.Errorf("the other's cut does not include %s's", who)
		}
		for _, h := range theirs.qc.Loose {
			if !mine.qc.Covers(h) {
				t.Errorf("%s's context does not cover %s", who, d.Name(h.ID))
			}
		}
	}
	both, err := causal.Join(alice.qc, bob.qc)
	if err != nil || !slices.Equal(both.Loose, alice.qc.Loose) {
		t.Errorf("joining equal contexts gives %v (%v)", both.Loose, err)
	}
}

// blocks collects what a tree is stored as.
type blocks map[memo.ID][]byte

func (b blocks) PutBlock(id memo.ID, data []byte) error {
	b[id] = data
	return nil
}

// tree returns the blocks of p's state tree.
func (p *peer) tree() blocks {
	p.t.Helper()
	snap := p.snapshot()
	defer snap.Close()
	b := blocks{}
	_, err := merge.BuildState(merge.DefaultParams(p.d.Space), snap.States(p.d.Space), b)
	p.must(err)
	return b
}

// Two peers that made the same child of an index made it under two identities.
// Here a row is its key, and a node of the index its bytes.
func TestTwoPeersMakeOneIndex(t *testing.T) {
	var drawing strings.Builder
	drawing.WriteString("G -> A1@alice\n| -> B1@bob\n")
	for _, name := range []string{"A1", "B1"} {
		var rows []string
		for i := range 300 {
			rows = append(rows, fmt.Sprintf("animals/%03d %s=%d", i, strings.ToLower(name), i))
		}
		fmt.Fprintf(&drawing, "%s: %s\n", name, strings.Join(rows, " ; "))
	}
	d := memotest.Draw(t, drawing.String())
	alice, bob := two(t, d)
	alice.hears("G")
	bob.hears("G")
	alice.writes("A1") // both make the same 300 rows
	bob.writes("B1")
	exchange(alice, bob)
	if n := len(alice.states()); n != 300 {
		t.Errorf("there are %d rows, want 300", n)
	}
	mine, theirs := alice.tree(), bob.tree()
	if !slices.Equal(sortedIDs(mine), sortedIDs(theirs)) {
		t.Errorf("Alice's tree has %d blocks, Bob's %d, and they are not the same", len(mine), len(theirs))
	}
	if len(mine) < 300+3 {
		t.Errorf("%d blocks: too few for 300 rows and nodes above them", len(mine))
	}
}

func sortedIDs(b blocks) []memo.ID { return slices.SortedFunc(maps.Keys(b), memo.ID.Compare) }

// A memo that was known of and lay elsewhere was asked for and never came. A cause
// that is missing is named until it is there, and frees all that waits for it.
func TestAKnownAndAbsentMemoIsWantedUntilItComes(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1@alice -> B1@bob -> C1@carol -> D1@dave
		A1: animals/11 name=Cat
		D1: animals/11 name=Panda
	`)
	p := one(t, d)
	p.hears("G")
	for waiting, name := range []string{"D1", "C1", "B1"} {
		cause := d.Names()[4-waiting-1]
		res := p.hears(name)
		if len(res.Orphans) != 1 || d.Name(res.Orphans[0].ID) != cause {
			t.Errorf("%s came and %v is wanted, not %s", name, res.Orphans, cause)
		}
		if runs, _ := p.store.Pending(); runs != waiting+1 {
			t.Errorf("%d runs wait, want %d", runs, waiting+1)
		}
	}
	want(t, "Everybody", p, "animals/11", "nothing")
	if res := p.hears("A1"); len(res.Attached) != 4 {
		t.Errorf("A1 came and %d memos attached, want 4", len(res.Attached))
	}
	want(t, "Everybody", p, "animals/11", "name=Panda")
}

// Walks over ancestors had no memory of where they had been. This ladder has 2⁶⁴
// paths from its top to the genesis: a walk that follows them never ends.
func TestAncestorsAreNotWalkedPathByPath(t *testing.T) {
	const rungs = 64
	var drawing strings.Builder
	drawing.WriteString("G -> A1, B1\n")
	for i := 1; i < rungs; i++ {
		fmt.Fprintf(&drawing, "A%d, B%d -> A%d, B%d\n", i, i, i+1, i+1)
	}
	for i := 1; i <= rungs; i++ {
		fmt.Fprintf(&drawing, "A%d: animals/11 a=%d\nB%d: animals/11 b=%d\n", i, i, i, i)
	}
	d := memotest.Draw(t, drawing.String())
	names := d.Names()
	upward, downward := two(t, d)
	upward.hears(names...)
	slices.Reverse(names)
	downward.hears(names...) // every run waits for the genesis

	top := causal.Context{Space: d.Space}.With(d.Memo(names[0]).Head()).With(d.Memo(names[1]).Head())
	for who, p := range map[string]*peer{"Alice": upward, "Bob": downward} {
		if missing := top.Missing(p.cut()); missing != nil {
			t.Errorf("%s lacks %v", who, missing)
		}
		want(t, who, p, "animals/11", "a=64 b=64")
		if tail, err := top.Tail(p.memos(names...)); err != nil || len(tail.Memos) != len(names) {
			t.Errorf("%s: the tail of all has %d memos of %d (%v)", who, len(tail.Memos), len(names), err)
		}
	}
	agree(t, upward, downward)
}
