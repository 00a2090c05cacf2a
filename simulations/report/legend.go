package report

import (
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The legend is a strip below the axes, where it hides no curve.
const (
	legendFont = 10 // points, as all sizes here
	legendLine = 15
	legendSide = 30 // beside the text of an entry
	// legendChar is the width of a letter. Which font a reader has is not known.
	legendChar = 0.62 * legendFont
)

// strip is a legend, laid out.
type strip struct {
	entries       []entry
	columns, rows int
}

// layout lays a legend out, in as many columns as fit.
func layout(entries []entry) strip {
	if len(entries) == 0 {
		return strip{}
	}
	wide := 1
	for _, e := range entries {
		wide = max(wide, utf8.RuneCountInString(e.name))
	}
	columns := int(float64(chartWidth.Points()) / (legendSide + legendChar*float64(wide)))
	columns = max(1, min(columns, len(entries)))
	rows := (len(entries) + columns - 1) / columns
	return strip{entries, (len(entries) + rows - 1) / rows, rows}
}

// height is that of the strip.
func (s strip) height() vg.Length { return vg.Points(float64(s.rows * legendLine)) }

// draw draws the legend into a canvas of its height.
func (s strip) draw(c draw.Canvas) {
	for k := range s.columns {
		l := plot.NewLegend()
		l.TextStyle.Font.Variant, l.TextStyle.Font.Size = "Sans", legendFont
		l.Top, l.Left, l.ThumbnailWidth = true, true, vg.Points(24)
		l.Padding = vg.Points(legendLine) - l.TextStyle.Rectangle("x").Max.Y
		for _, e := range s.entries[k*s.rows : min((k+1)*s.rows, len(s.entries))] {
			l.Add(e.name, e.thumbs...)
		}
		column := c
		column.Min.X += c.Size().X * vg.Length(k) / vg.Length(s.columns)
		l.Draw(column)
	}
}
