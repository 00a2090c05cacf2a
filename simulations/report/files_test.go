package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// files returns the files of a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

// TestNoNumbers: a figure that is no number is written and shown, as none.
func TestNoNumbers(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	r := &Result{
		Name: "odd", Facts: []Fact{{Name: "a", Value: nan, Theory: &inf}, {Name: "b", Value: inf}, {Name: "c", Value: 1, Theory: &nan}},
		Charts: []Chart{{Name: "c", Curves: []Curve{{Name: "d", X: []float64{1, 2, 3}, Y: []float64{nan, inf, -inf}}}}},
	}
	dir := t.TempDir()
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if y := got.Charts[0].Curves[0].Y; len(y) != 3 || finite(y[0]) || finite(y[2]) || finite(got.Facts[1].Value) || got.Facts[0].Theory != nil {
		t.Errorf("read again it is %+v", got)
	}
	page := files(t, dir)[PageFile]
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page shows NaN or Inf")
	}
	if _, err := json.Marshal(Compare([]string{"x", "y"}, []*Result{r, got})); err != nil {
		t.Errorf("a comparison: %v", err)
	}
}

// TestEqualFiles: equal results have equal files, but for what the run took.
func TestEqualFiles(t *testing.T) {
	write := func(cost Cost) map[string]string {
		dir, r := t.TempDir(), sample()
		r.Cost = cost
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		return files(t, dir)
	}
	a, b := write(Cost{Wall: time.Second, CPU: 3, Events: 12, Workers: 1, BytesPerPeer: 5}), write(Cost{Wall: 2, CPU: 9, Events: 12, Workers: 2, BytesPerPeer: 6})
	if same := write(Cost{Wall: time.Second, CPU: 3, Events: 12, Workers: 1, BytesPerPeer: 5}); !maps.Equal(a, same) {
		t.Error("the same result, written twice, has other files")
	}
	for name := range a {
		if mayDiffer := name == SummaryFile || name == PageFile; (a[name] != b[name]) != mayDiffer {
			t.Errorf("%s differs: %v, with nothing but another cost", name, a[name] != b[name])
		}
	}
}

// TestFileNames: whatever charts are called, their files are inside the directory, and
// two are two.
func TestFileNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	r := &Result{Charts: []Chart{{Name: "../../a b/C"}, {Name: "same"}, {Name: "same"}, {Name: ""}, {Name: "é"}, {Name: "Same"}}}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	want := []string{"------a-b-c.csv", "-.csv", "chart.csv", "report.html", "same-2.csv", "same-3.csv", "same.csv", "summary.json"}
	if got := slices.Sorted(maps.Keys(files(t, dir))); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("files %q", got)
	}
}

// TestWholeOrNotAtAll: a report that cannot be written whole has no summary, and no
// half of a file.
func TestWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	r := sample()
	r.Sample.Rows = append(r.Sample.Rows, []float64{1})
	if err := Write(dir, r); err == nil || !strings.Contains(err.Error(), "a row of 1 values in a table of 2 columns") {
		t.Errorf("a bad table: %v", err)
	}
	for name := range files(t, dir) {
		if name == SummaryFile || name == SampleFile || strings.HasSuffix(name, ".part") {
			t.Errorf("there is %s", name)
		}
	}
}

// TestScenarioFirst: whatever is not written after it, the scenario tells whose directory
// it is.
func TestScenarioFirst(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, PageFile, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, sample()); err == nil {
		t.Fatal("a page took the place of a directory")
	}
	if got, err := os.ReadFile(filepath.Join(dir, ScenarioFile)); err != nil || string(got) != sample().Scenario {
		t.Errorf("the scenario is %q, %v", got, err)
	}
}

// TestThin: of many points the page has the lowest and the highest, in order.
func TestThin(t *testing.T) {
	c := Chart{Name: "long", Title: "t"}
	k := Curve{Name: "k"}
	for i := range 100_000 {
		k.X, k.Y = append(k.X, float64(i)), append(k.Y, math.Sin(float64(i)))
	}
	k.Y[54_321], k.Y[77_777] = 9, -9
	c.Curves = []Curve{k}
	got := thin(c.points(k))
	if len(got) > maxPoints || len(got) < maxPoints/2 {
		t.Errorf("%d points are left", len(got))
	}
	lo, hi := false, false
	for i, p := range got {
		lo, hi = lo || p.Y == -9, hi || p.Y == 9
		if i > 0 && p.X < got[i-1].X {
			t.Fatalf("point %d is before the one before it", i)
		}
	}
	if !lo || !hi {
		t.Error("what stands out is gone")
	}
	svg, err := c.svg()
	if err != nil || len(svg) > 100_000 {
		t.Errorf("a picture of %d bytes: %v", len(svg), err)
	}
	dir := t.TempDir()
	if err := Write(dir, &Result{Charts: []Chart{c}}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(files(t, dir)["long.csv"], "\n"); n != 100_001 {
		t.Errorf("the CSV file has %d lines", n)
	}
}

// TestAxes: charts of one point, of none, and of numbers that lie too close for floats
// are drawn, with either scale.
func TestAxes(t *testing.T) {
	for _, y := range [][]float64{{}, {0}, {0.2}, {-3, -3}, {1e18, 1e18 + 128}, {1e-300, 1e300}, {5, 5}, {1e6, 1e6}} {
		for _, log := range []bool{false, true} {
			c := Chart{Title: "t", X: Axis{Log: log}, Y: Axis{Log: log}, Curves: []Curve{{Name: "k", X: y, Y: y}}}
			if _, err := c.svg(); err != nil {
				t.Errorf("%v, log %v: %v", y, log, err)
			}
		}
	}
	for span, want := range map[[2]float64]string{{0, 1}: "[0 0.2 0.4 0.6 0.8 1]", {0, 7}: "[0 1 2 3 4 5 6 7]", {90, 140}: "[90 100 110 120 130 140]"} {
		var got []string
		for _, k := range (even{}).Ticks(span[0], span[1]) {
			got = append(got, k.Label)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("ticks of %v are %v, want %s", span, got, want)
		}
	}
}
