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

// check asks the observer about each pair of memos it holds and compares with the exact past.
func (w *world) check(t failer, budget int, s *shares) {
	o := w.peers[0]
	for _, a := range o.attached {
		for _, b := range o.attached {
			w.ask(t, a, b, budget, s)
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
				w := newWorld(drawn(t), rapid.IntRange(2, 6).Draw(t, "peers"))
				w.live(rapid.SampledFrom([]int{5, 40, 150}).Draw(t, "steps"))
				w.check(t, budget, &s)
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
	w := newWorld(func(n int, _ string) int { return r.IntN(n) }, 20)
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

// A peer forks its chain: it runs twice. Once that is known nothing is decided by the
// places in its chain, and about everybody else the answers stay right.
func TestHappensBeforeWithForks(t *testing.T) {
	var s shares
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(drawn(t), 4)
		w.live(rapid.IntRange(5, 40).Draw(t, "before"))
		twin := &peer{author: w.peers[3].author, held: map[memo.ID]*memo.Memo{}, pings: beacon.NewPings(memo.Vector{}, nil)}
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
