package worlds

import (
	"math"
	"slices"
	"testing"

	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// TestBeacons: the controller keeps to its target, the inverse rule to its fixed point;
// the newest ping that a clock reaches is as old as the spread of pings and their rate
// have it; and the number of workers changes nothing.
func TestBeacons(t *testing.T) {
	for _, rule := range []string{"controller", "inverse"} {
		file := "world = 'beacons'\npeers = 300\nuntil = '6m'\nevery = '1s'\n[beacons]\ntarget = 6.0\nrule = '" + rule + "'\n"
		one, got := play(t, file, 1)
		two, _ := play(t, file, 2)
		if one.Hash != two.Hash {
			t.Errorf("%s: one worker makes %s, two %s", rule, one.Hash, two.Hash)
		}
		got.theory("beacon lag mean")
		for _, f := range one.Facts {
			// Of the longest waits between pings there are too few to tell.
			if f.Theory != nil && f.Name != "beacon lag p99" && math.Abs(f.Value / *f.Theory - 1) > 0.15 {
				t.Errorf("%s: %s is %v, in theory %v", rule, f.Name, f.Value, *f.Theory)
			}
		}
		if rule == "controller" {
			if n := got.of("beacons that a clock reaches, most"); n < 200 {
				t.Errorf("clocks reach %v beacons", n)
			}
		} else if got.has("beacons that a clock reaches, most") {
			t.Error("clocks of the inverse rule are told, which are not kept")
		}
	}
}

// TestSlowNewsIsOldNews: where a link takes longer the newest ping is older, as theory
// has it, and never older than the spread takes longer.
func TestSlowNewsIsOldNews(t *testing.T) {
	var lag, spreads []float64
	for _, latency := range []string{"10ms", "300ms"} {
		_, facts := play(t, "world = 'beacons'\npeers = 100\nuntil = '6m'\nevery = '1s'\n[network]\nlatency = [['"+latency+"']]\n[beacons]\ntarget = 6.0\n", 1)
		lag, spreads = append(lag, facts.of("beacon lag mean")), append(spreads, facts.of("spreading latency, mean"))
		if was, theory := facts.of("beacon lag mean"), facts.theory("beacon lag mean"); math.Abs(was/theory-1) > 0.1 {
			t.Errorf("at %s %v s old, in theory %v", latency, was, theory)
		}
	}
	if more := lag[1] - lag[0]; more < 0.5 || more > spreads[1]-spreads[0] {
		t.Errorf("pings take %v s longer, and are %v s older when somebody asks", spreads[1]-spreads[0], more)
	}
}

// TestClocksReachWhatCame: the newest ping that a reader's clock reaches is the newest
// one that came.
func TestClocksReachWhatCame(t *testing.T) {
	with, without := &scenario.Scenario{}, &scenario.Scenario{}
	for i, s := range []*scenario.Scenario{with, without} {
		file := "world = 'beacons'\npeers = 5000\nuntil = '2m'\nevery = '1s'\n[beacons]\nrule = '" + []string{"controller", "inverse"}[i] + "'\n"
		parsed, err := scenario.Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		*s = *parsed
	}
	var seen [2][]float64
	for i, s := range []*scenario.Scenario{with, without} {
		l, err := newLags(s, 2)
		if err != nil {
			t.Fatal(err)
		}
		d := dice{seed: 3}
		for at := engine.Time(0); at < ticks(s.Until); at += d.ticks(engine.Seconds(1)) + 1 {
			if err := l.pass(at, []pinged{{at: at, by: engine.Peer(d.below(s.Peers))}}); err != nil {
				t.Fatal(err)
			}
		}
		if seen[i] = l.y; (l.genesis == nil) != (i == 1) || len(l.y) < 100 {
			t.Fatalf("%d answers", len(l.y))
		}
	}
	if !slices.Equal(seen[0], seen[1]) {
		t.Errorf("by clocks %v, by what came %v", seen[0], seen[1])
	}
}
