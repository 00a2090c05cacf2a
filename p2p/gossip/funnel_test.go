package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// TestBudgetOfASecond: however units are asked for, no ten ticks take more than the
// rate, what comes unasked finds room, and all of the rate can be used.
func TestBudgetOfASecond(t *testing.T) {
	const rate, seconds = 100, 20
	b := Budget{rate: rate}
	var ticks []int
	for i := range seconds * budgetSlots {
		now := epoch.Add(time.Duration(i) * TickEvery)
		n := 0
		if i%budgetSlots == i/budgetSlots%budgetSlots { // own memos, at another moment each second
			b.take(now, 5, forOwn)
			n += 5
		}
		n += b.Grant(now, 1000) // as much as there is
		if i%7 == 0 {
			if n, paced := b.pace(now, 1000); n != 0 || !paced {
				t.Fatalf("%d more blocks may be asked for", n)
			}
		}
		ticks = append(ticks, n)
		second := 0
		for _, n := range ticks[max(0, i+1-budgetSlots):] {
			second += n
		}
		if second > rate {
			t.Fatalf("%d units in the second up to tick %d", second, i)
		}
	}
	if used := b.spent[forOwn] + b.spent[forAsked]; used < rate*(seconds-1)*4/5 {
		t.Errorf("%d units of %d were used", used, rate*seconds)
	}
}

// TestBlocksAreSetAside: blocks that were asked for are counted before they come, and
// given back when they do not.
func TestBlocksAreSetAside(t *testing.T) {
	b := Budget{rate: 64}
	n, _ := b.pace(epoch, 1000)
	b.aside += n
	if more, paced := b.pace(epoch, 1000); more != 0 || !paced {
		t.Errorf("%d more may be asked for", more)
	}
	for range n {
		b.answered(epoch, false)
	}
	if again, _ := b.pace(epoch, 1000); again != n || b.spent[forAsked] != 0 {
		t.Errorf("%d of %d may be asked for again, %d spent", again, n, b.spent[forAsked])
	}
	for range n {
		b.aside++
		b.answered(epoch, true)
	}
	if more, _ := b.pace(epoch, 1000); more != 0 || b.spent[forAsked] != n {
		t.Errorf("%d may be asked for, %d spent", more, b.spent[forAsked])
	}
}

// TestFetchesWithinTheBudget: a tree of many blocks comes over many seconds, none of
// which decodes more than the budget.
func TestFetchesWithinTheBudget(t *testing.T) {
	const rate = 30
	w := newWorld(3, 2, faults{delay: 20 * time.Millisecond})
	a, b := w.replicas[0], w.replicas[1]
	for range 40 {
		a.write(60, 40)
	}
	w.connectAll()
	f := a.newRoot()
	b.step(Load{Capacity: rate})
	b.step(Fetch{Space: w.space, Root: f.ID, Origin: a.id, Parts: StatePart})
	var ticks []int
	got := func() bool {
		return len(b.fetched) > 0 && b.fetched[len(b.fetched)-1].Parts == StatePart && b.fetched[len(b.fetched)-1].Err == nil
	}
	for !got() && len(ticks) < 6000 {
		before := b.core.Stats().BlocksGot
		w.run(TickEvery, nil)
		ticks = append(ticks, b.core.Stats().BlocksGot-before)
		second := 0
		for _, n := range ticks[max(0, len(ticks)-budgetSlots):] {
			second += n
		}
		if second > rate {
			t.Fatalf("%d blocks in a second, the budget is %d", second, rate)
		}
	}
	if !got() {
		t.Fatalf("no state within %d ticks: %+v", len(ticks), b.fetched)
	}
	blocks, err := b.holds(f.Root)
	if err != nil {
		t.Fatal(err)
	}
	if most := 2 * blocks * budgetSlots / rate; len(ticks) < blocks*budgetSlots/rate/2 || len(ticks) > most+5*budgetSlots {
		t.Errorf("%d blocks took %d ticks at %d a second", blocks, len(ticks), rate)
	}
	t.Logf("%d blocks in %d ticks", blocks, len(ticks))
}

// TestFunnelChoosesTheWiderRoots: of more roots than can be merged about as many are
// chosen as can be, those with more peers behind them more often.
func TestFunnelChoosesTheWiderRoots(t *testing.T) {
	l := newListener(t)
	l.step(Load{Capacity: guessedCost / 2}) // a root in two seconds
	chosen := map[bool]int{}
	const seconds = 120
	for i := range seconds * budgetSlots {
		wide := i%2 == 0
		a := &Announcement{From: memo.Author{byte(i), byte(i >> 8)}, ID: memo.ID{1}, Root: merge.Root{}, Peers: 2}
		if wide {
			a.Peers = 18
		}
		s := l.core.spaces[l.space]
		if l.core.chosen(s, a) && i > 10*budgetSlots {
			chosen[wide]++
		}
		l.step(Tick{})
		l.now = l.now.Add(TickEvery)
	}
	t.Logf("chosen %v of %d", chosen, seconds*budgetSlots)
	if n := chosen[true] + chosen[false]; n < seconds/4 || n > seconds {
		t.Errorf("%d were chosen in %d s, half as many can be merged", n, seconds)
	}
	if chosen[true] < 4*chosen[false] {
		t.Errorf("chosen were %d with 18 peers behind them and %d with 2", chosen[true], chosen[false])
	}
}

// TestNothingNewIsNotSaid: with beacons, a root is announced when its reading advanced,
// or when it covers two that were merged.
func TestNothingNewIsNotSaid(t *testing.T) {
	l := newListener(t)
	ping := func(seq uint64) []memo.Head {
		return []memo.Head{{Author: l.me.id, Seq: seq, ID: memo.ID{byte(seq)}}}
	}
	fold := func(reading []memo.Head) {
		f := l.shelf.foldedRoot(false)
		f.Reading, f.Peers = reading, 7
		l.step(f)
		l.pass(4 * soon)
	}
	fold(ping(1))
	l.grow()
	fold(ping(1))
	if len(l.announced) != 1 || l.announced[0].Peers != 7 || len(l.announced[0].Reading) != 1 {
		t.Fatalf("%d announcements, %+v", len(l.announced), l.announced)
	}
	l.grow()
	fold(ping(2))
	if len(l.announced) != 2 {
		t.Errorf("a reading advanced: %d announcements", len(l.announced))
	}
	s := l.core.spaces[l.space]
	for i := range 2 {
		before := len(l.announced)
		l.grow()
		s.roots.remember(cover{vector: memo.ID{byte(i)}, marks: l.shelf.vec.Clone()})
		l.grow()
		fold(ping(2))
		if got := len(l.announced) - before; got != i {
			t.Errorf("%d roots were merged: %d announcements", i+1, got)
		}
	}
}
