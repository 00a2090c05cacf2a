package store

import (
	"slices"
	"testing"

	"lightcone/memo"
)

// These tests show what must hold so that no order of arrival splits replicas: what is
// beneath a run that stands attaches, through whatever lies in between, and what one
// replica attached before it knew of a revocation has a join that brings it to all.

// bring gives runs to a new store one by one.
func bring(t *testing.T, w *world, runs ...*memo.Run) *Store {
	t.Helper()
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	for _, r := range runs {
		attach(t, s, r)
	}
	return s
}

// covers reports whether the cut of s covers m.
func covers(s *Store, w *world, m *memo.Memo) bool {
	return s.View().Vector(w.space).Covers(m.Author, m.Seq)
}

// inAnyOrder brings w's runs to new stores in orders that differ, and fails unless
// all of them attach m, or none.
func inAnyOrder(t *testing.T, w *world, began int, m *memo.Memo, want bool) {
	t.Helper()
	last := slices.Clone(w.runs[began:])
	for turn := range last {
		for _, back := range []bool{false, true} {
			order := append(slices.Clone(last[turn:]), last[:turn]...)
			if back {
				slices.Reverse(order)
			}
			s := bring(t, w, append(slices.Clone(w.runs[:began]), order...)...)
			if got := covers(s, w, m); got != want {
				t.Errorf("turned by %d, backwards %v: attached %v, want %v", turn, back, got, want)
			}
		}
	}
}

// An honest replica joined a chain whose first memo names a grant beyond a revocation
// that the replica learned of only later; its second join, which names that, is behind
// the first and cannot help. So the first lifts what the chain's first memo waits for.
func TestAFirstMemoBeneathAJoinLifts(t *testing.T) {
	for _, alsoRevoked := range []bool{true, false} {
		w := newCouncil(t)
		w.grant(rootA, granterA, memo.Granter)
		good := w.say(granterA, edit(1), w.heads[rootA]).Memos[0]
		w.say(honestA, memo.Join{}, w.runs[1].Memos[0])
		w.revoke(rootA, granterA, good)
		began := len(w.runs)
		w.say(writerA, edit(2), w.grant(granterA, writerA, memo.Writer))
		if alsoRevoked {
			w.revoke(rootA, writerA, nil)
		}
		w.say(honestA, memo.Join{}, w.heads[writerA])
		w.say(honestA, memo.Join{}, w.heads[granterA])
		inAnyOrder(t, w, began, w.heads[honestA], true)
	}
}

// A first memo lifts its causes as soon as a grant that it names is here, also while it
// waits for others. Two granters began with a memo by somebody whom the other revoked,
// who was granted by a third: neither revocation may keep the other away.
func TestAFirstMemoThatStandsLifts(t *testing.T) {
	w := newCouncil(t)
	third := w.grant(rootA, granterA, memo.Granter)
	lets := func(to int) *memo.Memo {
		if w.heads[granterA] == nil {
			return w.grant(granterA, to, memo.Writer, third)
		}
		return w.grant(granterA, to, memo.Writer)
	}
	onA, onB := lets(writerA), lets(writerB)
	by, of := w.grant(rootA, granterB, memo.Granter), w.grant(rootA, writerC, memo.Granter)
	common := len(w.runs)
	a := w.say(writerA, edit(1), onA)
	b := w.say(writerB, edit(2), onB)
	w.grant(granterB, writerB, memo.Writer, by, a.Memos[0])
	w.revoke(granterB, writerB, nil)
	w.grant(writerC, writerA, memo.Writer, of, b.Memos[0])
	w.revoke(writerC, writerA, nil)
	first, second := w.runs[common+2:common+4], w.runs[common+4:]
	one := bring(t, w, slices.Concat(w.runs[:common], []*memo.Run{a}, first, []*memo.Run{b}, second)...)
	two := bring(t, w, slices.Concat(w.runs[:common], []*memo.Run{b}, second, []*memo.Run{a}, first)...)
	for _, r := range w.runs[common:] {
		if m := r.Memos[0]; !covers(one, w, m) || !covers(two, w, m) {
			t.Errorf("%s: attached %v and %v", m.Head(), covers(one, w, m), covers(two, w, m))
		}
	}
}

// The grant that makes a first memo stand may come while it waits for another cause.
func TestAGrantWakesTheFirstMemoThatNamesIt(t *testing.T) {
	var ahead int
	for revoked := writerA; revoked <= writerC; revoked++ { // causes are in the order of keys
		w := newCouncil(t)
		if w.author(revoked).Compare(w.author(granterB)) > 0 {
			continue
		}
		ahead++
		good := w.say(revoked, edit(1), w.grant(rootA, revoked, memo.Writer)).Memos[0]
		w.revoke(rootA, revoked, good)
		w.say(granterB, edit(2), w.grant(rootA, granterB, memo.Granter))
		began := len(w.runs)
		beyond := w.say(revoked, edit(3)).Memos[0]
		w.say(granterA, edit(4), beyond, w.grant(granterB, granterA, memo.Writer))
		inAnyOrder(t, w, began, w.heads[granterA], true)
	}
	if ahead == 0 {
		t.Error("no first memo waited for what it lifts")
	}
}

// A stranger lifts nothing, though it waits.
func TestAStrangersFirstMemoLiftsNothing(t *testing.T) {
	w := newCouncil(t)
	good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.revoke(rootA, writerA, good)
	began := len(w.runs)
	beyond := w.say(writerA, edit(2)).Memos[0]
	w.say(writerB, memo.Join{}, beyond, w.genesis())
	inAnyOrder(t, w, began, beyond, false)
}

// Another memo in the place of the last good one is beyond the revocation too.
func TestAnotherMemoInTheLastGoodPlaceIsBeyond(t *testing.T) {
	w := newCouncil(t)
	other := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.say(rootA, &memo.Revoke{Author: w.author(writerA), Seq: 1, ID: memo.ID{1}})
	s := bring(t, w, w.runs...)
	if got := s.View().Beyond(w.space, w.author(honestA)); !slices.Equal(got, []memo.Head{other.Head()}) {
		t.Errorf("beyond the revocation: %v, want %s", got, other.Head())
	}
}

// fork makes a run of one memo in the place behind prev, of an author that wrote
// another one there.
func (w *world) fork(i int, prev *memo.Memo, n int, deps ...*memo.Memo) *memo.Run {
	w.t.Helper()
	var heads []memo.Head
	for _, d := range deps {
		heads = append(heads, d.Head())
	}
	memo.SortDeps(heads)
	var memos []*memo.Memo
	for range n {
		prev = w.memo(memo.Memo{
			Space: w.space, Author: prev.Author, Seq: prev.Seq + 1, Prev: prev.ID(), Deps: heads,
			Time: memo.Next(uint64(len(w.runs)), prev.Time), Body: edit(len(w.runs)),
		})
		memos, heads = append(memos, prev), nil
	}
	w.runs = append(w.runs, w.seal(i, memos...))
	return w.runs[len(w.runs)-1]
}

// Who was revoked does not go on from what a join keeps by forking below it.
func TestAForkBelowAJoinReachesNoFarther(t *testing.T) {
	for _, held := range []bool{true, false} { // when the fork comes
		w := newCouncil(t)
		good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
		kept := w.say(writerA, edit(2)).Memos[0]
		w.revoke(rootA, writerA, good)
		w.say(honestA, memo.Join{}, w.runs[1].Memos[0])
		before := slices.Clone(w.runs)
		joined := w.say(honestA, memo.Join{}, kept)
		fork := w.fork(writerA, good, 2)
		order := []*memo.Run{joined, fork}
		if held {
			order = []*memo.Run{fork, joined}
		}
		before = slices.DeleteFunc(before, func(r *memo.Run) bool { return r.Head() == kept.Head() })
		at := slices.IndexFunc(w.runs, func(r *memo.Run) bool { return r.Head() == kept.Head() })
		s := bring(t, w, slices.Concat(before, order, []*memo.Run{w.runs[at]}, []*memo.Run{fork})...)
		if !covers(s, w, kept) || covers(s, w, fork.Memos[1]) {
			t.Errorf("the kept memo is covered: %v, what goes beyond it: %v", covers(s, w, kept), covers(s, w, fork.Memos[1]))
		}
	}
}

// Runs below the memo that a join names attach as they come, from the front: the
// pending set need not hold all of them until that memo is here.
func TestRunsBelowWhatAJoinNamesAttachFromTheFront(t *testing.T) {
	w := newCouncil(t)
	good := w.say(writerA, edit(1), w.grant(rootA, writerA, memo.Writer)).Memos[0]
	w.revoke(rootA, writerA, good)
	w.say(honestA, memo.Join{}, w.runs[1].Memos[0])
	before := slices.Clone(w.runs)
	below := w.say(writerA, edit(2))
	joined := w.say(honestA, memo.Join{}, w.say(writerA, edit(3)).Memos[0])
	if s := bring(t, w, append(before, joined, below)...); !covers(s, w, below.Memos[0]) {
		t.Error("a run below what the join names waits")
	}
}
