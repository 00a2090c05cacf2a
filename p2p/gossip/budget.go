package gossip

import (
	"time"

	"lightcone/memo"
)

// This file is what a replica can take in, in units: a memo attached, a row merged
// and a block decoded are one each, by whatever path they came.

const (
	// budgetSlots divides the second over which units are counted, in ticks.
	budgetSlots = int(time.Second / TickEvery)
	// keptShare of the budget stays free for what comes unasked, own memos and those
	// that are heard; more where more came lately, at most keptMost of it.
	keptShare, keptMost = 32, 2
)

// budget counts units so that in no second more are taken than rate, by whole ticks.
// What others are asked for is set aside until it comes. The zero value has no bound.
type budget struct {
	rate    int // units a second; 0: no bound is known
	tick    int64
	taken   [budgetSlots]int // of the last second, by tick modulo budgetSlots
	unasked [budgetSlots]int // of these, what came unasked
	aside   int              // asked for and under way
	usual   float64          // units a second that come unasked, lately
	spent   int              // since the start
	forced  int              // of these, what came unasked
}

// at lets time pass up to now.
func (b *budget) at(now time.Time) {
	tick := now.UnixNano() / int64(TickEvery)
	for n := min(tick-b.tick, int64(budgetSlots)); n > 0; n-- {
		b.usual += (float64(sum(b.unasked)) - b.usual) / float64(4*budgetSlots)
		i := (tick - n + 1) % int64(budgetSlots)
		b.taken[i], b.unasked[i] = 0, 0
	}
	b.tick = max(b.tick, tick)
}

func sum(slots [budgetSlots]int) (n int) {
	for _, x := range slots {
		n += x
	}
	return n
}

// free returns how many units may be taken now for what is asked for, and all of
// them, those kept for what comes unasked too.
func (b *budget) free(now time.Time) (asked, all int) {
	b.at(now)
	all = max(0, b.rate-sum(b.taken)-b.aside)
	keep := min(b.rate/keptShare+int(b.usual*5/4)+1, b.rate/keptMost) - sum(b.unasked)
	return max(0, all-max(0, keep)), all
}

// take counts n units that are spent now.
func (b *budget) take(now time.Time, n int, unasked bool) {
	b.at(now)
	b.spent += n
	slot := b.tick % int64(budgetSlots)
	b.taken[slot] += n
	if unasked {
		b.forced += n
		b.unasked[slot] += n
	}
}

// grant takes up to n units that were not asked of others, and returns how many.
func (b *budget) grant(now time.Time, n int) int {
	if b.rate > 0 {
		free, _ := b.free(now)
		n = min(n, free)
	}
	b.take(now, n, false)
	return n
}

// pace bounds how many blocks may be asked for by what is free, and reports whether that
// is why there may be none.
func (b *budget) pace(now time.Time, room int) (n int, paced bool) {
	if b.rate == 0 {
		return room, false
	}
	free, _ := b.free(now)
	return min(room, free), room > 0 && free == 0
}

// answered takes what was set aside for a block that was asked for, if it came.
func (b *budget) answered(now time.Time, came bool) {
	b.aside--
	if came {
		b.take(now, 1, false)
	}
}

// runs takes units for the first of some runs, and returns for how many. A run that
// is more than any second's budget goes alone.
func (b *budget) runs(now time.Time, runs []*memo.Run) (n int) {
	free, all := b.free(now)
	for memos := 0; n < len(runs); n++ {
		memos += len(runs[n].Memos)
		if b.rate > 0 && memos > free && (n > 0 || all < b.rate) {
			break
		}
		b.take(now, len(runs[n].Memos), false)
	}
	return n
}

// Take counts up to n units for work that the owner is about to do, merging rows,
// and returns how many it may do now; the rest after the next Tick. Without a bound
// these are all.
func (c *Core) Take(now time.Time, n int) int { return c.budget.grant(now, n) }

// Spent returns the units that were spent since the start.
func (c *Core) Spent() int { return c.budget.spent }
