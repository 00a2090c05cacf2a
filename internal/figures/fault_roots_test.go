package figures

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
	"lightcone/store"
)

// The faults of fault_test.go, those that roots could bring back.

// A keyframe made on one branch hid a concurrent branch. Here whole branches are
// folded, one of them twice over, by people who know nothing of each other; what the
// other branch did is earlier by the clock, and shows all the same.
func TestAFoldOfOneBranchHidesNoOther(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A0@zoe -> A1@alice -> A2@alice
		     |      -> B1@bob -> B2@bob

		A0: animals/11 name=Fox legs=4 ; animals/12 name=Owl
		A1 at 5: animals/11 name=Panda ; animals/12 !
		A2 at 6: animals/11 name=Cat
		B1 at 3: animals/11 color=red -legs name=Dog ; animals/12 age=3
		B2 at 4: animals/13 name=Eel
	`)
	alice, bob := two(t, d)
	alice.hears("G", "A0", "A1")
	early, _ := alice.folds(nil)
	alice.hears("A2")
	ours, _ := alice.folds(&early, "A2")
	bob.hears("G", "A0", "B1", "B2")
	theirs, _ := bob.folds(nil)

	alice.fetches(bob, theirs, ours)
	bob.fetches(alice, ours, theirs)
	both := alice.merges(ours, theirs)
	if other := bob.merges(theirs, ours); other != both {
		t.Errorf("merged by Alice %+v, by Bob %+v", both, other)
	}
	naively(t, d, both)
	alice.hears("B1", "B2")
	late, _ := alice.folds(&ours, "B1", "B2")
	if late != both {
		t.Errorf("the branch folded into the root gives %+v, its root %+v", late, both)
	}
	reads(t, alice, alice.under(both), "11", "color=red name=Cat")
	reads(t, alice, alice.under(ours, "B1", "B2"), "11", "color=red name=Cat")
	reads(t, bob, bob.under(both), "12", "nothing") // B1 is older than the row's deletion
	reads(t, bob, bob.under(both), "13", "name=Eel")
}

// "Descends" was false for identical heads if there were two of them, so that
// compaction stopped for good under concurrency. Here two people always write at
// once: each time they meet both have the same two heads, whose fold takes both in.
func TestConcurrencyDoesNotStopCompaction(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1@alice, B1@bob
		A1, B1 -> A2, B2
		A2, B2 -> A3, B3

		A1: animals/C a=1
		B1: animals/C a=2
		A2: animals/C a=3
		B2: animals/E a=4
		A3: animals/C a=5
		B3: animals/F a=6
	`)
	alice, bob := two(t, d)
	alice.hears("G")
	bob.hears("G")
	for round := 1; round <= 3; round++ {
		ours, theirs := fmt.Sprint("A", round), fmt.Sprint("B", round)
		alice.hears(ours, theirs)
		bob.hears(theirs, ours)
		alice.qc = alice.qc.With(d.Memo(ours).Head())
		bob.qc = bob.qc.With(d.Memo(theirs).Head())
		var err error
		alice.qc, err = causal.Join(alice.qc, bob.qc)
		alice.must(err)
		bob.qc, err = causal.Join(bob.qc, alice.qc)
		bob.must(err)
		holds(t, "Alice", alice, ours, theirs)
		holds(t, "Bob", bob, ours, theirs)
		if !alice.qc.Equal(bob.qc) {
			t.Fatalf("round %d: Alice's context is %+v, Bob's %+v", round, alice.qc, bob.qc)
		}

		alice.compacts(causal.Budget{})
		holds(t, "Alice", alice)
		taken, err := causal.Join(bob.qc, alice.qc) // what Alice folded covers both of Bob's heads
		bob.must(err)
		bob.compacts(causal.Budget{})
		if !bob.qc.Equal(alice.qc) || !taken.Equal(alice.qc) {
			t.Fatalf("round %d: folded by Alice %+v, by Bob %+v, taken over %+v", round, alice.qc, bob.qc, taken)
		}
	}
	naively(t, d, alice.root())
}

// Two peers that made the same child of an index made it under two identities. Here
// Alice folds edit by edit, Bob merges what each of them folded apart, and every
// block of the two trees is one block.
func TestTwoPeersFoldOneIndex(t *testing.T) {
	var drawing strings.Builder
	drawing.WriteString("G -> A1@alice -> A2\n| -> B1@bob -> B2\n")
	for n, name := range []string{"A1", "B1", "A2", "B2"} {
		var rows []string
		for i := n * 100; i < 500-n*50; i++ {
			rows = append(rows, fmt.Sprintf("animals/%03d %s=%d", i, strings.ToLower(name), i))
		}
		fmt.Fprintf(&drawing, "%s: %s\n", name, strings.Join(rows, " ; "))
	}
	d := memotest.Draw(t, drawing.String())
	alice, bob := two(t, d)
	alice.hears("G", "A1")
	ours, _ := alice.folds(nil)
	for _, name := range []string{"B1", "A2", "B2"} {
		alice.hears(name)
		ours, _ = alice.folds(&ours, name)
	}
	bob.hears(d.Names()...)
	theirs := bob.merges(bob.merges(bob.indexes("B2", "A1"), bob.indexes("G", "A2", "B1")), bob.indexes("B1", "B2"))

	naively(t, d, ours)
	if bob.rootBytes(theirs) != alice.rootBytes(ours) {
		t.Fatalf("Alice's root is %+v, Bob's %+v", ours, theirs)
	}
	mine := alice.reached(ours)
	if !slices.Equal(mine, bob.reached(theirs)) || len(mine) < 300 {
		t.Errorf("Alice's trees have %d blocks, Bob's %d, or they are not the same", len(mine), len(bob.reached(theirs)))
	}
	if came := bob.fetches(alice, ours, theirs); came != 0 {
		t.Errorf("Bob needs %d blocks of what he made himself", came)
	}
}

// The last copy of something was dropped because a peer merely knew of it. What is
// dropped here are blocks that no pinned root reaches, whoever knows of them; memos
// are kept.
func TestTheLastCopyIsKeptWhoeverKnowsOfIt(t *testing.T) {
	var rows []string
	for i := range 400 {
		rows = append(rows, fmt.Sprintf("animals/%d name=%d voice=%s", i, i, strings.Repeat("woof", 20)))
	}
	d := memotest.Draw(t, "G -> A0@zoe -> A1@alice\nA0: "+strings.Join(rows, " ; ")+"\nA1: animals/11 name=Panda -voice\n")
	alice, bob := two(t, d)
	alice.hears("G", "A0")
	old, _ := alice.folds(nil)
	alice.hears("A1")
	now, _ := alice.folds(&old, "A1")
	start := time.UnixMilli(1)
	kept := alice.pins(old, store.Pin{Until: start.Add(time.Hour)})
	alice.pins(now, store.Pin{Until: start.Add(2 * time.Hour)})

	// Bob knows of the old root: he has pinned it, and is told its first block.
	bob.pins(old, store.Pin{Root: kept, Until: start.Add(9 * time.Hour), Foreign: true})
	if c := bob.collects(start); c.Pins != 0 || c.Blocks != 0 {
		t.Errorf("Bob dropped %+v", c)
	}
	if c := alice.collects(start); c.Pins != 0 || c.Blocks != 0 {
		t.Errorf("Alice dropped %+v of two pinned roots", c)
	}
	if n := len(alice.reached(old)); n < 400 {
		t.Errorf("the old root has %d blocks", n)
	}
	reads(t, alice, alice.under(old), "11", "name=11 voice="+strings.Repeat("woof", 20))

	// He gets it while she still has it; what he has half of when he tidies up stays.
	half := bob.fetchesSome(alice, old, merge.Root{}, 200)
	if c := bob.collects(start); half != 200 || c.Blocks != 0 {
		t.Errorf("of %d blocks that came Bob dropped %+v", half, c)
	}
	bob.fetches(alice, old, merge.Root{})
	if c := alice.collects(start.Add(90 * time.Minute)); c.Pins != 1 || c.Blocks == 0 {
		t.Errorf("Alice collected %+v, want the old root's time to be up", c)
	}
	reads(t, alice, alice.under(now), "11", "name=Panda")
	bob.collects(start.Add(90 * time.Minute))
	reads(t, bob, bob.under(old), "11", "name=11 voice="+strings.Repeat("woof", 20))
	reads(t, bob, bob.under(old), "399", "name=399 voice="+strings.Repeat("woof", 20))
	for _, name := range d.Names() {
		if _, ok := alice.digestAt(d.Memo(name).Author, d.Memo(name).Seq); !ok {
			t.Errorf("Alice no longer has %s", name)
		}
	}
}

// pins keeps a root, whose own block it writes, and returns its id.
func (p *peer) pins(r merge.Root, pin store.Pin) memo.ID {
	p.t.Helper()
	data := []byte(p.rootBytes(r))
	pin.Root = memo.Sum(data)
	blocks := p.store.Blocks(p.d.Space)
	p.must(blocks.Write(func(put merge.BlockPutter) error { return put.PutBlock(pin.Root, data) }))
	p.must(blocks.Pin(pin))
	return pin.Root
}

func (p *peer) collects(now time.Time) store.Collected {
	p.t.Helper()
	c, err := p.store.Blocks(p.d.Space).Collect(now)
	p.must(err)
	return c
}
