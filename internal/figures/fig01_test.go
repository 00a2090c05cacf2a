package figures

import (
	"fmt"
	"slices"
	"testing"

	"lightcone/memo"
	"lightcone/memo/memotest"
	"lightcone/merge"
	"lightcone/projection"
)

// folds makes the root of everything that p has, from the root before if one is
// given and the rows of the named memos, else from nothing. It returns the root
// and how many blocks that took.
func (p *peer) folds(before *merge.Root, changed ...string) (r merge.Root, made int) {
	p.t.Helper()
	snap := p.snapshot()
	defer snap.Close()
	r.Params = merge.DefaultParams(p.d.Space)
	blocks := p.store.Blocks(p.d.Space)
	p.must(blocks.Write(func(put merge.BlockPutter) (err error) {
		counted := counter{put, &made}
		if before == nil {
			r.State, err = merge.BuildState(r.Params, snap.States(p.d.Space), counted)
		} else {
			at, err := projection.NewAt(r.Params, blocks, before.State).With(p.memos(changed...))
			p.must(err)
			r.State, err = at.Digest(counted)
			p.must(err)
		}
		if err == nil {
			r.Vector, err = merge.BuildVector(r.Params, p.cut().Vector(), put)
		}
		return err
	}))
	return r, made
}

type counter struct {
	merge.BlockPutter
	n *int
}

func (c counter) PutBlock(id memo.ID, data []byte) error {
	*c.n++
	return c.BlockPutter.PutBlock(id, data)
}

func (p *peer) memos(names ...string) (out []*memo.Memo) {
	for _, name := range names {
		out = append(out, p.d.Memo(name))
	}
	return out
}

// under is the state of a context: a root and the named memos beyond it.
func (p *peer) under(r merge.Root, loose ...string) *projection.At {
	p.t.Helper()
	at, err := projection.NewAt(r.Params, p.store.Blocks(p.d.Space), r.State).With(p.memos(loose...))
	p.must(err)
	return at
}

// reads demands what a context shows of a row, and that its scan shows the same.
func reads(t *testing.T, p *peer, at *projection.At, row, fields string) {
	t.Helper()
	state, live, err := at.Get(p.d.Space, "animals", row)
	p.must(err)
	got := "nothing"
	if live {
		got = shown(state)
	}
	if got != fields {
		t.Errorf("row %s shows %q, want %q", row, got, fields)
	}
	scanned := "nothing"
	for it, err := range at.Scan(p.d.Space, projection.Range{Topic: "animals"}) {
		p.must(err)
		if it.Row == row {
			scanned = shown(it.State)
		}
	}
	if scanned != got {
		t.Errorf("row %s is %q in a scan, %q by itself", row, scanned, got)
	}
}

func shown(state merge.Row) string {
	out := ""
	for _, c := range state.Cells {
		if c.Register.Set {
			out += fmt.Sprintf(" %s=%s", c.Field, c.Register.Value)
		}
	}
	return out[min(1, len(out)):]
}

// In figures 1 and 2 a tree holds many records, and Alice edits one.
func manyRows(t *testing.T) *memotest.DAG {
	t.Helper()
	edit := "A0: animals/0 name=Ant"
	for i := 1; i < 400; i++ {
		edit += fmt.Sprintf(" ; animals/%d name=Ant", i)
	}
	return memotest.Draw(t, "G -> A0@zoe -> A1@alice\n"+edit+"\nA1: animals/11 name=Panda\n")
}

// Figure 1. An edit makes new nodes from the record up to the root, and leaves the
// rest of the tree as it is.
func TestFig01(t *testing.T) {
	d := manyRows(t)
	alice := one(t, d)
	alice.hears("G", "A0")
	old, all := alice.folds(nil)
	alice.writes("A1")
	now, made := alice.folds(&old, "A1")
	if whole, _ := alice.folds(nil); whole != now {
		t.Error("the root depends on how it was made")
	}
	if made == 0 || made*4 > all {
		t.Errorf("the edit of one row made %d blocks, the tree has %d", made, all)
	}
}

// Figure 2. Alice swaps the old root for the new one in her context. The old root
// still reads the old state.
func TestFig02(t *testing.T) {
	d := manyRows(t)
	alice := one(t, d)
	alice.hears("G", "A0")
	old, _ := alice.folds(nil)
	alice.writes("A1")
	now, _ := alice.folds(&old, "A1")
	want(t, "Alice", alice, "animals/11", "name=Panda")
	reads(t, alice, alice.under(now), "11", "name=Panda")
	reads(t, alice, alice.under(old), "11", "name=Ant")
	reads(t, alice, alice.under(old), "12", "name=Ant")
}

// Figure 4. Key 11 is queried under a context. The state is projected from that
// context alone, whatever else is here; whether a part of it is folded or not.
func TestFig04(t *testing.T) {
	d := memotest.Draw(t, concurrent)
	alice := one(t, d)
	alice.hears("G")
	nothing, _ := alice.folds(nil)
	alice.hears("A0")
	a0, _ := alice.folds(nil)
	alice.hears("A1", "A2", "A3")
	for _, at := range []*projection.At{alice.under(nothing, "A0", "A1"), alice.under(a0, "A1")} {
		reads(t, alice, at, "11", "color=white name=Panda tail=long")
		reads(t, alice, at, "12", "nothing")
		reads(t, alice, at, "10", "name=Owl")
	}
	reads(t, alice, alice.under(a0, "A2", "A3"), "11", "age=7 legs=4 name=Cat tail=long")
	reads(t, alice, alice.under(nothing, "A0"), "11", "name=Fox tail=long")
}

// Figure 7. The context has grown past its threshold, and keyframes supersede the
// memos they were made of. The projection is after that what it was before; a
// latecomer that descends from none of them is joined in, in any order.
func TestFig07(t *testing.T) {
	d := memotest.Draw(t, concurrent)
	alice, bob := two(t, d)
	alice.hears("G", "A0", "A1", "A2")
	before := alice.states()
	keyframe, _ := alice.folds(nil)
	var after []string
	for r, err := range merge.StateRows(keyframe.Params, alice.store.Blocks(alice.d.Space), keyframe.State, "") {
		alice.must(err)
		state, err := r.Row.Encode()
		alice.must(err)
		if before[r.Key] != string(state) {
			t.Errorf("the keyframe of row %q is not its projection", r.Key)
		}
		after = append(after, r.Key)
	}
	if len(after) != len(before) || !slices.IsSorted(after) {
		t.Errorf("keyframes of %q, rows %d", after, len(before))
	}

	alice.hears("A3")
	joined, _ := alice.folds(&keyframe, "A3")
	bob.hears("G", "A0", "A3") // the latecomer is the first to reach Bob
	early, _ := bob.folds(nil)
	bob.hears("A2", "A1")
	whole, _ := bob.folds(&early, "A1", "A2")
	if joined != whole {
		t.Errorf("Alice's root is %+v, Bob's %+v", joined, whole)
	}
	reads(t, alice, alice.under(joined), "11", "age=7 color=white legs=4 name=Cat tail=long")
	reads(t, alice, alice.under(keyframe), "11", "color=white legs=4 name=Cat tail=long")
	reads(t, alice, alice.under(keyframe), "12", "nothing")
}
