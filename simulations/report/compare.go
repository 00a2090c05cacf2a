package report

import (
	"fmt"
	"slices"
	"strings"
)

// Comparison is several reports side by side.
type Comparison struct {
	Names []string // of the reports
	Heads []Head   // what they were asked, where that is not the same
	Lines []Line
	Equal bool // all have one result hash
	all   []*Result
}

// Head is something that reports were asked: their world, peers, seed and so on.
type Head struct {
	Name   string
	Values []string // of each report
}

// Line is a figure of all reports.
type Line struct {
	Name   string
	Unit   string
	Values []*float64 // nil: that report has none, or it is no number
}

// Compare puts reports side by side.
func Compare(names []string, all []*Result) *Comparison {
	c := &Comparison{Names: names, Equal: true, all: all}
	for _, h := range []struct {
		name string
		of   func(r *Result) string
	}{
		{"world", func(r *Result) string { return r.World }},
		{"scenario", func(r *Result) string { return r.Name }},
		{"peers", func(r *Result) string { return fmt.Sprint(r.Peers) }},
		{"seed", func(r *Result) string { return fmt.Sprint(r.Seed) }},
		{"virtual time", func(r *Result) string { return r.Until.String() }},
		{"version", func(r *Result) string { return r.Version }},
	} {
		head := Head{Name: h.name}
		for _, r := range all {
			head.Values = append(head.Values, h.of(r))
		}
		if len(slices.Compact(slices.Clone(head.Values))) > 1 {
			c.Heads = append(c.Heads, head)
		}
	}
	for k, r := range all {
		c.Equal = c.Equal && r.Hash == all[0].Hash
		for _, f := range r.Facts {
			i := slices.IndexFunc(c.Lines, func(l Line) bool { return l.Name == f.Name && l.Unit == f.Unit })
			if i < 0 {
				i = len(c.Lines)
				c.Lines = append(c.Lines, Line{Name: f.Name, Unit: f.Unit, Values: make([]*float64, len(all))})
			}
			c.Lines[i].Values[k] = pointer(&f.Value)
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
			parts = append(parts, fmt.Sprintf("%s (%+.1f %%)", Quantity(*v, l.Unit), 100*(*v/(*l.Values[0])-1)))
		default:
			parts = append(parts, Quantity(*v, l.Unit))
		}
	}
	return strings.Join(parts, "   ")
}

// Verdict says whether all went the same way.
func (c *Comparison) Verdict() string {
	if c.Equal {
		return "the same"
	}
	return "different"
}

// Result is a page with the figures of several reports, and their charts: those of one
// name in common axes, if these mean the same.
func (c *Comparison) Result() *Result {
	first := c.all[0]
	out := &Result{
		Name: "Comparison of " + strings.Join(c.Names, ", "), World: first.World, About: "The reports side by side; their result hashes are " + c.Verdict() + ".",
		Version: first.Version, Seed: first.Seed, Until: first.Until, Command: "lightcone sim compare " + strings.Join(c.Names, " ") + " --out DIR",
	}
	for k, r := range c.all {
		run := Run{Settings: []Setting{{Key: "report", Value: c.Names[k]}}, Facts: r.Facts, Hash: r.Hash}
		for _, h := range c.Heads {
			run.Settings = append(run.Settings, Setting{Key: h.Name, Value: h.Values[k]})
			if h.Name == "world" {
				out.World = strings.Join(h.Values, ", ")
			}
		}
		out.Runs = append(out.Runs, run)
		out.Peers = max(out.Peers, r.Peers)
		for _, chart := range r.Charts {
			i := slices.IndexFunc(out.Charts, func(o Chart) bool {
				return o.Name == chart.Name && o.X.column() == chart.X.column() && o.Y.column() == chart.Y.column()
			})
			if i < 0 {
				i = len(out.Charts)
				curves := chart.Curves
				chart.Curves, chart.Note = nil, "Of "+c.Names[k]
				out.Charts = append(out.Charts, chart)
				chart.Curves = curves
			} else {
				out.Charts[i].Note += ", " + c.Names[k]
			}
			for _, curve := range chart.Curves {
				curve.Name = c.Names[k] + ": " + curve.Name
				out.Charts[i].Curves = append(out.Charts[i].Curves, curve)
			}
		}
	}
	for i := range out.Charts {
		out.Charts[i].Note += "."
	}
	return out
}
