package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"short":   Short,
	"seconds": func(d time.Duration) string { return Short(d.Seconds()) + " s" },
	"bytes":   func(b float64) string { return Short(b) + " B" },
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

// drawn is a chart as the page shows it.
type drawn struct {
	*Chart
	SVG template.HTML
}

// page writes the report for people: one file that needs no other.
func (r *Result) page(w io.Writer) error {
	view := struct {
		*Result
		Drawn []drawn
	}{Result: r}
	for i := range r.Charts {
		svg, err := r.Charts[i].svg()
		if err != nil {
			return fmt.Errorf("draw %s: %w", r.Charts[i].Name, err)
		}
		view.Drawn = append(view.Drawn, drawn{&r.Charts[i], template.HTML(trimHead(svg))}) // made here, its text is escaped
	}
	return pageTemplate.Execute(w, view)
}
