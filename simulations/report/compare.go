package report

import (
	"fmt"
	"slices"
	"strings"
)

// Comparison is several reports side by side.
type Comparison struct {
	Names []string // of the reports
	Lines []Line
	Equal bool // all have one result hash
	all   []*Result
}

// Line is a figure of all reports.
type Line struct {
	Name   string
	Unit   string
	Values []*float64 // nil: that report has none
}

// Compare puts reports side by side.
func Compare(names []string, all []*Result) *Comparison {
	c := &Comparison{Names: names, Equal: true, all: all}
	for k, r := range all {
		c.Equal = c.Equal && r.Hash == all[0].Hash
		for _, f := range r.Facts {
			i := slices.IndexFunc(c.Lines, func(l Line) bool { return l.Name == f.Name })
			if i < 0 {
				i = len(c.Lines)
				c.Lines = append(c.Lines, Line{Name: f.Name, Unit: f.Unit, Values: make([]*float64, len(all))})
			}
			c.Lines[i].Values[k] = &f.Value
		}
	}
	return c
}

// String is the line without its name: each value, and by how much it is off the first.
func (l Line) String() string {
	var parts []string
	for i, v := range l.Values {
		switch {
		case v == nil:
			parts = append(parts, "–")
		case i > 0 && l.Values[0] != nil && *l.Values[0] != 0:
			parts = append(parts, fmt.Sprintf("%s (%+.1f %%)", Short(*v), 100*(*v/(*l.Values[0])-1)))
		default:
			parts = append(parts, Short(*v))
		}
	}
	return strings.TrimSpace(strings.Join(parts, "   ") + " " + l.Unit)
}

// Verdict says whether all went the same way.
func (c *Comparison) Verdict() string {
	if c.Equal {
		return "the same"
	}
	return "different"
}

// Result is a page with the charts that several reports have, in common axes.
func (c *Comparison) Result() *Result {
	out := &Result{Name: "Comparison of " + strings.Join(c.Names, ", "), World: c.all[0].World, Until: c.all[0].Until}
	for k, r := range c.all {
		out.Peers = max(out.Peers, r.Peers)
		for _, chart := range r.Charts {
			i := slices.IndexFunc(out.Charts, func(o Chart) bool { return o.Name == chart.Name })
			if i < 0 {
				i = len(out.Charts)
				curves := chart.Curves
				chart.Curves = nil
				out.Charts = append(out.Charts, chart)
				chart.Curves = curves
			}
			for _, curve := range chart.Curves {
				curve.Name = c.Names[k] + ": " + curve.Name
				out.Charts[i].Curves = append(out.Charts[i].Curves, curve)
			}
		}
	}
	return out
}
