package figures

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/beacon"
	"lightcone/memo"
	"lightcone/memo/memotest"
)

// In figure 13 the beacons X, Y and Z ping; each ping refers to its predecessor, and
// to those of others: Y and Z, which are interested in each other, do so more often.
// The edit E10 refers to X3 and Z3. Y3 it knows by way of Z3.
const beacons = `
	G -> X1 -> X2 -> X3
	| -> Y1 -> Y2 -> Y3 -> Y4
	| -> Z1 -> Z2 -> Z3
	X1 -> Y1
	Y1 -> Z1
	Z1 -> Y2
	Y2 -> Z2
	Y2 -> X2
	Z2 -> Y3
	Y3 -> Z3
	X2 -> Z3
	Z3 -> Y4
	G -> E10@edna
	X3, Z3 -> E10

	X1: ping
	X2: ping
	X3: ping
	Y1: ping
	Y2: ping
	Y3: ping
	Y4: ping
	Z1: ping
	Z2: ping
	Z3: ping
	E10: animals/0 sound=Woof
`

// index is what a peer that attached all of a drawing knows of its pings.
func index(t *testing.T, d *memotest.DAG) *beacon.Pings {
	t.Helper()
	alice, pings := one(t, d), beacon.NewPings(memo.Vector{}, nil)
	for _, placed := range alice.hears(d.Names()...).Attached {
		pings.Add(placed.Memo)
	}
	return pings
}

func TestFig13(t *testing.T) {
	d := memotest.Draw(t, beacons)
	pings := index(t, d)
	names := func(heads []memo.Head) (out []string) {
		for _, h := range heads {
			out = append(out, d.Name(h.ID))
		}
		return out
	}
	sorted := func(of ...string) []string {
		var heads []memo.Head
		for _, n := range of {
			heads = append(heads, d.Memo(n).Head())
		}
		memo.SortDeps(heads)
		return names(heads)
	}

	clock := pings.Clock(d.Memo("E10").Head())
	reached := map[string]uint64{}
	for _, n := range []string{"X", "Y", "Z"} {
		reached[n] = clock.Seq(d.Memo(n + "1").Author)
	}
	// Two directly, one by traversal.
	if diff := cmp.Diff(map[string]uint64{"X": 3, "Y": 3, "Z": 3}, reached); diff != "" || clock.Len() != 3 || clock.Since != 0 {
		t.Errorf("the clock of E10, %d beacons, lacking what is before %v:\n%s", clock.Len(), clock.Since, diff)
	}
	if diff := cmp.Diff(sorted("X3", "Z3"), names(pings.Reading(clock))); diff != "" {
		t.Errorf("the reading of E10:\n%s", diff)
	}
	for _, n := range []string{"X1", "X2", "Y1", "Y2", "Y3", "Z1", "Z2", "X3", "Z3"} {
		if !clock.Covers(d.Memo(n).Head()) {
			t.Errorf("E10 does not know of %s", n)
		}
	}
	if clock.Covers(d.Memo("Y4").Head()) {
		t.Error("E10 knows of Y4, which nothing leads to")
	}
}

// Whoever hears many pings pings less often, whoever hears few more often.
func TestFig13Chances(t *testing.T) {
	chance := func(pings int) (before, after float64) {
		e := beacon.NewEmitter(memo.DefaultRho)
		now := time.Unix(1_700_000_000, 0)
		for range 60 {
			e.Step(now, beacon.Observed{News: true, Pings: pings, Authors: 10, Random: 0.999})
			if now = now.Add(beacon.Tick); before == 0 {
				before = e.Chance()
			}
		}
		return before, e.Chance()
	}
	if before, after := chance(9); after >= before {
		t.Errorf("a busy neighbourhood moves the chance from %v to %v", before, after)
	}
	if before, after := chance(0); after <= before {
		t.Errorf("a quiet neighbourhood moves the chance from %v to %v", before, after)
	}
}
