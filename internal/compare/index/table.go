package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"lightcone/internal/compare/figure"
)

// aimKeys is the size of the trees that the aims are for.
const aimKeys = 1_000_000

// aims are what Lightcone set itself, by case and metric.
var aims = map[[2]string]float64{
	{"update 10000 scattered", "keys"}: 40_000,
	{"update 10000 clustered", "keys"}: 400_000,
	{"reads", "path bytes, mean"}:      9_000,
	{"merge 1000", "time"}:             150,
}

// printCase prints a line for each metric of a case, a column for each side that
// has it, how many times better the first side is than the second, and its aim.
func printCase(w io.Writer, c *workload, figures []line, keys int) {
	var names, columns []string
	of := map[[2]string]line{}
	for _, f := range figures {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
		if !slices.Contains(columns, f.Side) {
			columns = append(columns, f.Side)
		}
		of[[2]string{f.Name, f.Side}] = f
	}
	fmt.Fprintf(w, "\n%s: %s\n", c.name, c.title)
	slices.SortFunc(columns, func(a, b string) int { return order(a) - order(b) })
	lines := [][]string{append(append([]string{""}, columns...), "ratio", "aim")}
	for _, name := range names {
		text := []string{""}
		for _, side := range columns {
			f, ok := of[[2]string{name, side}]
			if ok {
				text[0] = strings.TrimSuffix(f.Name+", "+f.Unit, ", ")
				text = append(text, f.String())
			} else {
				text = append(text, "none")
			}
		}
		first, second := of[[2]string{name, sides[0].name}], of[[2]string{name, sides[1].name}]
		lines = append(lines, append(text, ratio(first, second), aim(first, keys)))
	}
	figure.Align(w, lines)
}

// order is the column of a side.
func order(name string) int {
	return slices.IndexFunc(sides, func(s side) bool { return s.name == name })
}

func ratio(first, second line) string {
	if first.Side == "" || second.Side == "" || first.Value == second.Value {
		return ""
	}
	return figure.Ratio(first.Metric, second.Metric)
}

func aim(f line, keys int) string {
	a, ok := aims[[2]string{f.Case, f.Name}]
	if !ok {
		return ""
	}
	sign, met := "≤ ", f.Value <= a
	if f.Better == figure.Higher {
		sign, met = "≥ ", f.Value >= a
	}
	goal := sign + figure.Metric{Value: a}.String()
	switch {
	case keys < aimKeys:
		return goal + " at " + figure.Metric{Value: aimKeys}.String()
	case met:
		return goal + " met"
	}
	return goal + " missed"
}
