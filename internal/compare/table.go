package main

import (
	"fmt"
	"io"
	"strings"

	"lightcone/internal/compare/figure"
)

// aims are what Lightcone set itself, unsynced, by case and metric.
var aims = map[[2]string]float64{
	{"single", "written"}:                          3000,
	{"single", "equal after the last write"}:       2,
	{"visible 500/s", "visible elsewhere, p99"}:    20,
	{"visible 500/s", "wire per key and receiver"}: 600,
	{"visible 5/s", "wire per key and receiver"}:   1200,
	{"state", "first answer: a row in the middle"}: 0.5,
	{"state", "first answer: the newest row"}:      0.5,
	{"late", "time for all"}:                       3,
	{"late", "received per key"}:                   300,
}

// printCase prints the results of one case: a line for each metric, a column for
// each side, how much better the first side is than the last, and its aim.
func printCase(w io.Writer, j job, results []result) {
	first, last := results[0], results[len(results)-1]
	fmt.Fprintf(w, "\n%s: %s\n", j.name, j.title)
	head := []string{""}
	for _, r := range results {
		head = append(head, r.Side)
	}
	lines := [][]string{append(head, "ratio", "aim")}
	for _, m := range first.Metrics { // the others have the same, or fewer
		line := []string{strings.TrimSuffix(m.Name+", "+m.Unit, ", ")}
		for _, r := range results {
			text := ""
			if x, ok := r.find(m.Name); ok {
				text = x.String()
			}
			line = append(line, text)
		}
		times, goal := "", ""
		if x, ok := last.find(m.Name); ok && len(results) > 1 {
			times = figure.Ratio(m, x)
		}
		if first.Side == sides[0].name {
			goal = aim(j.name, m)
		}
		lines = append(lines, append(line, times, goal))
	}
	figure.Align(w, lines)
}

func aim(job string, m figure.Metric) string {
	a, ok := aims[[2]string{job, m.Name}]
	if !ok {
		return ""
	}
	sign, met := "≤ ", m.Value <= a
	if m.Better == figure.Higher {
		sign, met = "≥ ", m.Value >= a
	}
	verdict := "missed"
	if met {
		verdict = "met"
	}
	return sign + figure.Metric{Value: a}.String() + " " + verdict
}
