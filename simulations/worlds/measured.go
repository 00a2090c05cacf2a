package worlds

import (
	"math"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file makes facts and charts of what several worlds measure.

// copies are the facts of messages and bytes that any world has.
func copies(e *engine.Engine, s *scenario.Scenario) []report.Fact {
	per := func(c engine.Counter) float64 { return float64(e.Total(c)) / float64(s.Peers) }
	return []report.Fact{
		{Name: "copies of a message", Value: float64(e.Total(mesh.Copies)) / math.Max(1, float64(e.Total(firsts)))},
		{Name: "duplicates", Value: 100 * float64(e.Total(mesh.Duplicates)) / math.Max(1, float64(e.Total(mesh.Copies))), Unit: "%"},
		{Name: "messages sent a peer", Value: per(engine.Sent)},
		{Name: "bytes sent a peer", Value: per(engine.SentBytes), Unit: "B"},
	}
}

// spans are the facts of a distribution of ticks.
func spans(name string, h *engine.Histogram) []report.Fact {
	ms := func(v uint64) float64 { return engine.Time(v).Seconds() * 1e3 }
	return []report.Fact{
		{Name: name + " p50", Value: ms(h.Quantile(0.5)), Unit: "ms"},
		{Name: name + " p99", Value: ms(h.Quantile(0.99)), Unit: "ms"},
		{Name: name + " max", Value: ms(h.Max()), Unit: "ms"},
	}
}

// histogram draws a distribution, its values times scale.
func histogram(name, title, unit string, scale float64, h *engine.Histogram) report.Chart {
	c := report.Curve{Name: "share"}
	for from, n := range h.All {
		c.X = append(c.X, float64(from)*scale)
		c.Y = append(c.Y, float64(n)/float64(h.Count()))
	}
	return report.Chart{Name: name, Title: title, X: report.Axis{Label: name, Unit: unit}, Y: report.Axis{Label: "share"}, Curves: []report.Curve{c}}
}

// cumulative draws the share of a distribution below each value, times scale: of values
// so far apart that buckets differ in width.
func cumulative(name, title, unit string, scale float64, h *engine.Histogram) report.Chart {
	c := histogram(name, title, unit, scale, h)
	c.Y.Label = "share that took less"
	y, sum := c.Curves[0].Y, 0.0
	for i := range y {
		y[i], sum = sum, sum+y[i]
	}
	if len(y) > 0 {
		c.Curves[0].X, c.Curves[0].Y = append(c.Curves[0].X, float64(h.Max())*scale), append(y, 1)
	}
	return c
}

// mean is that of some values, 0 of none.
func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / math.Max(1, float64(len(x)))
}

// smooth is the mean of the last n values at each.
func smooth(x []float64, n int) []float64 {
	out := make([]float64, len(x))
	for i := range x {
		out[i] = mean(x[max(0, i-max(1, n)+1) : i+1])
	}
	return out
}
