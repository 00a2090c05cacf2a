package gossip

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// spreadsWithin is how long an announcement takes to everybody: ten links of 20 ms.
const spreadsWithin = 200 * time.Millisecond

// speakers counts who speaks in one interval that all peers begin together, where those
// are silent who heard so many others.
func speakers(peers, enough int, seed uint64) int {
	rng := rand.New(rand.NewPCG(seed, uint64(peers)))
	moments := make([]time.Duration, peers)
	for i := range moments {
		var t trickle
		t.news(epoch, rng)
		moments[i] = t.speak
	}
	slices.SortFunc(moments, cmp.Compare)
	spoke := 0
	for spoke < peers && (spoke < enough || moments[spoke] < moments[enough-1]+spreadsWithin) {
		spoke++
	}
	return spoke
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
		few, many := mean(1000), mean(1_000_000)
		t.Logf("when %d are enough %.0f of a thousand speak, %.0f of a million", enough, few, many)
		if many > 4*few || many > 64*float64(enough) {
			t.Errorf("when %d are enough %.0f of a thousand speak, and %.0f of a million", enough, few, many)
		}
	}
}

// TestCrowded: who hears enough that is news is silent, unless its root has memos of its own that
// nobody else says, and speaks when it is quiet again.
func TestCrowded(t *testing.T) {
	for _, c := range []struct {
		name   string
		echoed bool // a root of others that was fetched has what we wrote
		news   int
		speaks bool
	}{
		{"own memos", false, enoughRoots, true},
		{"others say ours", true, enoughRoots, false},
		{"few others speak", true, enoughRoots - 1, true},
	} {
		l := newListener(t)
		f := l.fold()
		if c.echoed {
			l.core.Step(l.now, Tick{}, &Effects{Fetched: []Fetched{{Space: l.space, Made: junk(1), Vector: f.Vector}}})
		}
		for i, from := range authors(9, c.news) {
			l.hear(from, junk(100+i), 2)
		}
		l.pass(announceMin)
		if spoke := len(l.announced) == 1; spoke != c.speaks {
			t.Errorf("%s, %d roots were news: announced %d times", c.name, c.news, len(l.announced))
		}
		l.pass(4 * announceMin)
		if len(l.announced) != 1 {
			t.Errorf("%s: announced %d times when it is quiet again", c.name, len(l.announced))
		}
	}
}
