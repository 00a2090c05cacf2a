package main

import (
	"errors"
	"image/color"
	"os"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// panel is one of the plots, above one another.
type panel struct {
	title, unit string
	of          func(s sizes) float64
}

var panels = []panel{
	{"Loose heads of a context, mean", "heads", func(s sizes) float64 { return s.Loose }},
	{"Size of a context, mean", "bytes", func(s sizes) float64 { return s.Bytes }},
	{"Length of its token, mean", "characters", func(s sizes) float64 { return s.Token }},
}

// Colours that who is colour-blind can tell apart.
var (
	blue   = color.RGBA{R: 0, G: 114, B: 178, A: 255}
	orange = color.RGBA{R: 213, G: 94, B: 0, A: 255}
)

// drawing writes the curves of a run as SVG.
func drawing(rep *report, name string) (err error) {
	const width, height = 18 * vg.Centimeter, 24 * vg.Centimeter
	canvas := vgsvg.New(width, height)
	plots := make([][]*plot.Plot, len(panels))
	for i, p := range panels {
		drawn, err := p.plot(rep)
		if err != nil {
			return err
		}
		plots[i] = []*plot.Plot{drawn}
	}
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadY: 6 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadRight: 4 * vg.Millimeter}
	for i, c := range plot.Align(plots, tiles, draw.New(canvas)) {
		plots[i][0].Draw(c[0])
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(f)
	return errors.Join(err, f.Close())
}

func (p panel) plot(rep *report) (*plot.Plot, error) {
	out := plot.New()
	out.Title.Text = p.title
	out.X.Label.Text = "memos in the space (thousands)"
	out.Y.Label.Text = p.unit
	out.X.Min, out.Y.Min = 0, 0
	out.X.Tick.Marker, out.Y.Tick.Marker = whole{}, whole{}
	out.Legend.Top = true
	out.Add(plotter.NewGrid())
	for _, curve := range []struct {
		name  string
		color color.Color
		of    func(s sample) sizes
	}{
		{"loose heads alone", orange, func(s sample) sizes { return s.Plain }},
		{"over roots, folded by the default policy", blue, func(s sample) sizes { return s.Folded }},
	} {
		points := make(plotter.XYs, len(rep.Samples))
		for i, s := range rep.Samples {
			points[i] = plotter.XY{X: float64(s.Memos) / 1000, Y: p.of(curve.of(s))}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = curve.color, vg.Points(1.5)
		out.Add(line)
		out.Legend.Add(curve.name, line)
	}
	out.Y.Max *= legendRoom
	return out, nil
}

// legendRoom is how much higher than its curves a plot is.
const legendRoom = 1.35

// whole labels an axis with whole numbers.
type whole struct{ plot.DefaultTicks }

// Ticks implements plot.Ticker.
func (w whole) Ticks(min, max float64) []plot.Tick {
	out := w.DefaultTicks.Ticks(min, max)
	for i := range out {
		if out[i].Label != "" {
			out[i].Label = strconv.FormatFloat(out[i].Value, 'f', 0, 64)
		}
	}
	return out
}
