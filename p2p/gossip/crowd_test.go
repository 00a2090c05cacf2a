package gossip

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// spreadsWithin is how long an announcement takes to everybody: ten links of 20 ms.
const spreadsWithin = 200 * time.Millisecond

// before counts the moments up to when all have heard the announcement that is enough: who
// would speak then says nothing.
func before(moments []time.Duration, enough int) int {
	slices.Sort(moments)
	spoke := 0
	for spoke < len(moments) && (spoke < enough || moments[spoke] < moments[enough-1]+spreadsWithin) {
		spoke++
	}
	return spoke
}

// speakers counts who speaks in one interval that all peers begin together, where those
// are silent who heard so many others.
func speakers(peers, enough int, seed uint64) int {
	rng := rand.New(rand.NewPCG(seed, uint64(peers)))
	moments := make([]time.Duration, peers)
	for i := range moments {
		var t trickle
		t.makes(epoch, uint64(peers), rng)
		moments[i] = t.speak
	}
	return before(moments, enough)
}

// TestSpeakersStayFew: how many announce a root that all have, or each another one, does not
// grow with the peers from a thousand to a million.
func TestSpeakersStayFew(t *testing.T) {
	for _, enough := range []int{1, enoughRoots} {
		mean := func(peers int) (n float64) {
			const runs = 2
			for seed := range uint64(runs) {
				n += float64(speakers(peers, enough, seed)) / runs
			}
			return n
		}
		some, many := mean(1000), mean(1_000_000)
		t.Logf("when %d are enough %.0f of a thousand speak, %.0f of a million", enough, some, many)
		if many > 4*float64(enough) {
			t.Errorf("when %d are enough %.0f of a thousand speak, and %.0f of a million", enough, some, many)
		}
	}
}

// TestLateRootsAreFew: where all make an equal root at one time, in the middle of intervals
// that began when they may, few say it before all can have heard of it.
func TestLateRootsAreFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, peers := range []int{10, 1000, 100_000} {
		var moments []time.Duration
		whole := announceListen + time.Duration(slots(uint64(peers), 0))*announceSlot
		for range peers {
			var tr trickle
			tr.makes(epoch.Add(-time.Duration(rng.Int64N(int64(whole)))), uint64(peers), rng)
			tr.makes(epoch, uint64(peers), rng)
			for range 2 * (announceListen + maxSlots*announceSlot) / TickEvery {
				now := tr.begun.Add(tr.speak)
				if tr.speak == 0 {
					now = tr.begun.Add(tr.interval)
				}
				if tr.due(now, uint64(peers), rng) && !now.Before(epoch) {
					moments = append(moments, now.Sub(epoch))
					break
				}
			}
		}
		n := before(moments, 1)
		t.Logf("%d of %d peers say a late root", n, peers)
		if n == 0 || n > 16 {
			t.Errorf("%d of %d peers say a late root", n, peers)
		}
	}
}

// TestSlotsFollowThePeers: peers that know of three learn that there are ten thousand, and
// forget it when there are no more.
func TestSlotsFollowThePeers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	now, all := epoch, make([]trickle, 10_000)
	round := func(timers []trickle) int {
		moments := make([]time.Duration, len(timers))
		for i := range timers {
			timers[i].shortest = false // what is news begins an interval
			timers[i].makes(now, few, rng)
			moments[i] = timers[i].speak
		}
		n := before(moments, 1)
		now = now.Add(announceListen + maxSlots*announceSlot)
		for i := range timers {
			for range n - 1 {
				timers[i].hears(true)
			}
			timers[i].speak = 0
			timers[i].due(now, few, rng)
		}
		return n
	}
	var spoke []int
	for range 10 {
		spoke = append(spoke, round(all))
	}
	t.Logf("of ten thousand that know of %d speak %d", few, spoke)
	if spoke[0] < 1000 || slices.Max(spoke[5:]) > 32 {
		t.Errorf("of ten thousand that know of %d speak %d", few, spoke)
	}
	for range maxSlots {
		round(all[:few])
	}
	if more := all[0].more; more > 1 {
		t.Errorf("%d slots too many for %d peers", more, few)
	}
}

// TestCrowded: who hears enough that is news is silent, unless its root has memos of its own that
// nobody else says, and speaks when it is quiet again.
func TestCrowded(t *testing.T) {
	const crowd = int(enoughRoots*soonest/enoughTime) + 1
	for _, c := range []struct {
		name   string
		echoed bool // a root of others that was fetched has what we wrote
		news   int
		speaks bool
	}{
		{"own memos", false, crowd, true},
		{"others say ours", true, crowd, false},
		{"few others speak", true, crowd - 1, true},
	} {
		l := newListener(t)
		f := l.fold()
		if c.echoed {
			l.core.Step(l.now, Tick{}, &Effects{Fetched: []Fetched{{Space: l.space, Made: junk(1), Vector: f.Vector}}})
		}
		for i, from := range authors(9, c.news) {
			l.hear(from, junk(100+i), 2)
		}
		l.pass(soon)
		if spoke := len(l.announced) == 1; spoke != c.speaks {
			t.Errorf("%s, %d roots were news: announced %d times", c.name, c.news, len(l.announced))
		}
		l.pass(4 * soon)
		if len(l.announced) != 1 {
			t.Errorf("%s: announced %d times when it is quiet again", c.name, len(l.announced))
		}
	}
}
