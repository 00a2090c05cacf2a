package worlds

import (
	"math"
	"strings"
	"testing"

	"lightcone/simulations/scenario"
)

// TestContextGrowth: each policy keeps a context within its bound and near what the
// authors drawn say, who never folds has one head an author, and all hold the same.
func TestContextGrowth(t *testing.T) {
	r, got := play(t, "world = 'context'\npeers = 60\n[context]\nmemos = 900\nloose = 20\nrest = 60\npart = 12\nchance = 0.1\nsee = 0.5\npolicy = 'all'\n", 1)
	for _, f := range r.Facts {
		policy, what, _ := strings.Cut(f.Name, ": ")
		switch {
		case what == "loose heads, most" && policy != "idle" && f.Value > *f.Theory:
			t.Errorf("%s: %v heads, the bound is %v", policy, f.Value, *f.Theory)
		case what == "loose heads, mean" && f.Theory != nil && policy != "probabilistic" && math.Abs(f.Value-*f.Theory) > 0.1**f.Theory:
			t.Errorf("%s: %v heads in the mean, in theory %v", policy, f.Value, *f.Theory)
		}
	}
	for _, p := range scenario.Policies {
		if folds := got[p+": folds"]; (folds == 0) != (p == "never") {
			t.Errorf("%s: %v folds", p, folds)
		}
	}
	if got["never: loose heads, most"] != 60 || got["never: token, longest"] < 60*20 {
		t.Errorf("never: %v heads, a token of %v bytes", got["never: loose heads, most"], got["never: token, longest"])
	}
	if most := got["idle: loose heads, most"]; most > 50 {
		t.Errorf("idle: %v heads", most)
	}
	if most := got["probabilistic: loose heads, most"]; most > 50 {
		t.Errorf("probabilistic: %v heads", most)
	}
	for _, p := range []string{"partial", "probabilistic"} {
		if n := got[p+": memos of a fold"]; n > 12 {
			t.Errorf("%s: a fold took %v memos, its part is 12", p, n)
		}
	}
	if a, th, never := got["always: blocks written a memo"], got["threshold: blocks written a memo"], got["never: blocks written a memo"]; a < 4 || a < 2*th || never != 0 {
		t.Errorf("blocks a memo: %v folded always, %v late, %v never", a, th, never)
	}
	if got["different roots after a last fold"] != 1 {
		t.Errorf("%v roots of one context", got["different roots after a last fold"])
	}
}

// TestOnePolicy: a context alone is as it is among others.
func TestOnePolicy(t *testing.T) {
	file := "world = 'context'\npeers = 20\n[context]\nmemos = 200\nloose = 8\npolicy = '"
	_, all := play(t, file+"all'\n", 1)
	_, one := play(t, file+"partial'\n", 1)
	for name, v := range one {
		if was, ok := all["partial: "+name]; ok && was != v {
			t.Errorf("%s: %v alone, %v among others", name, v, was)
		}
	}
	if one["folds"] == 0 {
		t.Error("no fold")
	}
}
