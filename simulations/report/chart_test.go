package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// drawnOf returns a chart's picture.
func drawnOf(t *testing.T, c Chart) string {
	t.Helper()
	svg, err := c.svg()
	if err != nil {
		t.Fatal(err)
	}
	return string(svg)
}

// TestBounds: an axis shows its values with some room, zero where that is near, nothing
// above a whole, and a constant not as noise about it.
func TestBounds(t *testing.T) {
	share, percent, count := Axis{Label: "share of the peers"}, Axis{Label: "duplicates", Unit: "%"}, Axis{Label: "pings"}
	for _, c := range []struct {
		of      Axis
		lo, hi  float64
		want    string
		without bool // room
	}{
		{of: share, lo: 0, hi: 1, want: "0 1"},
		{of: share, lo: 0.9, hi: 1, want: "0.895 1"},
		{of: share, lo: 1, hi: 1, want: "0 1"},
		{of: share, lo: 0, hi: 1.2, want: "0 1.26"}, // it is not one
		{of: percent, lo: 30, hi: 100, want: "0 100"},
		{of: percent, lo: 80, hi: 200, want: "0 210"},
		{of: Axis{Label: "delivery ratio"}, lo: 0.2, hi: 0.999, want: "0 1"},
		{of: share, lo: 0, hi: 0.88, want: "0 1"},
		{of: share, lo: 0, hi: 0.8, want: "0 0.84"},
		{of: count, lo: 0, hi: 0, want: "0 1"},
		{of: count, lo: 8, hi: 8, want: "0 10"},
		{of: count, lo: -8, hi: -8, want: "-10 0"},
		{of: count, lo: 90, hi: 100, want: "89.5 100.5"},
		{of: count, lo: 90, hi: 100, want: "90 100", without: true},
		{of: count, lo: -10, hi: 10, want: "-11 11"},
	} {
		lo, hi := c.of.bounds(c.lo, c.hi, !c.without)
		if got := Short(lo) + " " + Short(hi); got != c.want {
			t.Errorf("%s from %v to %v: %s, want %s", c.of.column(), c.lo, c.hi, got, c.want)
		}
	}
}

// TestDecades: a logarithmic axis ends at a step near its values, has few named ticks,
// and each within its bounds.
func TestDecades(t *testing.T) {
	for span, want := range map[[2]float64]string{
		{10, 600}:      "10 1000 [10 20 50 100 200 500 1000]",
		{3, 3}:         "2 5 [2 5]",
		{10, 10}:       "1 100 [1 2 5 10 20 50 100]",
		{0.2, 8}:       "0.2 10 [0.2 0.5 1 2 5 10]",
		{10, 1e6}:      "10 1 M [10 100 1000 10 k 100 k 1 M]",
		{1e-12, 1e12}:  "0.000000000001 1000 G [0.000000000001 0.00000001 0.0001 1 10 k 100 M 1000 G]",
		{1000, 100000}: "1000 100 k [1000 2000 5000 10 k 20 k 50 k 100 k]",
	} {
		lo, hi := logBounds(span[0], span[1])
		var named []string
		for _, tick := range (decades{}).Ticks(lo, hi) {
			if tick.Label != "" {
				named = append(named, tick.Label)
			}
			if tick.Value < lo*0.999 || tick.Value > hi*1.001 {
				t.Errorf("%v: a tick at %v", span, tick.Value)
			}
		}
		if got := fmt.Sprint(Short(lo), " ", Short(hi), " ", named); got != want {
			t.Errorf("%v: %s, want %s", span, got, want)
		}
	}
}

// TestTellApart: no two curves of a chart look the same without their colours.
func TestTellApart(t *testing.T) {
	c := Chart{Title: "t"}
	for i := range len(marks) + len(dashes) {
		c.Curves = append(c.Curves, Curve{Name: fmt.Sprint("curve ", i), X: []float64{0, 1}, Y: []float64{0, float64(i)}, Theory: i >= len(marks)})
	}
	entries, err := c.addCurves(plot.New())
	if err != nil {
		t.Fatal(err)
	}
	var looks []string
	for _, e := range entries {
		look := ""
		for _, thumb := range e.thumbs {
			switch x := thumb.(type) {
			case *plotter.Line:
				look += fmt.Sprint("line ", x.Dashes)
			case *plotter.Scatter:
				look += fmt.Sprint(" mark ", x.Shape)
			}
		}
		if slices.Contains(looks, look) {
			t.Errorf("%s looks like another: %s", e.name, look)
		}
		looks = append(looks, look)
	}
	if len(looks) != len(c.Curves) {
		t.Errorf("%d of %d curves are named", len(looks), len(c.Curves))
	}
}

// TestLegendBelow: the names of curves stand below the axes, each on the picture, however
// many and long.
func TestLegendBelow(t *testing.T) {
	text := regexp.MustCompile(`<text x="([^"]+)" y="-([^"]+)"[^>]*>(name[^<]*)</text>`)
	for _, n := range []int{1, 2, 5, 30} {
		c := Chart{Title: "t", X: Axis{Label: "x"}, Y: Axis{Label: "y"}}
		for i := range n {
			c.Curves = append(c.Curves, Curve{Name: fmt.Sprint("name ", strings.Repeat("w", 3*i)), X: []float64{0, 1, 2}, Y: []float64{0, 1, float64(i)}})
		}
		svg := drawnOf(t, c)
		all := text.FindAllStringSubmatch(svg, -1)
		want := n
		if n == 1 {
			want = 0 // the axis says what it is
		}
		if len(all) != want {
			t.Errorf("%d of %d names are there", len(all), want)
		}
		for _, m := range all {
			x, _ := strconv.ParseFloat(m[1], 64)
			y, _ := strconv.ParseFloat(m[2], 64)
			if below := height(t, svg) - chartHeight.Points(); x < 0 || x > chartWidth.Points() || y < 0 || y > below {
				t.Errorf("%d curves: %q is at %v, %v above the lower edge", n, m[3], x, y)
			}
		}
	}
}

// height is that of a picture, in points.
func height(t *testing.T, svg string) float64 {
	t.Helper()
	m := regexp.MustCompile(`height="([0-9.]+)pt"`).FindStringSubmatch(svg)
	if m == nil {
		t.Fatal("a picture without a height")
	}
	h, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestSpoken: a picture has a name and a description for who does not see it, and its
// words are escaped.
func TestSpoken(t *testing.T) {
	c := sample().Charts[0]
	c.Title = `"a" <b> & c`
	var svg struct {
		Role  string `xml:"role,attr"`
		Label string `xml:"aria-label,attr"`
		Title string `xml:"title"`
		Desc  string `xml:"desc"`
	}
	if err := xml.NewDecoder(strings.NewReader(drawnOf(t, c))).Decode(&svg); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if svg.Role != "img" || svg.Label != c.Title || svg.Title != c.Title {
		t.Errorf("it is called %+v", svg)
	}
	if want := "share over time (s). measured: from 0 at 0 to 1 at 2. theory & more: from 0 at 0 to 1 at 2."; svg.Desc != want {
		t.Errorf("it is described as %q, want %q", svg.Desc, want)
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"one two three":    "one two|three",
		"a verylongword b": "a|verylongword|b",
		"één twee drie":    "één twee|drie",
	} {
		if got := strings.ReplaceAll(wrap(text, 8), "\n", "|"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestPageAlone: a page asks nobody for anything, and has what a reader needs to repeat it.
func TestPageAlone(t *testing.T) {
	sweep := Join("all", "world = \"flood\"\n", swept())
	sweep.Seed = 42
	compared := Compare([]string{"x", "y"}, []*Result{sample(), sample()}).Result()
	single := sample()
	single.Facts = append(single.Facts, Fact{Name: "latency p99", Value: 3, Unit: "ms"})
	against := sample()
	against.Against = "model"
	for name, c := range map[string]struct {
		r    *Result
		want []string
		not  []string
	}{
		"a run":  {single, []string{"lightcone sim run scenario.toml --seed 7", "How to read", "99 of 100", "Off by", "<code>coverage.csv</code>", "<code>ab</code>"}, []string{"The runs", "another seed"}},
		"sweep":  {sweep, []string{"--seed 42", "The runs", "<th>rounds</th>", "<td>1001</td>", "another seed", "prefers-color-scheme: dark", "@media print"}, []string{">off by<", "99 of 100"}},
		"of two": {compared, []string{"lightcone sim compare x y", "The runs", "their result hashes are the same", "Of x, y."}, []string{"scenario.toml", "another seed"}},
		"model":  {against, []string{`<th class="n">model</th>`, "exceeds the model"}, []string{"the theory"}},
	} {
		var b bytes.Buffer
		if err := c.r.page(&b); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		for _, w := range c.want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page lacks %q", name, w)
			}
		}
		for _, w := range append(c.not, "<script", "@import", "url(", "<link", "src=", "href=\"http") {
			if strings.Contains(page, w) {
				t.Errorf("%s: the page has %q", name, w)
			}
		}
	}
}
