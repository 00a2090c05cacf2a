package main

import (
	"fmt"
	"math"
)

// Sides that simulate the same may differ by chance alone.
const (
	// spread bounds how far a delivery ratio is from theory, times the root of the
	// peers: some five deviations.
	spread = 2.5
	// apartMs and apartHops bound how far spans and hops of two sides are from each other:
	// the first few steps of a flood are of few peers and left to chance, and the sides'
	// links differ.
	apartMs, apartHops = 2 * latencyTicks / ticksPerMs, 1.5
	// apartCopies bounds how far the copies of two sides are from each other, as a share:
	// the means of their links are 4.3 and 4.0.
	apartCopies = 0.15
)

// check reports what a flood cannot have shown.
func (f flood) check(peers int, o outcome) error {
	got, want := float64(o.Firsts)/float64(peers), f.theory()
	switch {
	case math.Abs(got-want) > spread/math.Sqrt(float64(peers)):
		return fmt.Errorf("%d of %d peers got the message, a share of %.4f; theory says %.4f", o.Firsts, peers, got, want)
	case f.fanout > 0 && o.Copies != o.Firsts*uint64(f.fanout):
		return fmt.Errorf("%d peers sent %d copies each, but %d arrived", o.Firsts, f.fanout, o.Copies)
	case o.Events < o.Copies || o.P50 <= 0 || o.P99 < o.P50 || o.Hops <= 0:
		return fmt.Errorf("figures that no flood has: %+v", o)
	}
	return nil
}

// alike reports in what sides differ from the last by more than chance.
func alike(lines []line) error {
	for _, a := range lines {
		b := lines[len(lines)-1]
		if math.Abs(a.Hops-b.Hops) > apartHops || math.Abs(a.P50-b.P50) > apartMs || math.Abs(a.P99-b.P99) > apartMs {
			return fmt.Errorf("%s and %s did not simulate the same, flood %s among %d peers: first copies came by %.1f and %.1f links, "+
				"to half of the peers in %.0f and %.0f ms, to 99 %% in %.0f and %.0f ms",
				a.Side, b.Side, a.Flood, a.Peers, a.Hops, b.Hops, a.P50, b.P50, a.P99, b.P99)
		}
		if math.Abs(a.Copies-b.Copies) > apartCopies*max(a.Copies, b.Copies) {
			return fmt.Errorf("%s and %s did not simulate the same, flood %s among %d peers: %.0f and %.0f copies arrived",
				a.Side, b.Side, a.Flood, a.Peers, a.Copies, b.Copies)
		}
	}
	return nil
}
