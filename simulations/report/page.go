package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"measure": Quantity,
	"theory":  func(v *float64, unit string) string { return Quantity(*v, unit) },
	"seconds": func(d time.Duration) string { return Quantity(d.Seconds(), "s") },
	"bytes":   func(b float64) string { return Quantity(b, "B") },
	"peers":   func(n int) string { return Short(float64(n)) },
	"rate":    func(c Cost) string { return Short(c.Rate()) },
	"off": func(f Fact) string {
		if *f.Theory == 0 || !finite(f.Value) || !finite(*f.Theory) {
			return ""
		}
		return fmt.Sprintf("%+.2f %%", 100*(f.Value-*f.Theory)/(*f.Theory))
	},
	"count": func(n uint64) string { return Short(float64(n)) },
}).Parse(pageText))

// view is a result as the page shows it.
type view struct {
	*Result
	Drawn   []drawn
	Theory  string     // what the facts are held against; "": nothing
	Table   [][]string // of the runs, its first line the head
	Left    int        // runs that are not in it
	Guide   string     // how to read all this
	Command string     // that makes it again
}

// drawn is a chart as the page shows it.
type drawn struct {
	*Chart
	SVG  template.HTML
	File string // with its points
}

// page writes the report for people: one file that needs no other.
func (r *Result) page(w io.Writer) error {
	v := view{Result: r, Guide: r.guide(), Command: r.Command}
	files := r.chartFiles()
	for i := range r.Charts {
		svg, err := r.Charts[i].svg()
		if err != nil {
			return fmt.Errorf("draw %s: %w", r.Charts[i].Name, err)
		}
		v.Drawn = append(v.Drawn, drawn{&r.Charts[i], template.HTML(svg), files[i]}) // made here, its text is escaped
	}
	if slices.ContainsFunc(r.Facts, func(f Fact) bool { return f.Theory != nil }) {
		v.Theory = cmp.Or(r.Against, "theory")
	}
	if len(r.Runs) > 0 {
		v.Table, v.Left = r.table(), max(0, len(r.Runs)-maxRunsShown)
	}
	if r.Scenario != "" {
		v.Command = fmt.Sprintf("lightcone sim run %s --seed %d --out DIR", ScenarioFile, r.Seed)
	}
	return pageTemplate.Execute(w, v)
}

// guide is how to read a report, in a paragraph.
func (r *Result) guide() string {
	say := []string{"Numbers have at most four digits; k, M and G are thousands, millions and thousands of millions. Time is virtual, that of the simulated peers. Not every axis begins at zero."}
	against := cmp.Or(r.Against, "theory")
	dashed := slices.ContainsFunc(r.Charts, func(c Chart) bool {
		return slices.ContainsFunc(c.Curves, func(k Curve) bool { return k.Theory })
	})
	held := slices.ContainsFunc(r.Facts, func(f Fact) bool { return f.Theory != nil })
	if held {
		say = append(say, fmt.Sprintf("“Off by” is by how much what was measured exceeds the %s.", against))
	}
	if dashed {
		say = append(say, fmt.Sprintf("In charts solid lines are measured and dashed ones are the %s, or a bound that is named.", against))
	}
	all := r.Facts
	if len(r.Runs) > 0 {
		all = facts(r.Runs)
	}
	if slices.ContainsFunc(all, func(f Fact) bool { return strings.HasSuffix(f.Name, " p99") }) {
		say = append(say, "Half of all took at most p50, and 99 of 100 at most p99.")
	}
	if len(r.Runs) > 0 && r.Scenario != "" {
		say = append(say, "A point of a chart is one run with one seed, so a small difference may be chance: another seed shows whether it is. "+
			"A figure that is the same in all runs has no chart.")
	}
	if len(r.Steps) > 0 {
		say = append(say, "“What ran” tells what is the product's own code here and what only a model of something.")
	}
	return strings.Join(append(say, "The points of each chart are in the file named below it."), " ")
}
