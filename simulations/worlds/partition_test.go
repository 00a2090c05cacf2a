package worlds

import "testing"

// TestPartitionHeals: two halves that wrote apart are equal soon after they met, and
// nobody is blamed.
func TestPartitionHeals(t *testing.T) {
	_, facts := play(t, "world = 'partition'\npeers = 24\nuntil = '20s'\n[partition]\nbegin = '2s'\nheal = '6s'\nmemos = 100\n", 0)
	if got := facts.of("equal at the end"); got != 100 {
		t.Errorf("%v %% of the peers are equal", got)
	}
	if got := facts.of("bytes to equality"); got == 0 {
		t.Error("nothing was sent")
	}
	if got := facts.of("difference"); got < 5 {
		t.Errorf("they differed by %v kB", got)
	}
	if got := facts.of("blames"); got != 0 {
		t.Errorf("%v blames among honest peers", got)
	}
}
