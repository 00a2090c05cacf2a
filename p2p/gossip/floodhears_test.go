package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
)

// TestAFloodIsHeardWhileItIsNew: in a space that adopts hearing keeps its units before
// blocks in the first floodTime of a flood, and only while the flood lasts.
func TestAFloodIsHeardWhileItIsNew(t *testing.T) {
	l := newListener(t)
	l.shelf.adopts = true
	l.step(Load{Capacity: 100})
	s := l.core.spaces[l.space]
	second := func(offered int) (free int) {
		for range budgetSlots {
			s.hearing.offer(memo.Author{1}, offered/budgetSlots)
			l.step(Tick{})
			l.now = l.now.Add(TickEvery)
		}
		return l.core.budget.free(l.now, forAsked)
	}
	kept := l.core.budget.rate * 5 / 8 // floodHears
	calm := second(10)
	second(1000)
	if free, most := second(1000), calm-kept; free > most+1 {
		t.Errorf("%d units are left for blocks in a new flood, of %d", free, calm)
	}
	for range floodTime / time.Second {
		second(1000)
	}
	if free := second(1000); free != calm {
		t.Errorf("%d units are left for blocks in an old flood, of %d", free, calm)
	}
	for s.hearing.offered.rate > 1 {
		second(0)
	}
	second(1000)
	second(1000)
	if free := second(0); free > calm-kept+1 {
		t.Errorf("%d units are left for blocks a second after the flood", free)
	}
	if free := second(0); free != calm {
		t.Errorf("%d units are left for blocks when the flood is over, of %d", free, calm)
	}
}

// TestReconNamesWhatIsHeard: where roots stand for memos and much is missing, VEC asks
// for chains that are heard or waited for, and still tells what the peer lacks.
func TestReconNamesWhatIsHeard(t *testing.T) {
	l := newListener(t)
	s := l.core.spaces[l.space]
	a, b, c := memo.Author{1}, memo.Author{2}, memo.Author{3}
	var mine memo.Vector
	mine.Set(memo.Mark{Head: memo.Head{Author: c, Seq: 9, ID: memo.ID{9}}})
	theirs := map[memo.Author]memo.Head{
		a: {Author: a, Seq: 900, ID: memo.ID{1}}, b: {Author: b, Seq: 900, ID: memo.ID{2}}, c: {Author: c, Seq: 3, ID: memo.ID{3}},
	}
	names := func() (out []memo.Author) {
		ses := &session{space: s, cut: mine, theirs: theirs}
		for m := range l.core.wanting(ses, differing(mine, theirs, true)).All() {
			out = append(out, m.Author)
		}
		return out
	}
	l.step(Load{Capacity: 100})
	s.hearing.wait(l.now.Add(time.Minute), []memo.Head{{Author: b}})
	if got := names(); len(got) != 3 {
		t.Errorf("%d of 3 authors are named where memos are all there is", len(got))
	}
	l.shelf.adopts = true
	if got := names(); len(got) != 2 || got[0] != b || got[1] != c {
		t.Errorf("named are %v, waited for is %v, behind is %v", got, b, c)
	}
	l.step(Load{})
	if got := names(); len(got) != 3 {
		t.Errorf("%d of 3 authors are named without a bound", len(got))
	}
}
