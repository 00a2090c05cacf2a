package main

import (
	"context"
	"testing"
	"time"

	"lightcone/internal/compare/figure"
)

// Every side takes 50 writes, converges, and brings a late peer up to date. bulk
// fails when the replicas differ, late when nothing comes.
func TestSidesConverge(t *testing.T) {
	const keys, limit = 50, time.Minute
	for _, sd := range sides {
		t.Run(sd.name, func(t *testing.T) {
			t.Parallel()
			for name, c := range map[string]struct {
				peers int
				work  work
				count string // the metric that says how many keys came
			}{
				"single": {3, bulk(keys, 1, limit), "arrived everywhere"},
				"batch":  {3, bulk(keys, 20, limit), "arrived everywhere"},
				"late":   {1, late(keys, keys, limit), "came"},
			} {
				j := job{name: name, peers: c.peers, on: func(side) work { return c.work }}
				r, err := do(context.Background(), j, sd, t.TempDir(), "")
				if err != nil {
					t.Fatal(err)
				}
				if came, _ := r.find(c.count); came.Value != keys {
					t.Errorf("%s: %v of %d keys came", name, came.Value, keys)
				}
				for _, cost := range []string{"wire per key and receiver", "CPU per key, all replicas", "disk per key and replica"} {
					if m, ok := r.find(cost); !ok || m.Value <= 0 {
						t.Errorf("%s: no figure for the %s", name, cost)
					}
				}
			}
		})
	}
}

// What did not arrive must not look fast.
func TestMissingWritesCount(t *testing.T) {
	begun := make([]time.Time, 100)
	now := time.Now()
	var a arrivals
	for i := range begun {
		begun[i] = now.Add(-time.Minute)
		if i < 60 {
			a.mark(firstKey+i, begun[i].Add(time.Millisecond))
		}
	}
	d := delays([]*arrivals{&a}, begun, now)
	if m := percentile(d, 50, 40); m.Value != 1 || m.Bound != figure.Exactly {
		t.Errorf("p50 of 60 %% that arrived after 1 ms: %v", m)
	}
	if m := percentile(d, 99, 40); m.Value != 60_000 || m.Bound != figure.MoreThan {
		t.Errorf("p99 with 40 %% missing for a minute: %v", m)
	}
}
