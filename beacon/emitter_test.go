package beacon_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"lightcone/beacon"
	"lightcone/memo"
)

var start = time.Unix(1_700_000_000, 0)

// Fig. 13: a busy neighbourhood lowers the chance to ping, a quiet one raises it, and
// never by more than a twentieth a tick.
func TestNeighbourhoodMovesTheChance(t *testing.T) {
	for name, c := range map[string]struct {
		pings int
		moves func(before, after float64) bool
	}{
		"busy":  {20, func(before, after float64) bool { return after < before }},
		"quiet": {0, func(before, after float64) bool { return after > before }},
	} {
		e := beacon.NewEmitter(2)
		o := beacon.Observed{News: true, Pings: c.pings, Authors: 40, Random: 0.999}
		e.Step(start, o)
		if e.Chance() != 0.05 {
			t.Errorf("40 beacons begin with a chance of %v, want 2/40", e.Chance())
		}
		e.Step(start.Add(time.Second), o) // the first measure
		for i := range 30 {
			before := e.Chance()
			e.Step(start.Add(time.Duration(i+2)*time.Second), o)
			if !c.moves(before, e.Chance()) || e.Chance() < before*0.9499 || e.Chance() > before*1.0501 {
				t.Fatalf("%s: from %v to %v", name, before, e.Chance())
			}
		}
	}
}

// Without news a beacon is silent but for the idle floor, and all beacons of a space
// together stay below half the target.
func TestIdleFloor(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, beacons := range []int{1, 2, 1000} {
		const hours = 2
		pings, at := 0, map[int]int{}
		for range min(beacons, 100) { // the others are like them
			e := beacon.NewEmitter(2)
			for s := range hours * 3600 {
				if e.Step(start.Add(time.Duration(s)*time.Second), beacon.Observed{Authors: float64(beacons), Random: r.Float64()}) {
					pings++
					at[s]++
				}
			}
		}
		floor := beacon.NewEmitter(2).IdleFloor(float64(beacons))
		most := min(beacons, 100) * int(hours*time.Hour/floor)
		if pings == 0 || pings > most {
			t.Errorf("%d beacons ping %d times in %d h, at most %d are due", beacons, pings, hours, most)
		}
		for s, n := range at {
			if n > 3 {
				t.Errorf("%d beacons of 100 ping in second %d together", n, s)
			}
		}
	}
	if got := beacon.NewEmitter(2).IdleFloor(1000); got != 1000*time.Second {
		t.Errorf("the floor of 1000 beacons at 2/s is %v, want 1000 s", got)
	}
}

// A space that was idle for long does not shout all at once when news come.
func TestSilenceDoesNotRaiseTheChance(t *testing.T) {
	e := beacon.NewEmitter(2)
	for s := range 3600 {
		e.Step(start.Add(time.Duration(s)*time.Second), beacon.Observed{Authors: 100, Random: 0.999})
	}
	if e.Chance() > 0.0201 {
		t.Errorf("after an idle hour 100 beacons ping with a chance of %v each", e.Chance())
	}
}

// A clock that is set back stops nothing.
func TestEmitterSurvivesItsClock(t *testing.T) {
	e := beacon.NewEmitter(2)
	o := beacon.Observed{News: true, Authors: 1}
	e.Step(start, o)
	e.Step(start.Add(-time.Hour), o)
	if !e.Step(start.Add(-time.Hour+time.Second), o) {
		t.Error("no ping a second after the clock was set back")
	}
}

// protocol is what peers do about pings, and nothing else: everybody writes all the
// time, every ping reaches everybody a second later, and authors are known by their
// pings alone.
type protocol struct {
	r     *rand.Rand
	step  func(p *beaconPeer, now time.Time, o beacon.Observed) bool
	peers []*beaconPeer
	known beacon.Authors
	next  int // the name of the next peer
	tick  int
	aired int // pings of the last tick, which arrive in this one
}

type beaconPeer struct {
	author  memo.Author
	emitter *beacon.Emitter
}

func (s *protocol) resize(n int) {
	for len(s.peers) < n {
		s.next++
		s.peers = append(s.peers, &beaconPeer{
			author: memo.Author{byte(s.next >> 8), byte(s.next), 7}, emitter: beacon.NewEmitter(memo.DefaultRho),
		})
	}
	s.peers = s.peers[len(s.peers)-n:] // those that were there first go first
}

// run returns how many pings were written in each of the next ticks, and how many
// were to be expected.
func (s *protocol) run(ticks int) (pings []int, expected []float64) {
	for range ticks {
		now := start.Add(time.Duration(s.tick) * beacon.Tick)
		n, written, sum := s.known.Estimate(now), 0, 0.0
		for _, p := range s.peers {
			sum += p.emitter.Chance()
			if s.step(p, now, beacon.Observed{News: true, Pings: s.aired, Authors: n, Random: s.r.Float64()}) {
				s.known.Add(now, now, p.author)
				written++
			}
		}
		s.tick, s.aired = s.tick+1, written
		pings, expected = append(pings, written), append(expected, sum)
	}
	return pings, expected
}

// settled returns the first second from which on the rate stays within a quarter of
// the target: over every two minutes, in which a rate of 2/s gives 240 pings. Chance
// alone moves that many by 6.5 %.
func settled(pings []int) (after int, ok bool) {
	const window, target = 120, 120 * memo.DefaultRho
	for from := len(pings) - window; from >= 0; from-- {
		sum := 0.0
		for _, n := range pings[from : from+window] {
			sum += float64(n)
		}
		if sum < 0.75*target || sum > 1.25*target {
			return from + 1, from+1+window <= len(pings)
		}
	}
	return 0, true
}

func perSecond(pings []int) string {
	sum, most := 0, 0
	for _, n := range pings {
		sum, most = sum+n, max(most, n)
	}
	return fmt.Sprintf("%.2f/s, at most %d in a second", float64(sum)/float64(len(pings)), most)
}

// phases are how many peers there are, and for how many seconds.
var phases = []struct{ peers, seconds int }{{50, 600}, {1000, 900}, {100, 600}}

// maxSettle is the time in s after which the rate has to be right.
const maxSettle = 240

// Peers go from 50 to 1,000, all in one second, and to 100, and together they keep to
// the target.
func TestPingRateMeetsItsTarget(t *testing.T) {
	for seed := range uint64(2) {
		s := &protocol{r: rand.New(rand.NewPCG(seed, 6)), step: func(p *beaconPeer, now time.Time, o beacon.Observed) bool {
			return p.emitter.Step(now, o)
		}}
		for _, ph := range phases {
			s.resize(ph.peers)
			pings, expected := s.run(ph.seconds)
			after, ok := settled(pings)
			if !ok || after > maxSettle {
				t.Errorf("%d peers are not at the target after %d s: %s", ph.peers, after, perSecond(pings))
				continue
			}
			first := slices.IndexFunc(expected, func(r float64) bool { return math.Abs(r-memo.DefaultRho) < memo.DefaultRho/4 })
			t.Logf("%4d peers: two minutes are within a quarter of the target from %d s on, the chances from %d s on; all: %s; the last 300 s: %s",
				ph.peers, after, first, perSecond(pings), perSecond(pings[len(pings)-300:]))
		}
	}
}

// The plain inverse rule that the idea came with, for comparison: p = ρτ / beacons
// heard of in the last minute. What is shown is logged: the rule is not ours.
func TestInverseRuleOvershoots(t *testing.T) {
	const memory = 60
	for _, peers := range []int{50, 1000} {
		heard := map[memo.Author]int{}
		s := &protocol{r: rand.New(rand.NewPCG(5, 6))}
		s.step = func(p *beaconPeer, now time.Time, o beacon.Observed) bool {
			if p == s.peers[0] { // a new tick
				maps.DeleteFunc(heard, func(_ memo.Author, at int) bool { return s.tick-at > memory })
			}
			if o.Random*float64(max(1, len(heard))) >= memo.DefaultRho {
				return false
			}
			heard[p.author] = s.tick
			return true
		}
		s.resize(peers)
		s.run(300)
		pings, _ := s.run(300)
		t.Logf("%4d peers by the inverse rule: %s; the target is %v/s", peers, perSecond(pings), memo.DefaultRho)
	}
}
