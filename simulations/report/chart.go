package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"strings"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a chart without its legend: two of them on a printed page.
const chartWidth, chartHeight = 17 * vg.Centimeter, 9.5 * vg.Centimeter

// How many letters of a chart's words are on a line.
const titleLine, labelLine = 60, 32

// svg draws a chart.
func (c *Chart) svg() ([]byte, error) {
	p := c.frame()
	entries, err := c.addCurves(p)
	if err != nil {
		return nil, err
	}
	c.X.scale(&p.X, false)
	c.Y.scale(&p.Y, true)
	if len(entries) == 1 && !c.Curves[0].Theory {
		entries = nil // the axis says what it is
	}
	legend := layout(entries)
	canvas := vgsvg.New(chartWidth, chartHeight+legend.height())
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	axes := draw.Crop(all, vg.Points(4), -vg.Points(14), vg.Points(4)+legend.height(), -vg.Points(4))
	p.Draw(c.label(axes))
	legend.draw(draw.Crop(all, vg.Points(40), 0, 0, -chartHeight))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return c.named(b.Bytes()), nil
}

// frame is the plot without its curves.
func (c *Chart) frame() *plot.Plot {
	p := plot.New()
	for _, f := range []struct {
		font *font.Font
		size vg.Length
	}{
		{&p.Title.TextStyle.Font, 13},
		{&p.X.Tick.Label.Font, 10},
		{&p.Y.Tick.Label.Font, 10},
	} {
		f.font.Variant, f.font.Size = "Sans", f.size
	}
	p.Title.Text, p.Title.Padding = wrap(c.Title, titleLine), vg.Points(6)
	p.Y.Tick.Label.XAlign = -1.12 // to the left of a tick, with room for a wider font
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	return p
}

// label writes what the axes are into the margins of a canvas, and returns what is left.
// (Labels of the library take room at the wrong place beside a logarithmic axis.)
func (c *Chart) label(all draw.Canvas) draw.Canvas {
	style := plot.New().X.Label.TextStyle
	style.Font.Variant, style.Font.Size = "Sans", 11
	style.XAlign = draw.XCenter
	y := wrap(c.Y.column(), labelLine)
	style.YAlign = draw.YBottom
	all.FillText(style, vg.Point{X: all.Center().X, Y: all.Min.Y}, c.X.column())
	below, beside := style.Height(c.X.column()), style.Height(y)
	style.Rotation, style.YAlign = math.Pi/2, draw.YTop
	all.FillText(style, vg.Point{X: all.Min.X, Y: all.Center().Y}, y)
	return draw.Crop(all, beside+vg.Points(8), 0, below+vg.Points(4), 0)
}

// addCurves draws the curves, theories on top, and returns what the legend says of them.
func (c *Chart) addCurves(p *plot.Plot) (entries []entry, err error) {
	measured := 0
	for _, k := range c.Curves {
		if !k.Theory {
			measured++
		}
	}
	for _, theory := range []bool{false, true} {
		i := 0
		for _, k := range c.Curves {
			pts := thin(c.points(k))
			if k.Theory != theory || len(pts) == 0 {
				continue
			}
			var e entry
			if theory {
				e, err = k.addTheory(p, pts, i)
			} else {
				e, err = k.addMeasured(p, pts, i, measured)
			}
			if err != nil {
				return nil, err
			}
			i++
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// named makes of a file a part of a page: what stands before the svg element is gone,
// and the picture has a name and a description for who does not see it.
func (c *Chart) named(svg []byte) []byte {
	if i := bytes.Index(svg, []byte("<svg")); i >= 0 {
		svg = svg[i:]
	}
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arimo,Arial,Helvetica,sans-serif"))
	head, body, _ := bytes.Cut(svg, []byte(">"))
	words := fmt.Sprintf(" role=\"img\" aria-label=\"%[1]s\">\n<title>%[1]s</title>\n<desc>%[2]s</desc>", html.EscapeString(c.Title), html.EscapeString(c.words()))
	return append(append(bytes.Clone(head), words...), body...)
}

// words say what is drawn.
func (c *Chart) words() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s over %s.", c.Y.column(), c.X.column())
	for _, k := range c.Curves {
		pts := c.points(k)
		if len(pts) == 0 {
			continue
		}
		first, last := pts[0], pts[len(pts)-1]
		fmt.Fprintf(&b, " %s: from %s at %s to %s at %s.", k.Name, Short(first.Y), Short(first.X), Short(last.Y), Short(last.X))
	}
	return b.String()
}

// wrap breaks words into lines of at most n letters, but for longer words.
func wrap(text string, n int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		wide := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+wide > n:
			b.WriteByte('\n')
			at = 0
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += wide
	}
	return b.String()
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
