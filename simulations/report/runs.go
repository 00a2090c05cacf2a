package report

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
)

// TableFile has the facts of several runs, one line a run: of a sweep, or those compared.
const TableFile = "sweep.csv"

// grid is the table of the runs, its head first: settings, facts and hash of each, what a
// run does not have being empty. value writes a number.
func grid(runs []Run, value func(float64) string) [][]string {
	if len(runs) == 0 {
		return nil
	}
	columns := facts(runs)
	var head []string
	for _, x := range runs[0].Settings {
		head = append(head, x.Key)
	}
	for _, f := range columns {
		head = append(head, Axis{Label: f.Name, Unit: f.Unit}.column())
	}
	out := [][]string{append(head, "hash")}
	for _, r := range runs {
		var line []string
		for _, x := range r.Settings {
			line = append(line, x.Value)
		}
		for _, f := range columns {
			cell := ""
			if i := slices.IndexFunc(r.Facts, f.same); i >= 0 {
				cell = value(r.Facts[i].Value)
			}
			line = append(line, cell)
		}
		out = append(out, append(line, r.Hash))
	}
	return out
}

// tableCSV writes the whole table.
func (r *Result) tableCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	return errors.Join(w.WriteAll(grid(r.Runs, number)), w.Error())
}

// Bounds of the table on a page: runs, and letters of a hash.
const maxRunsShown, hashShown = 200, 8

// sideBySide is how many runs stand beside each other, a figure a line, not one below
// the other: that fits a page.
const sideBySide = 4

// table is the table for people, without what is the same in all runs.
func (r *Result) table() [][]string {
	var shown []Run
	for _, run := range r.Runs[:min(len(r.Runs), maxRunsShown)] {
		same := func(f Fact) bool { return slices.ContainsFunc(r.Facts, f.same) }
		run.Facts = slices.DeleteFunc(slices.Clone(run.Facts), same)
		shown = append(shown, run)
	}
	t := grid(shown, Short)
	for i := range t[1:] {
		hash := &t[i+1][len(t[0])-1]
		*hash = (*hash)[:min(len(*hash), hashShown)]
	}
	if len(r.Runs) > sideBySide {
		return t
	}
	turned := make([][]string, len(t[0]))
	for i := range turned {
		for _, line := range t {
			turned[i] = append(turned[i], line[i])
		}
	}
	return turned
}
