package gossip

import (
	"math"
	"math/bits"
	"time"
)

const (
	// The interval of the Trickle timer, RFC 6206's I, is announceListen and the slots at
	// least, in which a root is announced that was made, and announceMax at most: where
	// nothing is news, one peer of the space says its root again in each. gossipsub takes a
	// message for a copy for 2 minutes: far less than half of announceMax.
	announceListen = time.Second
	announceMax    = 1024 * time.Second
	// announceSlot is how long a slot lasts: what an announcement takes to go a few links on.
	// Slots divide what follows listening. Twice as many peers draw a slot as the one
	// before it, and there are as many as doublings make the peers of the space, so that
	// about two draw the first, whatever their number, and the others hear them before most
	// would speak. Were a slot shorter than an announcement takes to everybody, as many more
	// would speak as slots pass meanwhile, twice as many with each.
	announceSlot = 300 * time.Millisecond
	// maxSlots bounds the slots: for 16 million peers, or an estimate that is wrong.
	maxSlots = 24
	// fewRepeats is how often the roots of an interval may be said again before there are
	// more slots in the next: who writes nothing is not known, nor how long the links are.
	fewRepeats = 4
	// enoughRoots is how many roots that are news are heard in each enoughTime of an
	// interval before those say nothing who have nothing of their own to say. An equal
	// root silences who have it, but where roots are merged that differ, most peers have
	// one that nobody else has.
	enoughRoots, enoughTime = 8, 2 * time.Second
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
	speak    time.Duration // how far in the interval; zero: it has passed
	made     uint16        // how far in it our newest root was made, in ms; zero: before it
	news     uint8         // roots of others that are news, in this interval
	repeats  uint8         // announcements of roots that had been announced
	more     uint8         // slots beyond those for the known peers: there are more than are known
	shortest bool          // the interval is the shortest
	again    bool          // and there was news in it
}

// slots returns how many a space of so many peers has: about two of them draw the first.
func slots(peers uint64, more uint8) int {
	return min(max(1, bits.Len64(peers))+int(more), maxSlots)
}

// Tellers returns among how many those draw their slots who have memos of their own that no
// root of others has, of so many who write: enoughRoots of them may speak at once.
func Tellers(writers uint64) uint64 { return max(1, writers/enoughRoots) }

// begins begins a shortest interval, unless one is under way: the next is one too. The space
// has so many peers, as far as is known.
func (t *trickle) begins(now time.Time, peers uint64, rng Random) {
	if t.shortest {
		t.again = true
		return
	}
	t.beginShortest(now, peers, rng)
}

// makes notes that a root was made here, which is news.
func (t *trickle) makes(now time.Time, peers uint64, rng Random) {
	t.begins(now, peers, rng)
	t.made = uint16(min(now.Sub(t.begun)/time.Millisecond, math.MaxUint16))
}

// hears notes an announcement of a root that is news, or of one that was announced before.
func (t *trickle) hears(repeated bool) {
	if repeated {
		t.repeats = min(t.repeats, math.MaxUint8-1) + 1
	} else {
		t.news = min(t.news, math.MaxUint8-1) + 1
	}
}

// crowded reports whether so many roots of others were news that one more is too many. In
// an interval that is not a shortest none is.
func (t *trickle) crowded() bool {
	return t.shortest && time.Duration(t.news)*enoughTime >= enoughRoots*t.interval
}

func (t *trickle) beginShortest(now time.Time, peers uint64, rng Random) {
	t.begin(now, announceListen, announceSlot*time.Duration(slots(peers, t.more)), peers, rng)
	t.shortest = true
}

// begin begins an interval of listening and speaking, and draws the moment to speak.
func (t *trickle) begin(now time.Time, listen, speak time.Duration, peers uint64, rng Random) {
	n := slots(peers, t.more)
	slot := n - 1 - min(bits.TrailingZeros64(rng.Uint64()), n-1)
	width := speak / time.Duration(n)
	*t = trickle{
		interval: listen + speak, begun: now, more: t.more,
		speak: listen + time.Duration(slot)*width + time.Duration(rng.Int64N(int64(width))),
	}
}

// ripe tosses whether to speak of our newest root at the moment that was drawn: as few may
// as would, had the interval begun when it was made. Many make one at the same time, and in
// late slots there would be many who have not had the time to hear each other. Only in
// shortest intervals roots are made.
func (t *trickle) ripe(now time.Time, rng Random) bool {
	if t.made == 0 {
		return true
	}
	slot := (t.speak - announceListen) / announceSlot
	age := now.Sub(t.begun) - time.Duration(t.made)*time.Millisecond
	since := max(0, (age-announceListen)/announceSlot)
	return since >= slot || bits.TrailingZeros64(rng.Uint64()) >= int(slot-since)
}

// learn takes from a shortest interval that is over whether the slots are too few or too many.
func (t *trickle) learn() {
	switch {
	case t.repeats > fewRepeats:
		t.more = min(t.more+uint8(bits.Len8(t.repeats/fewRepeats)), maxSlots)
	case t.repeats == 0 && t.more > 0:
		t.more--
	}
}

// due lets time pass and reports whether the moment to speak has come.
func (t *trickle) due(now time.Time, peers uint64, rng Random) bool {
	switch {
	case t.interval == 0:
	case t.speak > 0:
		if now.Sub(t.begun) < t.speak {
			return false
		}
		ripe := t.ripe(now, rng)
		t.speak = 0
		return ripe
	case now.Sub(t.begun) < t.interval:
	default:
		if t.shortest {
			t.learn()
		}
		if t.again {
			t.beginShortest(now, peers, rng)
		} else {
			next := min(2*t.interval, announceMax)
			t.begin(now, next/2, next-next/2, peers, rng)
		}
	}
	return false
}
