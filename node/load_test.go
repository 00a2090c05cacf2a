package node

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// The protocol is told of a bound only while the queue of inputs stays half full, and
// that is the speed that was measured; a budget that was set always holds.
func TestLoadIsToldUnderPressure(t *testing.T) {
	now := time.Now()
	var l load
	second := func(queued, budget int) float64 {
		l.attached(1000, 500*time.Millisecond)
		now = now.Add(loadEvery)
		told := l.second(now, queued, budget)
		if told.Backlog != queued {
			t.Errorf("a backlog of %d was told as %d", queued, told.Backlog)
		}
		return told.Capacity
	}
	const full = maxQueuedInputs / 2
	for i, want := range []float64{0, 2000, 2000} {
		if got := second(full, 0); got != want {
			t.Errorf("second %d of pressure: told %v, want %v", i, got, want)
		}
	}
	for i := range calmAfter + 1 {
		want := 2000.0
		if i >= calmAfter-1 {
			want = 0
		}
		if got := second(full-1, 0); got != want {
			t.Errorf("second %d of calm: told %v, want %v", i, got, want)
		}
	}
	if got := second(0, 300); got != 300 {
		t.Errorf("told %v, a budget of 300 was set", got)
	}
}

// The rows of a state are merged as the budget has room for them: while no time passes
// it is one second's.
func TestMergesWithinTheBudget(t *testing.T) {
	t.Parallel() // it waits for disks and links
	const rows, budget = 250, leastBudget
	start := time.Now().Add(10 * time.Second)
	var passed atomic.Int64
	now := func() time.Time { return start.Add(time.Duration(passed.Load())) }
	maker, late := adopters(t, Options{Budget: budget, Now: now}, 0)
	_, err := maker.Update(t.Context(), func(tx *Tx) error {
		for i := range rows {
			if err := tx.Put("t", fmt.Sprint("more", i), Fields{"v": memo.Int(int64(i))}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	spent := func() int {
		st, err := late.node.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.Hearing.Budget != budget {
			return 0 // not told yet
		}
		return st.Hearing.Spent
	}
	waitUntil(t, "the budget is told", func() bool {
		spent()
		told := 0
		late.node.onOwner(t, func(o *owner) { told = int(o.load.told.Capacity) })
		return told == budget
	})
	w := wordOf(t, maker)
	w.announce(t, late)
	w.say(t, late, gossip.StatePart)
	waitUntil(t, "some rows are paid for", func() bool { return spent() >= budget/2 })
	time.Sleep(5 * gossip.TickEvery) // it asks again, in vain
	if n := spent(); n > budget || covers(late, maker) {
		t.Fatalf("%d units in a second of %d, adopted: %v", n, budget, covers(late, maker))
	}
	waitUntil(t, "the state is adopted as time passes", func() bool {
		passed.Add(int64(gossip.TickEvery))
		return covers(late, maker)
	})
	if n := spent(); n < rows || digestOf(t, late) != digestOf(t, maker) {
		t.Errorf("%d units for %d rows, digests %x and %x", n, rows, digestOf(t, late), digestOf(t, maker))
	}
}

func TestBudgetsThatCannotWork(t *testing.T) {
	for _, n := range []int{-1, 1, leastBudget - 1} {
		if err := (Options{Budget: n}).Validate(); err == nil {
			t.Errorf("a budget of %d units a second is allowed", n)
		}
	}
	if err := (Options{Budget: leastBudget}).Validate(); err != nil {
		t.Error(err)
	}
}
