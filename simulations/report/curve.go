package report

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// What is measured is a solid line with marks, a theory a dashed one without: they are
// told apart in black and white too, by the shapes of marks and of dashes.
var (
	// palette are colours that who is colour-blind can tell apart (Okabe, Ito 2008).
	palette = []color.RGBA{
		{0, 114, 178, 255},
		{213, 94, 0, 255},
		{0, 158, 115, 255},
		{204, 121, 167, 255},
		{86, 180, 233, 255},
		{230, 159, 0, 255},
		{90, 90, 90, 255},
	}
	marks  = []outline{{18, 0}, {4, 0.125}, {3, 0.25}, {4, 0}, {3, -0.25}, {5, 0.25}} // ring, square, triangle and so on
	dashes = [][]vg.Length{
		{vg.Points(6), vg.Points(4)},
		{vg.Points(2), vg.Points(3)},
		{vg.Points(9), vg.Points(3), vg.Points(2), vg.Points(3)},
		{vg.Points(14), vg.Points(5)},
	}
	theoryPaint = color.RGBA{40, 40, 40, 255}
)

// outline is a mark: a polygon of so many corners, the first so many turns from the
// right. It is not filled: marks of equal curves can be seen one inside the other.
type outline struct {
	corners int
	turn    float64
}

// DrawGlyph implements draw.GlyphDrawer.
func (o outline) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	var path vg.Path
	for i := range o.corners {
		sin, cos := math.Sincos(2 * math.Pi * (o.turn + float64(i)/float64(o.corners)))
		corner := at.Add(vg.Point{X: vg.Length(cos), Y: vg.Length(sin)}.Scale(s.Radius))
		if i == 0 {
			path.Move(corner)
		} else {
			path.Line(corner)
		}
	}
	path.Close()
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: vg.Points(1.1)})
	c.Stroke(path)
}

// entry is a line of the legend.
type entry struct {
	name   string
	thumbs []plot.Thumbnailer
}

// addTheory draws the i-th theory.
func (k Curve) addTheory(p *plot.Plot, pts plotter.XYs, i int) (entry, error) {
	l, err := plotter.NewLine(pts)
	if err != nil {
		return entry{}, err
	}
	l.Color, l.Width, l.Dashes = theoryPaint, vg.Points(1.4), dashes[i%len(dashes)]
	p.Add(l)
	return entry{k.Name, []plot.Thumbnailer{l}}, nil
}

// addMeasured draws the i-th curve of those that are measured, of n.
func (k Curve) addMeasured(p *plot.Plot, pts plotter.XYs, i, n int) (entry, error) {
	e := entry{name: k.Name}
	paint := palette[i%len(palette)]
	if !k.Points && len(pts) > 1 {
		l, err := plotter.NewLine(pts)
		if err != nil {
			return e, err
		}
		l.Color, l.Width = paint, vg.Points(1.6)
		p.Add(l)
		e.thumbs = append(e.thumbs, l)
		if pts = marked(pts, i, n); len(pts) == 0 {
			return e, nil
		}
	}
	s, err := plotter.NewScatter(pts)
	if err != nil {
		return e, err
	}
	s.Color, s.Shape, s.Radius = paint, marks[i%len(marks)], vg.Points(3.4)
	p.Add(s)
	e.thumbs = append(e.thumbs, s)
	return e, nil
}

// Points of a curve that have marks: all of up to allMarked, some of more.
const allMarked, someMarked = 25, 7

// marked are the points of the i-th curve of n that have a mark: those of several dense
// curves lie apart, and a lone dense curve needs none.
func marked(pts plotter.XYs, i, n int) plotter.XYs {
	if len(pts) <= allMarked {
		return pts
	}
	if n == 1 {
		return nil
	}
	var out plotter.XYs
	for k := range someMarked {
		out = append(out, pts[(k*n+i)*len(pts)/(someMarked*n)])
	}
	return out
}
