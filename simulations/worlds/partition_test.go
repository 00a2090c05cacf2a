package worlds

import (
	"testing"

	"lightcone/simulations/report"
)

// runText runs a scenario file and returns its result.
func runText(t *testing.T, text string) *report.Result {
	t.Helper()
	r, _ := play(t, text, 0)
	for _, f := range r.Facts {
		t.Logf("%-40s %12.3f %s", f.Name, f.Value, f.Unit)
	}
	t.Log(r.Cost.Events, r.Hash)
	return r
}

// value is the value of a fact.
func value(t *testing.T, r *report.Result, name string) float64 {
	t.Helper()
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	t.Fatalf("no fact %q", name)
	return 0
}

// TestPartitionHeals: two halves that wrote apart are equal soon after they met, and
// nobody is blamed.
func TestPartitionHeals(t *testing.T) {
	r := runText(t, "world = 'partition'\npeers = 24\nuntil = '20s'\n[partition]\nbegin = '2s'\nheal = '6s'\nmemos = 100\n")
	if got := value(t, r, "equal at the end"); got != 100 {
		t.Errorf("%v %% of the peers are equal", got)
	}
	if got := value(t, r, "bytes to equality"); got == 0 {
		t.Error("nothing was sent")
	}
	if got := value(t, r, "difference"); got < 5 {
		t.Errorf("they differed by %v kB", got)
	}
	if got := value(t, r, "blames"); got != 0 {
		t.Errorf("%v blames among honest peers", got)
	}
}
