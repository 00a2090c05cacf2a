package report

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// swept are the runs of a sweep over peers and a way of spreading, of which only one
// has a theory and a figure of its own.
func swept() (runs []*Result) {
	for i, way := range []string{"mesh", "push"} {
		for _, n := range []float64{1000, 10} {
			theory := n / 2
			r := &Result{
				World: "flood", Peers: int(n), Hash: way, Settings: []Setting{{Key: "way", Value: way}, {Key: "peers", Value: Short(n), Number: &n}},
				Facts: []Fact{{Name: "lag", Unit: "s", Value: n + float64(i)}},
				Steps: []Steps{{Package: "simulations/mesh", Events: 5, Model: true}},
				Cost:  Cost{Wall: time.Second, Events: 5, Workers: 1, BytesPerPeer: 1e6 / n},
			}
			if way == "push" {
				r.Facts = append([]Fact{{Name: "rounds", Value: 7}}, r.Facts...)
				r.Facts[1].Theory, r.Facts[1].Source = &theory, "half"
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// TestJoin: a sweep has a chart of each figure over each number, a curve for each
// choice of the rest, and the costs of all.
func TestJoin(t *testing.T) {
	r := Join("all", "s", swept())
	want := []Chart{
		{
			Name: "lag-by-peers", Title: "lag by peers", X: Axis{Label: "peers", Log: true}, Y: Axis{Label: "lag", Unit: "s", Log: true}, Note: "Theory: half.",
			Curves: []Curve{
				{Name: "way=mesh", X: []float64{10, 1000}, Y: []float64{10, 1000}},
				{Name: "way=push", X: []float64{10, 1000}, Y: []float64{11, 1001}},
				{Name: "theory", X: []float64{10, 1000}, Y: []float64{5, 500}, Theory: true},
			},
		},
		{
			Name: "rounds-by-peers", Title: "rounds by peers", X: Axis{Label: "peers", Log: true}, Y: Axis{Label: "rounds"},
			Curves: []Curve{{Name: "way=push", X: []float64{10, 1000}, Y: []float64{7, 7}}},
		},
	}
	if diff := cmp.Diff(want, r.Charts); diff != "" {
		t.Errorf("other charts:\n%s", diff)
	}
	if diff := cmp.Diff(Cost{Wall: 4 * time.Second, Events: 20, Workers: 1, BytesPerPeer: 1000}, r.Cost); diff != "" {
		t.Errorf("another cost:\n%s", diff)
	}
	if len(r.Steps) != 1 || r.Steps[0].Events != 20 {
		t.Errorf("steps %+v", r.Steps)
	}
	other := swept()
	other[3].Hash = "x"
	if Join("all", "s", other).Hash == r.Hash {
		t.Error("another run has the same hash")
	}
}

// TestJoinAlike: what is the same in all runs is a fact of the sweep and has no chart;
// theories with the same points are one curve, of all runs or of those that it names.
func TestJoinAlike(t *testing.T) {
	names := func(theory func(way string, n float64) float64) (facts, curves string) {
		runs := swept()
		for _, r := range runs {
			half := theory(r.Settings[0].Value, float64(r.Peers))
			r.Facts = []Fact{
				{Name: "lost", Value: 0},
				{Name: "lag", Unit: "s", Value: float64(r.Peers) * 1.5, Theory: &half, Source: "half of " + r.Settings[0].Value},
				{Name: "none", Value: math.NaN()},
				{Name: "close", Value: 1, Theory: &half},
			}
		}
		joined := Join("all", "s", runs)
		for _, f := range joined.Facts {
			facts += f.Name + " "
		}
		for _, c := range joined.Charts {
			curves += c.Name + ":"
			for _, k := range c.Curves {
				curves += " " + k.Name + ","
			}
			curves += c.Note + "|"
		}
		return facts, curves
	}
	const measured = "lag-by-peers: way=mesh, way=push, "
	facts, curves := names(func(string, float64) float64 { return 7 })
	if facts != "lost close " || !strings.HasPrefix(curves, measured+"theory,Theory: half of mesh; half of push.|none-by-peers:") {
		t.Errorf("of one theory: facts %s, charts %s", facts, curves)
	}
	facts, curves = names(func(way string, n float64) float64 { return n * float64(len(way)+int(way[0])) })
	if facts != "lost " || !strings.HasPrefix(curves, measured+"way=mesh theory, way=push theory,") {
		t.Errorf("of two theories: facts %s, charts %s", facts, curves)
	}
}

// TestShownTable: people get a table of what differs, at most so many runs, few runs side
// by side.
func TestShownTable(t *testing.T) {
	runs := swept()
	for _, r := range runs {
		r.Facts, r.Hash = append(r.Facts, Fact{Name: "lost", Value: 0}), "0123456789abcdef"
	}
	joined := Join("all", "s", runs)
	want := [][]string{
		{"way", "mesh", "mesh", "push", "push"}, {"peers", "1000", "10", "1000", "10"}, {"lag (s)", "1000", "10", "1001", "11"},
		{"rounds", "", "", "7", "7"}, {"hash", "01234567", "01234567", "01234567", "01234567"},
	}
	if diff := cmp.Diff(want, joined.table()); diff != "" {
		t.Errorf("of four runs:\n%s", diff)
	}
	many := Join("all", "s", slices.Repeat(runs, 100)).table()
	if len(many) != 1+maxRunsShown || len(many[0]) != 5 || many[1][0] != "mesh" {
		t.Errorf("of 400 runs: %d lines, the second %v", len(many), many[1])
	}
}

// TestTable: each value stands under its name.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, Join("all", "s", swept())); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, TableFile))
	if err != nil {
		t.Fatal(err)
	}
	if want := "way,peers,lag (s),rounds,hash\nmesh,1000,1000,,mesh\nmesh,10,10,,mesh\npush,1000,1001,7,push\npush,10,11,7,push\n"; string(got) != want {
		t.Errorf("the table is\n%s", got)
	}
}

// TestCompare: reports of other worlds are told apart, and nothing is compared that
// does not mean the same.
func TestCompare(t *testing.T) {
	a, b := sample(), sample()
	b.World, b.Hash = "beacons", "cd"
	b.Facts[1] = Fact{Name: "copies", Value: 3, Unit: "B"}
	b.Facts[0].Value = 0.78
	b.Charts[0].Y.Label = "rate"
	c := Compare([]string{"x", "y"}, []*Result{a, b})
	if diff := cmp.Diff([]Head{{"world", []string{"flood", "beacons"}}}, c.Heads); diff != "" {
		t.Errorf("other heads:\n%s", diff)
	}
	var lines []string
	for _, l := range c.Lines {
		lines = append(lines, l.Name+": "+l.String())
	}
	want := "delivery ratio: 0.52   0.78 (+50.0 %)|copies: 12.5 M   –|copies: –   3 B"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("lines %s\nwant  %s", got, want)
	}
	if c.Verdict() != "different" || Compare([]string{"x", "x"}, []*Result{a, a}).Verdict() != "the same" {
		t.Errorf("the verdict is %s", c.Verdict())
	}
	var names []string
	for _, chart := range c.Result().Charts {
		names = append(names, chart.Name)
		for _, k := range chart.Curves {
			names = append(names, k.Name)
		}
	}
	if got, want := strings.Join(names, "|"), "coverage|x: measured|x: theory & more|rate|x: points|y: points|empty|x: none|y: none|coverage|y: measured|y: theory & more"; got != want {
		t.Errorf("charts %s\nwant   %s", got, want)
	}
	if len(a.Charts[0].Curves) != 2 || a.Charts[0].Curves[0].Name != "measured" {
		t.Error("the reports themselves were changed")
	}
}
