package simulations

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lightcone/simulations/report"
	"lightcone/simulations/worlds"
)

var update = flag.Bool("update", false, "write testdata/hashes.txt anew")

// links is a network with all that links can have: floats decide on it in many places.
const links = `
[network]
regions = [2.0, 1.0]
latency = [['10ms', '60ms'], ['60ms', '15ms']]
jitter = '3ms'
loss = 0.05
uplink = 100_000.0
drift = 0.0003
`

// more are scenarios of what those that come along lack when they are brief.
var more = map[string]string{
	"links: push":       "world = 'flood'\npeers = 1000\nuntil = '3s'\n" + links + "resend = '50ms'\n[flood]\nspread = 'push'\nfanout = 3\nrelay = 0.9\nmessages = 4\n",
	"links: push-pull":  "world = 'flood'\npeers = 500\nuntil = '6s'\n" + links + "[flood]\nspread = 'push-pull'\nfanout = 1\nround = '500ms'\n",
	"links: large":      "world = 'flood'\npeers = 200\nuntil = '4s'\n" + links + "resend = '60ms'\n[flood]\nmessages = 3\nsize = 3000\n",
	"links: churn":      "world = 'churn'\npeers = 300\nuntil = '15s'\nevery = '1s'\n" + links + "[network.churn]\nup = '5s'\ndown = '3s'\nkeep = 2\n",
	"links: funnel":     "world = 'funnel'\npeers = 60\nuntil = '8s'\n" + links + "[funnel]\nwrite = '4s'\nwriters = 20\n",
	"beacons: few":      "world = 'beacons'\npeers = 300\nuntil = '2m'\nevery = '1s'\n[network]\njitter = '9ms'\n",
	"beacons: inverse":  "world = 'beacons'\npeers = 300\nuntil = '1m'\nevery = '1s'\n[beacons]\nrule = 'inverse'\n",
	"context: policies": "world = 'context'\npeers = 20\n[context]\nmemos = 300\npolicy = 'all'\n",
}

// TestGoldenHashes: the scenarios have the result hashes of testdata/hashes.txt, and the
// numbers of their reports the same digests, on whatever processor this runs; .ci/run has
// them on two.
//
// A hash that changes is right where what happens in a world has changed on purpose: a
// constant or a rule of the protocol, a model, a draw, a scenario, what a digest of a
// peer has in it. Then `go test ./simulations -run TestGoldenHashes -update` writes the
// file anew, and what was meant to stay can be seen in the difference. Where nothing was
// to change, or on one processor alone, it is a fault.
func TestGoldenHashes(t *testing.T) {
	var got strings.Builder
	add := func(name string, r *report.Result, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "%s: %s, numbers %x\n", name, r.Hash, numbers(r))
	}
	for _, name := range slices.Sorted(maps.Keys(brief)) {
		r, err := runBrief(name, 2)
		add(name, r, err)
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		r := &report.Result{Name: name}
		add(name, r, worlds.Run(t.Context(), parse(t, more[name]), worlds.Options{Workers: 2}, r))
	}
	file := filepath.Join("testdata", "hashes.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(lines) || lines[i] != line {
			t.Errorf("%s has\n\t%s\nand this was\n\t%s\nif that is as it should be, add -update", file, line, lines[min(i, len(lines)-1)])
		}
	}
	if strings.Count(got.String(), "\n") != strings.Count(string(want), "\n") {
		t.Errorf("%s has another number of scenarios; add -update", file)
	}
}

// numbers is a digest of every bit of the numbers that a report shows: facts and what
// theory says of them, curves, and the sample.
func numbers(r *report.Result) []byte {
	h := sha256.New()
	put := func(all ...float64) {
		for _, x := range all {
			fmt.Fprintf(h, "%x ", x) // not its bits: there are several NaNs
		}
	}
	for _, f := range r.Facts {
		put(f.Value)
		if f.Theory != nil {
			put(*f.Theory)
		}
	}
	for _, c := range r.Charts {
		for _, curve := range c.Curves {
			put(curve.X...)
			put(curve.Y...)
		}
	}
	if r.Sample != nil {
		for _, row := range r.Sample.Rows {
			put(row...)
		}
	}
	return h.Sum(nil)[:8]
}
