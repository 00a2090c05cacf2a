package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a chart: two of them on a printed page.
const chartWidth, chartHeight = 17 * vg.Centimeter, 9.5 * vg.Centimeter

// palette are colours that who is colour-blind can tell apart (Okabe, Ito 2008).
var palette = []color.RGBA{
	{0, 114, 178, 255},
	{213, 94, 0, 255},
	{0, 158, 115, 255},
	{204, 121, 167, 255},
	{86, 180, 233, 255},
	{230, 159, 0, 255},
	{90, 90, 90, 255},
}

// svg draws a chart.
func (c *Chart) svg() ([]byte, error) {
	p := plot.New()
	p.Title.Text = c.Title
	p.Title.Padding = vg.Points(6)
	for _, f := range []struct {
		font *font.Font
		size vg.Length
	}{
		{&p.Title.TextStyle.Font, 13},
		{&p.X.Label.TextStyle.Font, 11},
		{&p.Y.Label.TextStyle.Font, 11},
		{&p.X.Tick.Label.Font, 10},
		{&p.Y.Tick.Label.Font, 10},
		{&p.Legend.TextStyle.Font, 10},
	} {
		f.font.Variant, f.font.Size = "Sans", f.size
	}
	p.X.Label.Text, p.Y.Label.Text = c.X.column(), c.Y.column()
	p.Legend.Padding = vg.Points(2)
	p.Legend.Left = true // its text goes on to the right, however wide the reader's font is
	top, left := c.legendAt()
	if p.Legend.Top = top; !left {
		p.Legend.XOffs = chartWidth / 2
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	solid := 0
	for _, k := range c.Curves {
		pts := thin(c.points(k))
		if len(pts) == 0 {
			continue
		}
		paint := palette[solid%len(palette)]
		if k.Theory {
			paint = color.RGBA{40, 40, 40, 255}
		} else {
			solid++
		}
		if err := k.add(p, pts, paint, len(c.Curves) > 1); err != nil {
			return nil, err
		}
	}
	c.scale(&p.X, c.X)
	c.scale(&p.Y, c.Y)
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.Crop(draw.New(canvas), vg.Points(4), -vg.Points(10), vg.Points(4), -vg.Points(4)))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")), nil
}

// points are those of a curve that its axes can show.
func (c *Chart) points(k Curve) (pts plotter.XYs) {
	for i := range k.X {
		x, y := k.X[i], k.Y[i]
		if bad(x, c.X.Log) || bad(y, c.Y.Log) {
			continue
		}
		pts = append(pts, plotter.XY{X: x, Y: y})
	}
	return pts
}

func bad(v float64, log bool) bool { return !finite(v) || log && v <= 0 }

// maxPoints bounds the points of a curve on a page: more than a printer can show. CSV
// files have all of them.
const maxPoints = 2000

// thin leaves of many points the lowest and the highest of each stretch, in their
// order: what stands out is still there.
func thin(pts plotter.XYs) plotter.XYs {
	if len(pts) <= maxPoints {
		return pts
	}
	out := make(plotter.XYs, 0, maxPoints)
	const stretches = maxPoints / 2
	for i := range stretches {
		part := pts[i*len(pts)/stretches : (i+1)*len(pts)/stretches]
		lo, hi := 0, 0
		for k, p := range part {
			if p.Y < part[lo].Y {
				lo = k
			}
			if p.Y >= part[hi].Y {
				hi = k
			}
		}
		out = append(out, part[min(lo, hi)], part[max(lo, hi)])
	}
	return out
}

// add draws a curve, with its name where there are others: a theory dashed, lone
// points as dots.
func (k Curve) add(p *plot.Plot, pts plotter.XYs, paint color.Color, named bool) error {
	if k.Points || len(pts) == 1 {
		s, err := plotter.NewScatter(pts)
		if err != nil {
			return err
		}
		s.Color, s.Shape, s.Radius = paint, draw.CircleGlyph{}, vg.Points(2.5)
		p.Add(s)
		if named {
			p.Legend.Add(k.Name, s)
		}
		return nil
	}
	l, err := plotter.NewLine(pts)
	if err != nil {
		return err
	}
	l.Color, l.Width = paint, vg.Points(1.7)
	if k.Theory {
		l.Dashes = []vg.Length{vg.Points(6), vg.Points(4)}
	}
	p.Add(l)
	if named {
		p.Legend.Add(k.Name, l)
	}
	return nil
}

// legendAt puts the legend where the fewest points are.
func (c *Chart) legendAt() (top, left bool) {
	var n [2][2]int
	box := func(log bool, values func(k Curve) []float64) (lo, hi float64) {
		lo, hi = math.Inf(1), math.Inf(-1)
		for _, k := range c.Curves {
			for _, v := range values(k) {
				if !bad(v, log) {
					lo, hi = min(lo, v), max(hi, v)
				}
			}
		}
		return lo, hi
	}
	x0, x1 := box(c.X.Log, func(k Curve) []float64 { return k.X })
	y0, y1 := box(c.Y.Log, func(k Curve) []float64 { return k.Y })
	half := func(v, lo, hi float64, log bool) int {
		mid := (lo + hi) / 2
		if log {
			mid = math.Sqrt(lo * hi)
		}
		if v > mid {
			return 1
		}
		return 0
	}
	for _, k := range c.Curves {
		for _, p := range c.points(k) {
			n[half(p.Y, y0, y1, c.Y.Log)][half(p.X, x0, x1, c.X.Log)]++
		}
	}
	best := n[1][1] // at the top right, unless elsewhere is emptier
	top, left = true, false
	for _, at := range []struct{ y, x int }{{1, 0}, {0, 1}, {0, 0}} {
		if n[at.y][at.x] < best {
			best, top, left = n[at.y][at.x], at.y == 1, at.x == 0
		}
	}
	return top, left
}

// scale sets the range and the ticks of an axis.
func (c *Chart) scale(a *plot.Axis, of Axis) {
	if a.Min > a.Max { // there are no points
		a.Min, a.Max = 1, 10
	}
	if of.Log {
		lo, hi := math.Floor(math.Log10(a.Min)), math.Ceil(math.Log10(a.Max))
		a.Min, a.Max = math.Pow(10, lo), math.Pow(10, max(hi, lo+1))
		a.Scale, a.Tick.Marker = plot.LogScale{}, ticker{plot.LogTicks{Prec: -1}}
		return
	}
	if a.Min == a.Max {
		a.Min, a.Max = a.Min-0.5-math.Abs(a.Min)/1e3, a.Max+0.5+math.Abs(a.Max)/1e3
	}
	if a.Min > 0 && a.Min < a.Max/2 {
		a.Min = 0
	}
	if a.Max > 0 {
		a.Max *= 1.05
	}
	a.Tick.Marker = ticker{even{}}
}

// even has ticks at round numbers, some seven of them.
type even struct{}

// Ticks implements plot.Ticker.
func (even) Ticks(min, max float64) (out []plot.Tick) {
	const wanted = 7
	step := math.Pow(10, math.Floor(math.Log10((max-min)/wanted)))
	for _, f := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 times a power of ten
		if (max-min)/step > wanted {
			step *= f
		}
	}
	first := math.Ceil(min / step)
	for i := range 2 * wanted { // bounded: where floats lie far apart, adding a step may change nothing
		if at := (first + float64(i)) * step; at <= max {
			out = append(out, plot.Tick{Value: at, Label: "-"})
		}
	}
	return out
}

// ticker labels ticks as people write numbers: 10,000 and 2 M, not 1e+06.
type ticker struct{ plot.Ticker }

// Ticks implements plot.Ticker.
func (t ticker) Ticks(min, max float64) []plot.Tick {
	out := t.Ticker.Ticks(min, max)
	for i := range out {
		if out[i].Label != "" {
			out[i].Label = Short(out[i].Value)
		}
	}
	return out
}

// Short writes a number with at most four digits and k, M or G where it is great; what
// is no number is a dash.
func Short(v float64) string {
	if !finite(v) {
		return "–"
	}
	for _, u := range []struct {
		at   float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e4, " k"}} {
		if math.Abs(v) >= u.at {
			unit := u.at
			if u.at == 1e4 {
				unit = 1e3
			}
			return strconv.FormatFloat(round(v/unit), 'f', -1, 64) + u.name
		}
	}
	return strconv.FormatFloat(round(v), 'f', -1, 64)
}

// round leaves four digits.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	s := fmt.Sprintf("%.4g", v)
	r, _ := strconv.ParseFloat(s, 64) // what Sprintf wrote
	return r
}

// trimHead cuts what stands before the svg element: it is part of a page.
func trimHead(svg []byte) []byte {
	if i := bytes.Index(svg, []byte("<svg")); i >= 0 {
		return svg[i:]
	}
	return svg
}
