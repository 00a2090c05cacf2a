package worlds

import (
	"math"
	"testing"

	"lightcone/simulations/scenario"
)

// TestContextGrowth: each policy keeps a context within its bound and near what the
// authors drawn say, who never folds has one head an author, and all hold the same.
func TestContextGrowth(t *testing.T) {
	_, got := play(t, "world = 'context'\npeers = 60\n[context]\nmemos = 900\nloose = 20\nrest = 60\npart = 12\nchance = 0.1\nsee = 0.5\npolicy = 'all'\n", 1)
	for _, p := range scenario.Policies {
		const most, mean = ": loose heads, most", ": loose heads, mean"
		if p != "idle" && got.of(p+most) > got.theory(p+most) {
			t.Errorf("%s: %v heads, the bound is %v", p, got.of(p+most), got.theory(p+most))
		}
		if p != "probabilistic" && got.by[p+mean].Theory != nil && math.Abs(got.of(p+mean)-got.theory(p+mean)) > 0.1*got.theory(p+mean) {
			t.Errorf("%s: %v heads in the mean, in theory %v", p, got.of(p+mean), got.theory(p+mean))
		}
		if folds := got.of(p + ": folds"); (folds == 0) != (p == "never") {
			t.Errorf("%s: %v folds", p, folds)
		}
	}
	if got.of("never: loose heads, most") != 60 || got.of("never: token, longest") < 60*20 {
		t.Errorf("never: %v heads, a token of %v bytes", got.of("never: loose heads, most"), got.of("never: token, longest"))
	}
	if most := got.of("idle: loose heads, most"); most > 50 {
		t.Errorf("idle: %v heads", most)
	}
	if most := got.of("probabilistic: loose heads, most"); most > 50 {
		t.Errorf("probabilistic: %v heads", most)
	}
	for _, p := range []string{"partial", "probabilistic"} {
		if n := got.of(p + ": memos of a fold"); n > 12 {
			t.Errorf("%s: a fold took %v memos, its part is 12", p, n)
		}
	}
	if a, th, never := got.of("always: blocks written a memo"), got.of("threshold: blocks written a memo"), got.of("never: blocks written a memo"); a < 4 || a < 2*th || never != 0 {
		t.Errorf("blocks a memo: %v folded always, %v late, %v never", a, th, never)
	}
	if got.of("different roots after a last fold") != 1 {
		t.Errorf("%v roots of one context", got.of("different roots after a last fold"))
	}
}

// TestOnePolicy: a context alone is as it is among others.
func TestOnePolicy(t *testing.T) {
	file := "world = 'context'\npeers = 20\n[context]\nmemos = 200\nloose = 8\npolicy = '"
	_, all := play(t, file+"all'\n", 1)
	_, one := play(t, file+"partial'\n", 1)
	for name := range one.by {
		if name != "different roots after a last fold" && one.of(name) != all.of("partial: "+name) {
			t.Errorf("%s: %v alone, %v among others", name, one.of(name), all.of("partial: "+name))
		}
	}
	if one.of("folds") == 0 {
		t.Error("no fold")
	}
}
