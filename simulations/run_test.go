package simulations

import (
	"context"
	"errors"
	"testing"

	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// TestLibrary: every scenario that comes along can be read, is of a world that there
// is, and every run of its sweep too.
func TestLibrary(t *testing.T) {
	n := 0
	for name := range Library {
		data, ok := Named(name)
		if !ok {
			t.Fatalf("%s is listed and not there", name)
		}
		s, err := scenario.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Runs(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.About == "" {
			t.Errorf("%s does not say what it is about", name)
		}
		n++
	}
	if n == 0 {
		t.Error("no scenario comes along")
	}
	if _, ok := Named("../scenarios/flood"); ok {
		t.Error("a path is the name of a scenario")
	}
}

// TestRun: a result has all that a report needs, and any number of workers the same;
// memory is that of the run, not what was there before.
func TestRun(t *testing.T) {
	ballast := make([]byte, 64<<20)
	s := parse(t, "world = \"flood\"\npeers = 3000\nuntil = \"2s\"\n[flood]\nmessages = 2\n")
	r, err := Run(t.Context(), s, "v1", worlds.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Hash == "" || len(r.Facts) == 0 || len(r.Charts) == 0 || len(r.Steps) == 0 || r.Version != "v1" || r.Peers != 3000 {
		t.Errorf("the result lacks something: %+v", r)
	}
	if c := r.Cost; c.Wall <= 0 || c.CPU < 0 || c.Events < 3000 || c.Workers != 1 || c.BytesPerPeer < 50 || c.BytesPerPeer > float64(len(ballast))/3000 {
		t.Errorf("it took %+v", c)
	}
	again, err := scenario.Parse([]byte(r.Scenario))
	if err != nil {
		t.Fatal(err)
	}
	two, err := Run(t.Context(), again, "v1", worlds.Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if two.Hash != r.Hash {
		t.Error("its scenario, run again with two workers, gives another hash")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, s, "v1", worlds.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is stopped: %v", err)
	}
	for i := range ballast {
		ballast[i] = 1 // it is alive until here
	}
}
