package figures

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
)

// In figure 10 Alice has made or observed loose leaves on a number of records.
const consolidated = `
	G -> A0@zoe -> F1@alice
	     |      -> F2@bob
	     |      -> E1@carol

	A0: animals/C a=Crow ; animals/E a=Eel ; animals/F a=Fox b=Bear
	F1: animals/F b=Cat
	F2: animals/F a=Panda
	E1: animals/E a=Emu
`

// observed is Alice when her context is {A0, F1, F2, E1}: the root A0, and leaves.
func observed(t *testing.T, d *memotest.DAG) *peer {
	t.Helper()
	alice := one(t, d)
	alice.hears("G", "A0")
	alice.qc = alice.qc.With(d.Memo("A0").Head())
	alice.compacts(causal.Budget{})
	if a0, _ := alice.folds(nil); alice.qc.Root != memo.Sum([]byte(alice.rootBytes(a0))) {
		t.Errorf("the context's root is %s, that of all memos %+v", alice.qc.Root, a0)
	}
	alice.hears("F1", "F2", "E1")
	for _, name := range []string{"F1", "F2", "E1"} {
		alice.qc = alice.qc.With(d.Memo(name).Head())
	}
	holds(t, "Alice", alice, "E1", "F1", "F2")
	return alice
}

// compacts folds p's context, all of it or what is within a budget.
func (p *peer) compacts(b causal.Budget) {
	p.t.Helper()
	blocks := p.store.Blocks(p.d.Space)
	p.must(blocks.Write(func(put merge.BlockPutter) (err error) {
		t := causal.Trees{Params: merge.DefaultParams(p.d.Space), Get: blocks, Put: put}
		p.qc, err = p.qc.FoldPart(t, p.memos(p.held()...), b)
		return err
	}))
}

// held are the names of the memos that p has.
func (p *peer) held() []string {
	return slices.DeleteFunc(p.d.Names(), func(name string) bool { return !p.cut().Covers(p.d.Memo(name).Head()) })
}

// contains is all that p's context says, however it is folded: the states of the
// rows under its root with the leaves beyond it, and the memos.
func (p *peer) contains() (states map[string]string, memos []string) {
	p.t.Helper()
	tail, err := p.qc.Tail(p.memos(p.held()...))
	p.must(err)
	at, err := p.under(p.root()).With(tail.Memos)
	p.must(err)
	id, err := at.Digest(nil)
	p.must(err)
	states = map[string]string{"digest": id.String()}
	for _, name := range []string{"C", "E", "F"} {
		row, _, err := at.Get(p.d.Space, "animals", name)
		p.must(err)
		states[name] = shown(row)
	}
	for _, name := range p.held() {
		m := p.d.Memo(name)
		if p.qc.Below.Covers(m.Author, m.Seq) || slices.Contains(tail.Memos, m) {
			memos = append(memos, name)
		}
	}
	return states, memos
}

// root is the root of p's context.
func (p *peer) root() merge.Root {
	p.t.Helper()
	data, err := p.store.Blocks(p.d.Space).Block(p.qc.Root)
	p.must(err)
	r, err := merge.DecodeRoot(data)
	p.must(err)
	return r
}

// Figure 10. The compaction is done selectively, and incrementally: leaves become a
// keyframe below the root whenever Alice sees fit, and nothing that she knows
// changes. The densest part goes first: F1 and F2 are two edits of one row.
//
//	{A0, F1, F2, E1} -> {C0, E1} -> {C1}    or    {A0, F1, F2, E1} -> {C1}
//
// where C0 = A0 with F3 = F1 • F2, and C1 = A0 with F3 and E1.
func TestFig10(t *testing.T) {
	d := memotest.Draw(t, consolidated)
	before, known := observed(t, d).contains()
	want := map[string]string{"C": "a=Crow", "E": "a=Emu", "F": "a=Panda b=Cat", "digest": before["digest"]}
	if diff := cmp.Diff(want, before); diff != "" {
		t.Fatalf("before (-want +got):\n%s", diff)
	}
	roots := map[memo.ID]bool{}
	for name, folds := range map[string][]struct {
		budget causal.Budget
		loose  []string
	}{
		"at once":      {{causal.Budget{}, nil}},
		"in parts":     {{causal.Budget{Memos: 2}, []string{"E1"}}, {causal.Budget{Memos: 2}, nil}},
		"leaf by leaf": {{causal.Budget{Memos: 1}, nil}, {causal.Budget{Memos: 1}, nil}, {causal.Budget{Memos: 1}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			alice := observed(t, d)
			for _, fold := range folds {
				was := len(alice.qc.Loose)
				alice.compacts(fold.budget)
				if fold.loose != nil || fold.budget.IsZero() {
					holds(t, "Alice", alice, fold.loose...)
				}
				if len(alice.qc.Loose) >= was {
					t.Errorf("%d leaves were loose, now %d are", was, len(alice.qc.Loose))
				}
				now, knows := alice.contains()
				if diff := cmp.Diff(before, now); diff != "" || !slices.Equal(known, knows) {
					t.Errorf("the fold changed what the context holds, from %v to %v:\n%s", known, knows, diff)
				}
			}
			if len(alice.qc.Loose) > 0 {
				t.Errorf("%v are loose at the end", alice.qc.Loose)
			}
			naively(t, d, alice.root())
			roots[alice.qc.Root] = true
		})
	}
	if len(roots) != 1 {
		t.Errorf("the ways lead to %v", slices.Collect(maps.Keys(roots)))
	}
}

// Part of a context is folded: the keyframe F3 is below the root, and the leaf that
// was left is above it, for reads as for those who take the context over.
func TestFig10PartIsBelow(t *testing.T) {
	d := memotest.Draw(t, consolidated)
	alice, bob := observed(t, d), one(t, d)
	alice.compacts(causal.Budget{Memos: 2})
	reads(t, alice, alice.under(alice.root()), "F", "a=Panda b=Cat")
	reads(t, alice, alice.under(alice.root()), "E", "a=Eel")
	reads(t, alice, alice.under(alice.root(), "E1"), "E", "a=Emu")

	bob.hears("G", "A0")
	bob.writes("F2")
	joined, err := causal.Join(bob.qc, alice.qc)
	bob.must(err)
	if !joined.Equal(alice.qc) {
		t.Errorf("what Bob knew is below Alice's root, and joined they are %v, not %v", joined, alice.qc)
	}
}
