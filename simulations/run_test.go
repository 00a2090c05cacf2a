package simulations

import (
	"os"
	"testing"

	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

func TestFlood(t *testing.T) {
	data, err := os.ReadFile("scenarios/flood.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if n := os.Getenv("PEERS"); n == "m" {
		s.Peers = 1000000
	}
	r, err := Run(t.Context(), s, "test", worlds.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Facts {
		t.Log(f.Name, f.Value, f.Unit)
	}
	t.Logf("%+v %s", r.Cost, r.Hash)
	t.Logf("%.2f M events a CPU second", float64(r.Cost.Events)/r.Cost.CPU.Seconds()/1e6)
}
