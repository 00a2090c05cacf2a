package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
)

// forkedWorld is a space that adopts states: author 1 forked its chain, with two heads
// of one place, and author 2 proved it.
func forkedWorld(t *testing.T) (w *world, one, a, b *memo.Run) {
	w = newAdoptWorld(t, 3)
	one = w.branch(1, nil, 1)
	a, b = w.branch(1, one.Memos[0], 2), w.branch(1, one.Memos[0], 2)
	w.prove(2, one.Memos[0], a, b)
	return w, one, a, b
}

// TestMarksTravelWithStates: who adopts a state takes in who is proved to have forked
// and which of two heads is the greater, whether that is news of the head or not; so
// its vector is that of who holds the memos.
func TestMarksTravelWithStates(t *testing.T) {
	w, one, a, b := forkedWorld(t)
	_, cut, _ := w.expected()
	var whole Adoption
	var v memo.Vector
	for _, m := range cut {
		v.Set(m)
	}
	whole = w.adoption(2, v)
	for name, held := range map[string][]*memo.Run{"nothing": nil, "the beginning": {one}, "one branch": {one, a}, "the other": {one, b}} {
		t.Run(name, func(t *testing.T) {
			dir, o := t.TempDir(), Options{WAL: smallSegments}
			s := open(t, dir, o)
			s.AddSpace(w.space)
			attach(t, s, append([]*memo.Run{w.runs[0]}, held...)...)
			adopt(t, s, whole)
			for _, rebuilt := range []bool{false, true} {
				if diff := cmp.Diff(cut, marks(s.View().Vector(w.space))); diff != "" {
					t.Fatalf("rebuilt %v:\n%s", rebuilt, diff)
				}
				closeStore(t, s)
				removeIndex(t, dir)
				s = open(t, dir, o)
			}
			closeStore(t, s)
		})
	}
}

// TestForkOutlivesCompaction: the mark and the seal of the greater head are kept where
// the memos are not; runs that come again are of no use, and the chain goes on.
func TestForkOutlivesCompaction(t *testing.T) {
	w, _, _, _ := forkedWorld(t)
	dir, o := t.TempDir(), Options{WAL: smallSegments}
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	want := marks(s.View().Vector(w.space))
	if _, err := s.Compact([]Checkpoint{w.checkpoint(s)}); err != nil {
		t.Fatal(err)
	}
	for _, rebuilt := range []bool{false, true} {
		if diff := cmp.Diff(want, marks(s.View().Vector(w.space))); diff != "" {
			t.Fatalf("rebuilt %v:\n%s", rebuilt, diff)
		}
		mark, _ := s.View().Vector(w.space).Get(w.author(1))
		if seal, ok, err := s.View().Seal(w.space, mark.Author, mark.Seq); err != nil || !ok || memo.VerifySeal(w.space, mark.Head, seal) != nil {
			t.Fatalf("rebuilt %v: the seal of the greater head: %v, %v", rebuilt, ok, err)
		}
		if res := attach(t, s, w.runs[1:]...); len(res.Runs) != 0 || len(res.Refused) != 0 {
			t.Fatalf("rebuilt %v: attached %d runs again, refused %v", rebuilt, len(res.Runs), res.Refused)
		}
		closeStore(t, s)
		removeIndex(t, dir)
		s = open(t, dir, o)
	}
	mark, _ := s.View().Vector(w.space).Get(w.author(1))
	for _, r := range w.runs {
		if r.Head() == mark.Head {
			if res := attach(t, s, w.branch(1, r.Memos[1], 1)); len(res.Runs) != 1 {
				t.Error("the chain does not go on")
			}
			break
		}
	}
	closeStore(t, s)
}
