package gossip

import (
	"math"
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

// Budget counts units so that in no second more are taken than rate, by whole ticks.
// What others are asked for is set aside until it comes. The zero value has no bound.
type Budget struct {
	rate    int // units a second; 0: no bound is known
	tick    int64
	taken   [purposes][budgetSlots]int32 // of the last second, by tick modulo budgetSlots
	usual   [purposes]float64            // units a second, lately
	aside   int                          // asked for and under way
	backlog int                          // units that wait at the owner
	spent   [purposes]int                // since the start
	kept    float64                      // units a second that hearing has before what others are asked for
}

// Bound sets how many units a second may be taken, 0: any number, and how many wait at
// the owner already.
func (b *Budget) Bound(rate, backlog int) { b.rate, b.backlog = rate, max(0, backlog) }

// Rate returns how many units a second may be taken; 0: any number.
func (b *Budget) Rate() int { return b.rate }

// Tick begins a tick: each Ear then says what it keeps for hearing.
func (b *Budget) Tick() { b.kept = 0 }

// Own takes units for memos written here, which cannot wait.
func (b *Budget) Own(now time.Time, n int) { b.take(now, n, forOwn) }

// Lately returns the units taken within the last second, by whole ticks.
func (b *Budget) Lately(now time.Time) (n int) {
	b.at(now)
	for p := range purposes {
		n += b.second(p)
	}
	return n
}

// Spent returns the units taken since the start.
func (b *Budget) Spent() (n int) {
	for _, x := range b.spent {
		n += x
	}
	return n
}

// crush is what the probability is multiplied with as a second fills up, so that where
// more chains are heard than there is room for some lose all and not all lose some.
func (b *Budget) crush(free int) float64 {
	return min(1, float64(free)/float64(b.rate)/(1-hearShare))
}

// whole is what is kept of the budget for something: of a budget of a few units, a part
// of a unit would keep a whole one from everything else.
func (b *Budget) whole(keep float64) float64 {
	if float64(b.rate)*ownShare < 1 {
		return math.Floor(keep)
	}
	return keep
}

// at lets time pass up to now.
func (b *Budget) at(now time.Time) {
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
func (b *Budget) second(p purpose) (n int) {
	for _, x := range b.taken[p] {
		n += int(x)
	}
	return n
}

// free returns how many units may be taken now for a purpose: all of them for own
// memos, for others what is left of them when those behind it had what they use to.
func (b *Budget) free(now time.Time, p purpose) int {
	b.at(now)
	rate := float64(b.rate)
	free := rate - float64(b.aside)
	for q := range purposes {
		free -= float64(b.second(q))
	}
	if p < forOwn {
		free -= max(0, b.whole(min(rate/2, max(rate*ownShare, 2*b.usual[forOwn])))-float64(b.second(forOwn)))
	}
	if p < forHeard {
		free -= max(0, b.whole(max(b.kept, min(rate/2, b.usual[forHeard])))-float64(b.second(forHeard)))
	}
	return max(0, int(free))
}

// take counts n units that are spent now.
func (b *Budget) take(now time.Time, n int, p purpose) {
	b.at(now)
	b.spent[p] += n
	b.taken[p][b.tick%int64(budgetSlots)] += int32(n)
}

// Grant takes up to n units for merging, which were not asked of others, and returns
// how many.
func (b *Budget) Grant(now time.Time, n int) int {
	if b.rate > 0 {
		n = min(n, b.free(now, forAsked))
	}
	b.take(now, n, forAsked)
	return n
}

// pace bounds how many blocks may be asked for by what is free, and reports whether that
// is why there may be none.
func (b *Budget) pace(now time.Time, room int) (n int, paced bool) {
	if b.rate == 0 {
		return room, false
	}
	free := b.free(now, forAsked)
	return min(room, free), room > 0 && free == 0
}

// answered takes what was set aside for a block that was asked for, if it came.
func (b *Budget) answered(now time.Time, came bool) {
	b.aside--
	if came {
		b.take(now, 1, forAsked)
	}
}

// runs takes units for the first of some runs, and returns for how many. A run that
// is more than any second's budget goes alone.
func (b *Budget) runs(now time.Time, runs []*memo.Run, p purpose) (n int) {
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
func (c *Core) Take(now time.Time, n int) int { return c.budget.Grant(now, n) }

// Spent returns the units that were spent since the start.
func (c *Core) Spent() int { return c.budget.Spent() }
