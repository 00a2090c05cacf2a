package gossip

import (
	"math/bits"
	"time"
)

const (
	// announceMin and announceMax bound the interval of the Trickle timer, RFC
	// 6206's I. A root is announced within announceMin of being made; where nothing
	// is news, one peer of the space says its root again each announceMax. gossipsub
	// takes a message for a copy for 2 minutes: far less than half of announceMax.
	announceMin, announceMax = 2 * time.Second, 512 * announceMin
	// announceSlots divides the second half of an interval, where announcements are
	// made. Twice as many peers draw a slot as the one before it, so that of n peers
	// about one draws the earliest slot that anybody does and the others hear it,
	// while n is below 2^announceSlots, a million. Drawn evenly, of n peers those
	// within one delay of the first would speak too: a number that grows with n.
	announceSlots = 20
	// enoughRoots is how many roots that are news are heard in an interval before those say
	// nothing who have nothing of their own to say. An equal root silences who have it,
	// but where roots are merged that differ, most peers have one that nobody else has.
	enoughRoots = 8
)

// Random is what is drawn from; a *rand.Rand is one.
type Random interface {
	Uint64() uint64
	Int64N(n int64) int64
}

// trickle is the timer of RFC 6206: in each interval there is one moment to speak;
// intervals double while nothing is news. Here one announcement as good as ours,
// heard before, is enough to say nothing (k = 1). The zero value stands still
// until there is news.
type trickle struct {
	interval time.Duration // zero: stands still
	begun    time.Time
	speak    time.Duration // how far in the interval, in its second half; zero: it has passed
	again    bool          // there was news in an interval of announceMin
	heard    uint16        // roots of others that are news, in this interval
}

// news begins a shortest interval, unless one is under way: the next is one too.
func (t *trickle) news(now time.Time, rng Random) {
	if t.interval == announceMin {
		t.again = true
		return
	}
	t.begin(now, announceMin, rng)
}

// hears counts a root of others that is news.
func (t *trickle) hears() { t.heard = min(t.heard+1, enoughRoots) }

func (t *trickle) begin(now time.Time, interval time.Duration, rng Random) {
	half := interval / 2
	slot := time.Duration(announceSlots - 1 - min(bits.TrailingZeros64(rng.Uint64()), announceSlots-1))
	width := half / announceSlots
	*t = trickle{
		interval: interval, begun: now,
		speak: half + slot*width + time.Duration(rng.Int64N(int64(width))),
	}
}

// due lets time pass and reports whether the moment to speak has come.
func (t *trickle) due(now time.Time, rng Random) bool {
	switch {
	case t.interval == 0:
	case t.speak > 0:
		if now.Sub(t.begun) < t.speak {
			return false
		}
		t.speak = 0
		return true
	case now.Sub(t.begun) >= t.interval:
		next := t.interval
		if !t.again {
			next = min(2*next, announceMax)
		}
		t.begin(now, next, rng)
	}
	return false
}
