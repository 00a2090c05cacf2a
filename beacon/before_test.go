package beacon_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lightcone/beacon"
	"lightcone/memo"
)

// shares counts what decided the questions of a test.
type shares struct {
	asked  int
	by     map[beacon.Rule]int
	walked int
}

func (s *shares) add(a beacon.Answer) {
	if s.by == nil {
		s.by = map[beacon.Rule]int{}
	}
	s.asked++
	s.by[a.Rule]++
	s.walked += a.Walked
}

func (s *shares) String() string {
	var b strings.Builder
	for rule, name := range []string{"chain", "time", "clock", "walk", "unknown"} {
		fmt.Fprintf(&b, "%s %.1f %%, ", name, 100*float64(s.by[beacon.Rule(rule)])/float64(max(1, s.asked)))
	}
	return fmt.Sprintf("%d questions, decided by %s%.1f memos read each", s.asked, &b, float64(s.walked)/float64(max(1, s.asked)))
}

type failer interface{ Fatalf(string, ...any) }

// drawn lets rapid decide.
func drawn(t *rapid.T) func(int, string) int {
	return func(n int, what string) int { return int(rapid.Uint32().Draw(t, what)>>1) % n }
}

// budgets are those of indexes that remember one point, a few, some and all.
var budgets = rapid.SampledFrom([]int{1, 5000, 20_000, 0})

// check asks the observer about each pair of memos it holds and compares with the exact past.
func (w *world) check(t failer, budget int, s *shares) {
	o := w.peers[0]
	if _, err := o.pings.Remembered(); err != nil {
		t.Fatalf("%v", err)
	}
	for _, a := range o.attached {
		for _, b := range o.attached {
			w.ask(t, a, b, budget, s)
		}
	}
}

// exact compares the observer's clocks with the exact past: what one reaches is there,
// and it lacks nothing that was written at its Since or later.
func (w *world) exact(t failer) {
	o := w.peers[0]
	for _, m := range o.attached {
		clock := o.pings.Clock(m.Head())
		for _, x := range w.memos {
			if _, ping := x.Body.(*memo.Ping); !ping {
				continue
			}
			reached := x == m || w.before(x, m)
			if clock.Covers(x.Head()) && !reached {
				t.Fatalf("the clock of %v reaches %v, which is not in its past", m.Head(), x.Head())
			}
			if !clock.Covers(x.Head()) && reached && x.Time >= clock.Since {
				t.Fatalf("the clock of %v, which lacks nothing since %v, lacks %v of %v", m.Head(), clock.Since, x.Head(), x.Time)
			}
		}
	}
}

// ask asks the observer about one pair.
func (w *world) ask(t failer, a, b *memo.Memo, budget int, s *shares) {
	o := w.peers[0]
	got := beacon.HappensBefore(o.pings, o, a.Head(), b.Head(), budget)
	s.add(got)
	want := beacon.No
	if w.before(a, b) {
		want = beacon.Yes
	}
	if got.Verdict != want && got.Verdict != beacon.Unknown {
		t.Fatalf("%v before %v: answered %d by rule %d, in truth %d", a.Head(), b.Head(), got.Verdict, got.Rule, want)
	}
	if got.Walked > budget+2 {
		t.Fatalf("%d memos read, the budget is %d", got.Walked, budget)
	}
}

// HappensBefore is compared with the exact sets of ancestors: never wrong, whatever
// of it the observer holds, however its pings came in, and after restarts of it.
func TestHappensBeforeIsNeverWrong(t *testing.T) {
	for name, budget := range map[string]int{"walks of 4096": 4096, "walks of 4": 4, "no walks": 0} {
		t.Run(name, func(t *testing.T) {
			var s shares
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(drawn(t), rapid.IntRange(2, 6).Draw(t, "peers"), budgets.Draw(t, "bytes"))
				w.live(rapid.SampledFrom([]int{5, 40, 150}).Draw(t, "steps"))
				w.check(t, budget, &s)
				w.exact(t)
			})
			t.Logf("%s: %v", name, &s)
			if s.by[beacon.ByClock] == 0 {
				t.Error("clocks decided nothing: the test shows nothing")
			}
		})
	}
}

// What a busy space looks like: 20 peers that sync often, and one memo of twenty is a
// ping.
func TestShareOfWalks(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 7))
	w := newWorld(func(n int, _ string) int { return r.IntN(n) }, 20, 0)
	w.pingOneOf = 20
	for range 1500 {
		w.write(w.peers[r.IntN(20)])
		for range 3 {
			p, from := w.peers[r.IntN(20)], w.peers[r.IntN(20)]
			for _, m := range from.attached {
				p.attach(m)
			}
		}
	}
	var s shares
	o := w.peers[0]
	for range 20_000 {
		w.ask(t, o.attached[r.IntN(len(o.attached))], o.attached[r.IntN(len(o.attached))], 4096, &s)
	}
	t.Logf("20 peers, %d memos: %v", len(o.attached), &s)
	if s.by[beacon.ByClock] == 0 || s.by[beacon.Undecided] > 0 {
		t.Error("want clocks that decide, and nothing undecided within a walk of all memos")
	}
}

// Where beacons are so many that most pings are forgotten, clocks decide about the last
// ones as ever, though the pings of most beacons, and what is referred to at random, are
// older than any that is remembered.
func TestManyBeacons(t *testing.T) {
	const beacons, remembered = 400, 100
	space, all := newBusy(beacons), newPings()
	one, err := 0, error(nil)
	for _, m := range space.memos {
		all.Add(m)
	}
	bounded := newPings().Within(remembered * 900) // a point is some 850 bytes then
	for _, m := range space.memos {
		bounded.Add(m)
		if one, err = bounded.Remembered(); err != nil {
			t.Fatal(err)
		}
	}
	if one < remembered/2 || one > 2*remembered {
		t.Fatalf("%d points are remembered, the test wants some %d", one, remembered)
	}
	last := space.memos[len(space.memos)-remembered/2:]
	yes := 0
	for _, a := range last {
		for _, b := range last {
			want := beacon.HappensBefore(all, space, a.Head(), b.Head(), 1000)
			if got := beacon.HappensBefore(bounded, space, a.Head(), b.Head(), 0); got.Verdict != want.Verdict {
				t.Errorf("%v before %v: answered %d by rule %d, with all pings %d", a.Head(), b.Head(), got.Verdict, got.Rule, want.Verdict)
			}
			if want.Verdict == beacon.Yes {
				yes++
			}
		}
	}
	if yes < len(last) || yes > len(last)*(len(last)-1)/2 {
		t.Errorf("%d of the pairs are in order", yes)
	}
}

// A peer forks its chain: it runs twice. Once that is known nothing is decided by the
// places in its chain, and about everybody else the answers stay right.
func TestHappensBeforeWithForks(t *testing.T) {
	var s shares
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(drawn(t), 4, budgets.Draw(t, "bytes"))
		w.live(rapid.IntRange(5, 40).Draw(t, "before"))
		twin := &peer{author: w.peers[3].author, held: map[memo.ID]*memo.Memo{}, pings: w.pings(memo.Vector{}, nil)}
		w.sync(twin, w.peers[3])
		for _, m := range w.peers[3].attached {
			twin.attach(m)
		}
		w.peers = append(w.peers, twin)
		if early := rapid.Bool().Draw(t, "known early"); early {
			w.peers[0].pings.Fork(twin.author)
		}
		w.live(rapid.IntRange(5, 40).Draw(t, "after"))
		w.peers[0].pings.Fork(twin.author)
		w.check(t, 4096, &s)
	})
	t.Logf("with forks: %v", &s)
}
