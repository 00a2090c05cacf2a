package main

import (
	"fmt"
	"io"
	"slices"

	"lightcone/internal/compare/figure"
)

// printGroup prints a table for each metric of a group: a line for each case, a
// column for each side, and how many times better ours is than the bare calls
// and than the best peer.
func printGroup(w io.Writer, group []line) {
	var names []string
	for _, f := range group {
		if !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	if len(names) > 0 && group[0].Group != "reads" {
		for _, name := range names {
			lines := slices.DeleteFunc(slices.Clone(group), func(f line) bool { return f.Name != name })
			printFigures(w, fmt.Sprintf("%s: %s, %s", lines[0].Group, name, lines[0].Unit), lines,
				func(f line) string { return f.Cell })
		}
		return
	}
	if len(names) > 0 { // one case with many metrics
		printFigures(w, fmt.Sprintf("%s: %s", group[0].Group, group[0].Cell), group,
			func(f line) string { return f.Name + ", " + f.Unit })
	}
}

func printFigures(w io.Writer, title string, figures []line, label func(line) string) {
	cells := map[string]map[string]line{} // by label and side
	var labels []string
	columns := []string{}
	for _, s := range sides {
		if slices.ContainsFunc(figures, func(f line) bool { return f.Side == s.name }) {
			columns = append(columns, s.name)
		}
	}
	for _, f := range figures {
		at := label(f)
		if cells[at] == nil {
			cells[at] = map[string]line{}
			labels = append(labels, at)
		}
		cells[at][f.Side] = f
	}
	lines := [][]string{append(append([]string{""}, columns...), "÷ bare", "÷ best peer")}
	for _, at := range labels {
		line := []string{at}
		for _, side := range columns {
			if f, ok := cells[at][side]; ok {
				line = append(line, f.String())
			} else {
				line = append(line, "none")
			}
		}
		lines = append(lines, append(line, ratios(cells[at])...))
	}
	fmt.Fprintf(w, "\n%s\n", title)
	figure.Align(w, lines)
}

// ratios says how many times better ours is than bare, and than which best peer.
func ratios(of map[string]line) []string {
	mine, ok := of[ours]
	if !ok || mine.Better == 0 {
		return []string{"", ""}
	}
	bare, best, peer := "", "", line{}
	if f, ok := of["bare"]; ok {
		bare = figure.Ratio(mine.Metric, f.Metric)
	}
	for _, s := range sides {
		f, ok := of[s.name]
		if ok && s.peer && (peer.Side == "" || (f.Value-peer.Value)*float64(f.Better) > 0) {
			peer = f
		}
	}
	if peer.Side != "" {
		best = figure.Ratio(mine.Metric, peer.Metric) + " " + peer.Side
	}
	return []string{bare, best}
}
