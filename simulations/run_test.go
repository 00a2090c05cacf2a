package simulations

import (
	"os"
	"testing"

	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// TestFlood: a scenario that comes along runs.
func TestFlood(t *testing.T) {
	data, err := os.ReadFile("scenarios/flood.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	s.Peers = 2_000
	r, err := Run(t.Context(), s, "test", worlds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Cost.Events == 0 || r.Hash == "" || len(r.Facts) == 0 || r.Scenario == "" {
		t.Errorf("a result without what was measured: %+v", r)
	}
}
