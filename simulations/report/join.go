package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Join returns one result for the runs of a sweep: a chart for each fact over each
// parameter that is a number, a curve for each choice of the others. Of what is the same
// in all runs there is no chart, it is a fact of the sweep.
func Join(name, scenario string, runs []*Result) *Result {
	out := &Result{Name: name, Scenario: scenario}
	if len(runs) == 0 {
		return out
	}
	first := runs[0]
	out.World, out.About, out.Version, out.Seed, out.Until = first.World, first.About, first.Version, first.Seed, first.Until
	out.Model = first.Model
	var hashes []string
	for _, r := range runs {
		out.Peers = max(out.Peers, r.Peers)
		out.Cost.Wall += r.Cost.Wall
		out.Cost.CPU += r.Cost.CPU
		out.Cost.Events += r.Cost.Events
		out.Cost.Workers = max(out.Cost.Workers, r.Cost.Workers)
		if r.Peers == out.Peers { // of few peers the heap is mostly what a simulation needs at all
			out.Cost.BytesPerPeer = r.Cost.BytesPerPeer
		}
		out.addSteps(r.Steps)
		hashes = append(hashes, r.Hash)
		out.Runs = append(out.Runs, Run{r.Settings, r.Facts, r.Hash})
	}
	out.Hash = digest(hashes)
	var differ []Fact
	for _, f := range facts(out.Runs) {
		if len(runs) > 1 && everywhere(runs, f) {
			out.Facts = append(out.Facts, f)
		} else {
			differ = append(differ, f)
		}
	}
	for i, x := range first.Settings {
		if x.Number == nil || !varies(runs, i) {
			continue
		}
		for _, f := range differ {
			if c := over(runs, i, f); len(c.Curves) > 0 {
				out.Charts = append(out.Charts, c)
			}
		}
	}
	return out
}

// everywhere reports whether all runs have a fact, with one value and theory.
func everywhere(runs []*Result, f Fact) bool {
	for _, r := range runs {
		i := slices.IndexFunc(r.Facts, f.same)
		if i < 0 || r.Facts[i].Value != f.Value {
			return false
		}
		if a, b := r.Facts[i].Theory, f.Theory; (a == nil) != (b == nil) || a != nil && *a != *b {
			return false
		}
	}
	return true
}

// addSteps counts the events of another run, by whose code handled them.
func (r *Result) addSteps(more []Steps) {
	for _, x := range more {
		i := slices.IndexFunc(r.Steps, func(s Steps) bool { return s.Package == x.Package && s.What == x.What && s.Model == x.Model })
		if i < 0 {
			r.Steps = append(r.Steps, x)
		} else {
			r.Steps[i].Events += x.Events
		}
	}
}

// facts are those that any of the runs has, each as the first has it.
func facts(runs []Run) (out []Fact) {
	for _, r := range runs {
		for _, f := range r.Facts {
			if !slices.ContainsFunc(out, f.same) {
				out = append(out, f)
			}
		}
	}
	return out
}

// same reports whether another fact is of the same thing.
func (f Fact) same(o Fact) bool { return f.Name == o.Name && f.Unit == o.Unit }

// varies reports whether the i-th setting of the runs takes several values.
func varies(runs []*Result, i int) bool {
	return slices.ContainsFunc(runs, func(r *Result) bool { return r.Settings[i].Value != runs[0].Settings[i].Value })
}

// over draws a fact over the i-th setting.
func over(runs []*Result, i int, of Fact) Chart {
	x := runs[0].Settings[i]
	c := Chart{
		Name: slug(of.Name + " by " + x.Key), Title: of.Name + " by " + x.Key,
		X: Axis{Label: x.Key, Unit: x.Unit}, Y: Axis{Label: of.Name, Unit: of.Unit},
	}
	var theories Chart
	for _, r := range runs {
		at := slices.IndexFunc(r.Facts, of.same)
		if at < 0 || r.Settings[i].Number == nil {
			continue
		}
		f, name := r.Facts[at], others(r.Settings, i)
		c.point(cmp.Or(name, "measured"), *r.Settings[i].Number, f.Value, false)
		if f.Theory != nil {
			theories.point(name, *r.Settings[i].Number, *f.Theory, true)
			if !strings.Contains(c.Note, f.Source) {
				c.Note = strings.TrimPrefix(c.Note+"; "+f.Source, "; ")
			}
		}
	}
	for k := range c.Curves {
		c.Curves[k].sort()
	}
	if c.Note != "" {
		c.Note = "Theory: " + c.Note + "."
	}
	c.Curves = append(c.Curves, theories.alike()...)
	c.X.Log = c.wide(func(k Curve) []float64 { return k.X })
	c.Y.Log = c.wide(func(k Curve) []float64 { return k.Y })
	return c
}

// alike returns the curves, theories of one name each, those with the same points as one:
// what is the same for all runs is said once.
func (c *Chart) alike() (out []Curve) {
	for _, k := range c.Curves {
		k.sort()
		i := slices.IndexFunc(out, func(o Curve) bool { return slices.Equal(o.X, k.X) && slices.Equal(o.Y, k.Y) })
		if i < 0 {
			out = append(out, k)
		} else {
			out[i].Name += ", " + k.Name
		}
	}
	for i := range out {
		if len(out) == 1 {
			out[i].Name = ""
		}
		out[i].Name = strings.TrimSpace(out[i].Name + " theory")
	}
	return out
}

// wide reports whether values of the curves differ so much that only a logarithmic axis
// shows the small ones.
func (c *Chart) wide(values func(k Curve) []float64) bool {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, k := range c.Curves {
		for _, v := range values(k) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return lo > 0 && hi/lo >= 50
}

// point adds a point to the curve of that name.
func (c *Chart) point(name string, x, y float64, theory bool) {
	i := slices.IndexFunc(c.Curves, func(k Curve) bool { return k.Name == name })
	if i < 0 {
		i = len(c.Curves)
		c.Curves = append(c.Curves, Curve{Name: name, Theory: theory})
	}
	c.Curves[i].X, c.Curves[i].Y = append(c.Curves[i].X, x), append(c.Curves[i].Y, y)
}

// sort puts the points in order of x.
func (k *Curve) sort() {
	at := make([]int, len(k.X))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(k.X[a], k.X[b]) })
	x, y := make([]float64, len(at)), make([]float64, len(at))
	for i, j := range at {
		x[i], y[i] = k.X[j], k.Y[j]
	}
	k.X, k.Y = x, y
}

// others names a run by its settings but the i-th, these by what follows the last dot.
func others(all []Setting, i int) string {
	var parts []string
	for k, x := range all {
		if k != i {
			parts = append(parts, x.Key[strings.LastIndexByte(x.Key, '.')+1:]+"="+x.Value)
		}
	}
	return strings.Join(parts, " ")
}

// slug makes a file's name of words.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
}
