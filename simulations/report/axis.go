package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// scale sets the range of an axis about its values, and its ticks. room leaves some
// beyond the greatest and below the least.
func (a Axis) scale(p *plot.Axis, room bool) {
	if p.Min > p.Max { // there are no points
		p.Min, p.Max = 1, 10
	}
	if a.Log {
		p.Min, p.Max = logBounds(p.Min, p.Max)
		p.Scale, p.Tick.Marker = plot.LogScale{}, decades{}
		return
	}
	p.Min, p.Max = a.bounds(p.Min, p.Max, room)
	p.Tick.Marker = even{}
}

// The share of its length that a linear axis has beyond the values.
const beyond = 0.05

// bounds are those of a linear axis for values from lo to hi: zero is on it where that
// costs less than half of it, and where there is one value only. A share ends at 1.
func (a Axis) bounds(lo, hi float64, room bool) (low, high float64) {
	low, high = lo, hi
	switch {
	case lo == 0 && hi == 0:
		return 0, 1
	case lo == hi:
		low, high = min(0, 1.25*lo), max(0, 1.25*hi)
	case lo > 0 && lo < hi/2:
		low = 0
	}
	if room && lo != hi {
		more := beyond * (high - low)
		high += more
		if lo < 0 {
			low -= more
		} else {
			low = max(0, low-more)
		}
	}
	if whole := a.whole(); hi <= whole && (high > whole || low == 0 && high > 0.9*whole) {
		high = whole
	}
	return low, high
}

// whole is what no value of a share exceeds, but that of a percentage of something else.
func (a Axis) whole() float64 {
	switch {
	case a.Unit == "%":
		return 100
	case a.Unit == "" && (strings.Contains(a.Label, "share") || strings.Contains(a.Label, "ratio")):
		return 1
	}
	return math.Inf(1)
}

// steps are where ticks with a number are on a logarithmic axis, in a decade.
var steps = []float64{1, 2, 5, 10}

// logBounds are the bounds of a logarithmic axis: the next steps outside lo and hi.
func logBounds(lo, hi float64) (low, high float64) {
	at, up := math.Pow(10, math.Floor(math.Log10(lo))), math.Pow(10, math.Floor(math.Log10(hi)))
	low, high = at, 10*up
	for _, s := range steps {
		if s*at <= lo {
			low = s * at
		}
		if s*up >= hi {
			high = min(high, s*up)
		}
	}
	if low == high {
		low, high = low/10, high*10
	}
	return low, high
}

// wantedTicks is how many ticks with a number an axis has, about.
const wantedTicks = 7

// even has ticks at round numbers.
type even struct{}

// Ticks implements plot.Ticker.
func (even) Ticks(lo, hi float64) (out []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/wantedTicks)))
	for _, f := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 times a power of ten
		if (hi-lo)/step > wantedTicks {
			step *= f
		}
	}
	first := math.Ceil(lo / step)
	for i := range 2 * wantedTicks { // bounded: where floats lie far apart, adding a step may change nothing
		if at := (first + float64(i)) * step; at <= hi {
			out = append(out, plot.Tick{Value: at, Label: Short(at)})
		}
	}
	return out
}

// decades has ticks at powers of ten, with what is between them where these are few.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(lo, hi float64) (out []plot.Tick) {
	first, last := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	every := math.Ceil((last - first) / wantedTicks)
	few := math.Log10(hi/lo) <= 2.5
	for d := first; d <= last; d++ {
		for s := 1.0; s < 10; s++ {
			t := plot.Tick{Value: s * math.Pow(10, d)}
			if t.Value < lo*(1-1e-9) || t.Value > hi*(1+1e-9) { // a power may be off by a bit
				continue
			}
			named := s == 1 && math.Mod(d-first, every) == 0 || few && (s == 2 || s == 5)
			if named {
				t.Label = Short(t.Value)
			}
			if named || every == 1 {
				out = append(out, t)
			}
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

// Quantity writes a number as Short does, and its unit: 5 ms, 3.2 MB.
func Quantity(v float64, unit string) string {
	text := Short(v)
	if unit == "" {
		return text
	}
	if last := text[len(text)-1]; unit == "B" && (last == 'k' || last == 'M' || last == 'G') {
		return text + unit
	}
	return text + " " + unit
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
