package simulations

import (
	"testing"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// BenchmarkFloodMillion runs the flood that comes along for a million peers, mesh and
// Ears, by one worker. A run takes some ten seconds and 1 GB: give -benchtime 1x.
func BenchmarkFloodMillion(b *testing.B) {
	data, _ := Named("flood")
	s, err := scenario.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	s.Peers = 1_000_000
	var cost report.Cost
	for b.Loop() {
		r, err := Run(b.Context(), s, "benchmark", worlds.Options{Workers: 1})
		if err != nil {
			b.Fatal(err)
		}
		cost.Events, cost.CPU = cost.Events+r.Cost.Events, cost.CPU+r.Cost.CPU
		cost.BytesPerPeer = r.Cost.BytesPerPeer
	}
	b.ReportMetric(float64(cost.Events)/cost.CPU.Seconds(), "events/cpu-s")
	b.ReportMetric(cost.BytesPerPeer, "B/peer")
}
