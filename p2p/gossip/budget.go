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
	// ownShare of the budget is kept free for own memos, which cannot wait; twice what
	// they took lately if that is more.
	ownShare = 1.0 / 16
	// usualOver is how many seconds the mean of what is usual is over.
	usualOver = 4
)

// purpose is what units are spent on.
type purpose int

const (
	forAsked purpose = iota // what others were asked for, and merging it
	forHeard                // memos that are heard
	forOwn                  // memos written here
	purposes
)

// budget counts units so that in no second more are taken than rate, by whole ticks.
// What others are asked for is set aside until it comes. The zero value has no bound.
type budget struct {
	rate  int // units a second; 0: no bound is known
	tick  int64
	taken [purposes][budgetSlots]int // of the last second, by tick modulo budgetSlots
	usual [purposes]float64          // units a second, lately
	aside int                        // asked for and under way
	spent [purposes]int              // since the start
	kept  float64                    // units a second that hearing has before what others are asked for
}

// at lets time pass up to now.
func (b *budget) at(now time.Time) {
	tick := now.UnixNano() / int64(TickEvery)
	for n := min(tick-b.tick, int64(budgetSlots)); n > 0; n-- {
		i := (tick - n + 1) % int64(budgetSlots)
		for p := range purposes {
			b.usual[p] += (float64(b.second(p)) - b.usual[p]) / float64(usualOver*budgetSlots)
			b.taken[p][i] = 0
		}
	}
	b.tick = max(b.tick, tick)
}

// second returns what was taken for a purpose within a second.
func (b *budget) second(p purpose) (n int) {
	for _, x := range b.taken[p] {
		n += x
	}
	return n
}

// free returns how many units may be taken now for a purpose: all of them for own
// memos, for others what is left of them when those behind it had what they use to.
func (b *budget) free(now time.Time, p purpose) int {
	b.at(now)
	rate := float64(b.rate)
	free := rate - float64(b.aside)
	for q := range purposes {
		free -= float64(b.second(q))
	}
	if p < forOwn {
		free -= max(0, min(rate/2, max(rate*ownShare, 2*b.usual[forOwn]))-float64(b.second(forOwn)))
	}
	if p < forHeard {
		free -= max(0, max(b.kept, min(rate/2, b.usual[forHeard]))-float64(b.second(forHeard)))
	}
	return max(0, int(free))
}

// take counts n units that are spent now.
func (b *budget) take(now time.Time, n int, p purpose) {
	b.at(now)
	b.spent[p] += n
	b.taken[p][b.tick%int64(budgetSlots)] += n
}

// grant takes up to n units that were not asked of others, and returns how many.
func (b *budget) grant(now time.Time, n int) int {
	if b.rate > 0 {
		n = min(n, b.free(now, forAsked))
	}
	b.take(now, n, forAsked)
	return n
}

// pace bounds how many blocks may be asked for by what is free, and reports whether that
// is why there may be none.
func (b *budget) pace(now time.Time, room int) (n int, paced bool) {
	if b.rate == 0 {
		return room, false
	}
	free := b.free(now, forAsked)
	return min(room, free), room > 0 && free == 0
}

// answered takes what was set aside for a block that was asked for, if it came.
func (b *budget) answered(now time.Time, came bool) {
	b.aside--
	if came {
		b.take(now, 1, forAsked)
	}
}

// runs takes units for the first of some runs, and returns for how many. A run that
// is more than any second's budget goes alone.
func (b *budget) runs(now time.Time, runs []*memo.Run, p purpose) (n int) {
	free, idle := b.free(now, p), b.free(now, forOwn) == b.rate
	for memos := 0; n < len(runs); n++ {
		memos += len(runs[n].Memos)
		if b.rate > 0 && memos > free && (n > 0 || !idle) {
			break
		}
		b.take(now, len(runs[n].Memos), p)
	}
	return n
}

// Take counts up to n units for work that the owner is about to do, merging rows,
// and returns how many it may do now; the rest after the next Tick. Without a bound
// these are all.
func (c *Core) Take(now time.Time, n int) int { return c.budget.grant(now, n) }

// Spent returns the units that were spent since the start.
func (c *Core) Spent() (n int) {
	for _, x := range c.budget.spent {
		n += x
	}
	return n
}
