package worlds

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// byRounds is a flood by rounds of 1,000 peers.
func byRounds(spread, more string) string {
	return fmt.Sprintf("world = \"flood\"\npeers = 1000\nuntil = \"25s\"\nevery = \"1s\"\n[network]\nlatency = [[\"20ms\"]]\n%s\n[flood]\nmessages = 20\nspread = %q\n", more, spread)
}

// curve returns one of a chart of a result.
func curve(t *testing.T, r *report.Result, chart string, i int) report.Curve {
	t.Helper()
	at := slices.IndexFunc(r.Charts, func(c report.Chart) bool { return c.Name == chart })
	if at < 0 || i >= len(r.Charts[at].Curves) {
		t.Fatalf("no curve %d of a chart %s", i, chart)
	}
	return r.Charts[at].Curves[i]
}

// TestRoundsFollowTheory: each round leaves of those who lack a message as many as theory
// says, but for what chance does among so few; all have it in the rounds of Pittel, and of
// Karp and others.
func TestRoundsFollowTheory(t *testing.T) {
	const peers, messages, sigmas = 1000, 20, 6
	deviation := math.Pi / math.Sqrt(6*messages) // of a mean of rounds, by push: Gumbel's, who is last
	for _, c := range []struct{ spread, more, flood string }{
		{"push-rounds", "", ""},
		{"push-pull", "", ""},
		{"push-rounds", "loss = 0.3", "fanout = 2\n"},
		{"push-pull", "loss = 0.3", ""},
		{"push-pull", "", "fanout = 3\n"},
	} {
		file := byRounds(c.spread, c.more) + c.flood
		r, facts := play(t, file, 2)
		s, err := scenario.Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		rule, points := roundsOf(s), curve(t, r, "step", 0)
		if len(points.X) < 5*messages {
			t.Errorf("%v: %d rounds of all messages", c, len(points.X))
		}
		for i, p := range points.X {
			want := rule.next(p)
			chance := sigmas*math.Sqrt(min(want, p-want+1.0/peers)/peers) + 2.0/peers
			if got := points.Y[i]; math.Abs(got-want) > chance {
				t.Errorf("%v: of a share %v a round leaves %v, theory %v ± %v", c, p, got, want, chance)
			}
		}
		if facts.of("delivery ratio") != 1 {
			t.Errorf("%v: %v of the peers got it", c, facts.of("delivery ratio"))
		}
		for _, f := range r.Facts {
			if f.Theory == nil || f.Name == "delivery ratio" {
				continue
			}
			exact := 0.0 // but for chance
			if f.Name == "rounds until all have it" {
				exact = 2.8 // O(1), of push: Doerr, Künnemann 2014
			}
			if off := math.Abs(f.Value - *f.Theory); !(off <= exact+sigmas*deviation) {
				t.Errorf("%v: %s: %v, theory %v", c, f.Name, f.Value, *f.Theory)
			}
		}
	}
}

// TestRoundsAreRounds: who learns in a round neither calls nor answers in it, so that push
// doubles at most and push-pull grows no faster than its calls allow; workers do not show.
func TestRoundsAreRounds(t *testing.T) {
	one, _ := playBoth(t, byRounds("push-rounds", ""))
	points := curve(t, one, "step", 0)
	for i, p := range points.X {
		if before, after := 1-p, 1-points.Y[i]; after > 2*before+1e-9 {
			t.Errorf("from %v of the peers to %v in a round", before, after)
		}
	}
	_, young := play(t, byRounds("push-pull", "")+"age = 4\n", 2)
	if got := young.of("delivery ratio"); got > 0.15 {
		t.Errorf("passed on for four rounds, %v of the peers have it; each round can triple them", got)
	}
	if got := young.of("rounds until all have it"); !math.IsNaN(got) {
		t.Errorf("all had it after %v rounds", got)
	}
	for _, spread := range []string{"push-rounds", "push-pull"} { // where nothing arrives, theory has no end either
		if _, none := play(t, byRounds(spread, "loss = 1.0")+"age = 3\n", 2); none.of("delivery ratio") != 0.001 {
			t.Errorf("%s: %v of the peers have what never arrives", spread, none.of("delivery ratio"))
		}
	}
}

// TestPushCoversInTime: pushed once by each, a message reaches x = 1 − e^(−fx) of the peers,
// and on the way as many as that says of those who had it a way before.
func TestPushCoversInTime(t *testing.T) {
	r, facts := play(t, `world = "flood"
peers = 10_000
until = "2s"
every = "10ms"
[network]
latency = [["20ms"]]
jitter = "5ms"
[flood]
messages = 16
spread = "push"
fanout = 3
`, 2)
	got, want := curve(t, r, "coverage", 0), curve(t, r, "coverage", 1)
	if !want.Theory || len(want.Y) != len(got.Y) {
		t.Fatalf("%d points, and of the theory %d", len(got.Y), len(want.Y))
	}
	for i, x := range got.Y {
		if math.Abs(x-want.Y[i]) > 0.05 { // one or two milliseconds, where it is steepest
			t.Errorf("at %v s %v have it, theory %v", got.X[i], x, want.Y[i])
		}
	}
	last := want.Y[len(want.Y)-1]
	if end := finalSize(3); math.Abs(last-end) > 1e-4 || math.Abs(facts.of("delivery ratio")-end) > 0.003 {
		t.Errorf("in the end %v have it; the curve says %v, the final size %v", facts.of("delivery ratio"), last, end)
	}
}
