package worlds

import (
	"math"
	"testing"
)

// TestConsolidation: five make one root of a round, whose blocks each makes once and all
// together store once, and do not all announce it. In the third round the tree becomes
// taller than a leaf.
func TestConsolidation(t *testing.T) {
	_, facts := play(t, "world = 'consolidation'\npeers = 24\nuntil = '24s'\n[consolidation]\nrounds = 3\napart = '7s'\n", 0)
	if got := facts.of("different roots a round"); got != 1 {
		t.Errorf("%v roots a round", got)
	}
	if made, stored := facts.of("blocks made a round"), facts.of("blocks stored a round"); math.Abs(made-5*stored) > 1e-9 || stored < 20 {
		t.Errorf("of 20 rows a round five made %v blocks, %v are stored", made, stored)
	}
	if got := facts.of("announcements a round"); got == 0 || got > 3 {
		t.Errorf("%v announcements of a root", got)
	}
	if got := facts.of("suppressed a round"); got == 0 {
		t.Error("nobody kept silent")
	}
}

// TestLate: a newcomer gets all by recon, and where it asks for the state it has the
// row that it wants from there.
func TestLate(t *testing.T) {
	for _, by := range []string{"memos", "state"} {
		_, facts := play(t, "world = 'late'\npeers = 8\nuntil = '15s'\n[network]\nuplink = 400_000.0\n[late]\njoin = '5s'\nmemos = 1000\nby = '"+by+"'\n", 0)
		if got := facts.of("equal at the end"); got != 100 {
			t.Errorf("by %s: %v %% of the peers are equal", by, got)
		}
		first, all := facts.of("time to the first answer"), facts.of("time to equality")
		if first <= 0 || first > all {
			t.Errorf("by %s: the first answer after %v s, equality after %v s", by, first, all)
		}
		if facts.of("time to what it asked for") > 9.9 {
			t.Errorf("by %s: what it asked for never came", by)
		}
	}
}

// TestLiars: whatever they do, newcomers with an honest link get everything, and nobody
// honest is blamed.
func TestLiars(t *testing.T) {
	for _, kind := range []string{"withhold", "garbage", "claim"} {
		_, facts := play(t, "world = 'liars'\npeers = 24\nuntil = '60s'\n[liars]\njoin = '5s'\nmemos = 50\nshare = 0.4\nkind = '"+kind+"'\n", 0)
		if got := facts.of("of the others equal at the end"); got != 100 {
			t.Errorf("%s: %v %% of the peers are equal", kind, got)
		}
		if got := facts.of("blames of honest peers"); got != 0 {
			t.Errorf("%s: %v blames of honest peers", kind, got)
		}
		if got := facts.of("runs that liars served"); (got == 0) != (kind == "withhold") {
			t.Errorf("%s: liars served %v runs", kind, got)
		}
		if got := facts.of("honest peers that believe a claim"); (got > 0) != (kind == "claim") {
			t.Errorf("%s: %v peers believe in memos that there are not", kind, got)
		}
		if got := facts.of("blames of liars"); (got > 0) != (kind == "garbage") {
			t.Errorf("%s: %v blames of liars", kind, got)
		}
	}
}
