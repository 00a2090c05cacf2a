package report

import (
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// TableFile has the facts of all runs of a sweep, one line a run.
const TableFile = "sweep.csv"

// Join returns one result for the runs of a sweep: a chart for each fact over each
// parameter that is a number, a curve for each choice of the others.
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
	}
	out.Hash = digest(hashes)
	for i, x := range first.Settings {
		if x.Number == nil || !varies(runs, i) {
			continue
		}
		for _, f := range facts(runs) {
			if c := over(runs, i, f); len(c.Curves) > 0 {
				out.Charts = append(out.Charts, c)
			}
		}
	}
	return out
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
func facts(runs []*Result) (out []Fact) {
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
	key := runs[0].Settings[i].Key
	c := Chart{
		Name: slug(of.Name + " by " + key), Title: of.Name + " by " + key,
		X: Axis{Label: key}, Y: Axis{Label: of.Name, Unit: of.Unit},
	}
	for _, r := range runs {
		at := slices.IndexFunc(r.Facts, of.same)
		if at < 0 || r.Settings[i].Number == nil {
			continue
		}
		f, name := r.Facts[at], others(r.Settings, i)
		c.point(cmp.Or(name, "measured"), *r.Settings[i].Number, f.Value, false)
		if f.Theory != nil {
			c.point(strings.TrimSpace(name+" theory"), *r.Settings[i].Number, *f.Theory, true)
			c.Note = f.Source
		}
	}
	for k := range c.Curves {
		c.Curves[k].sort()
	}
	c.X.Log = c.wide(func(k Curve) []float64 { return k.X })
	c.Y.Log = c.wide(func(k Curve) []float64 { return k.Y })
	return c
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

// others names a run by its settings but the i-th.
func others(all []Setting, i int) string {
	var parts []string
	for k, x := range all {
		if k != i {
			parts = append(parts, x.Key+"="+x.Value)
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

// WriteTable writes the facts of all runs, one line a run; what a run does not have is
// empty.
func WriteTable(dir string, runs []*Result) error {
	return writeFile(filepath.Join(dir, TableFile), func(to io.Writer) error {
		w := csv.NewWriter(to)
		var head []string
		columns := facts(runs)
		if len(runs) > 0 {
			for _, x := range runs[0].Settings {
				head = append(head, x.Key)
			}
			for _, f := range columns {
				head = append(head, Axis{Label: f.Name, Unit: f.Unit}.column())
			}
		}
		errs := []error{w.Write(append(head, "hash"))}
		for _, r := range runs {
			var line []string
			for _, x := range r.Settings {
				line = append(line, x.Value)
			}
			for _, f := range columns {
				cell := ""
				if i := slices.IndexFunc(r.Facts, f.same); i >= 0 {
					cell = number(r.Facts[i].Value)
				}
				line = append(line, cell)
			}
			errs = append(errs, w.Write(append(line, r.Hash)))
		}
		w.Flush()
		return errors.Join(append(errs, w.Error())...)
	})
}
