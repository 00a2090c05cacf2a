package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"
)

func sample() *Result {
	half := 0.5
	return &Result{
		Name: "a <b>", World: "flood", Peers: 1000, Seed: 7, Scenario: "world = \"flood\"\n", Hash: "ab",
		Facts: []Fact{{Name: "delivery ratio", Value: 0.52, Theory: &half, Source: "x = 1 − e^(−fx)"}, {Name: "copies", Value: 1.25e7}},
		Charts: []Chart{
			{
				Name: "coverage", Title: "Who has it", X: Axis{Label: "time", Unit: "s"}, Y: Axis{Label: "share"},
				Curves: []Curve{{Name: "measured", X: []float64{0, 1, 2}, Y: []float64{0, .5, 1}}, {Name: "theory & more", X: []float64{0, 2}, Y: []float64{0, 1}, Theory: true}},
			},
			{
				Name: "rate", Title: "Rates", X: Axis{Label: "peers", Log: true}, Y: Axis{Label: "pings", Unit: "1/s"},
				Curves: []Curve{{Name: "points", X: []float64{0, 10, 1e6}, Y: []float64{1, 2, math.NaN()}, Points: true}},
			},
			{Name: "empty", Title: "Nothing", Curves: []Curve{{Name: "none"}}},
		},
		Steps:  []Steps{{Package: "simulations/mesh", What: "relaying", Events: 12, Model: true}},
		Sample: &Table{Name: "peers", Columns: []string{"peer", "latency_ms"}, Rows: [][]float64{{0, 1.5}, {1, 2.5}}},
	}
}

// TestWrite: all files of a report are there, can be read, and say what the result does.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	want := sample()
	want.Facts = append(want.Facts, Fact{Name: "of nothing", Value: math.NaN()})
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("the summary says otherwise:\n%s", diff)
	}
	csv, err := os.ReadFile(filepath.Join(dir, "coverage.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "curve,time (s),share\nmeasured,0,0\nmeasured,1,0.5\nmeasured,2,1\ntheory & more,0,0\ntheory & more,2,1\n"; string(csv) != want {
		t.Errorf("coverage.csv is\n%s", csv)
	}
	type row struct {
		Peer    float64 `parquet:"peer"`
		Latency float64 `parquet:"latency_ms"`
	}
	rows, err := parquet.ReadFile[row](filepath.Join(dir, SampleFile))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]row{{0, 1.5}, {1, 2.5}}, rows); diff != "" {
		t.Errorf("the samples are others:\n%s", diff)
	}
}

// TestPage: charts are well-formed SVG, whatever the points, and names are escaped.
func TestPage(t *testing.T) {
	r := sample()
	for i := range r.Charts {
		svg, err := r.Charts[i].svg()
		if err != nil {
			t.Fatalf("%s: %v", r.Charts[i].Name, err)
		}
		d := xml.NewDecoder(bytes.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", r.Charts[i].Name, err)
			}
		}
	}
	var b bytes.Buffer
	if err := r.page(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a &lt;b&gt;", "12.5 M", "&#43;4.00 %", "<svg", "model"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.00123456: "0.001235", 9999: "9999", 12345: "12.35 k", 1e6: "1 M", 2.5e9: "2.5 G", -4e6: "-4 M",
	} {
		if got := Short(v); got != want {
			t.Errorf("Short(%v) is %q, want %q", v, got, want)
		}
	}
}

func TestQuantity(t *testing.T) {
	for want, got := range map[string]string{
		"5": Quantity(5, ""), "5 ms": Quantity(5, "ms"), "3.2 MB": Quantity(3.2e6, "B"), "12 kB": Quantity(12e3, "B"),
		"900 B": Quantity(900, "B"), "50 k 1/s": Quantity(5e4, "1/s"), "– B": Quantity(math.NaN(), "B"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
