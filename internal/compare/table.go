package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// aims are what Lightcone set itself, unsynced, by case and metric.
var aims = map[[2]string]float64{
	{"single", "written"}:                          3000,
	{"single", "equal after the last write"}:       2,
	{"visible 500/s", "visible elsewhere, p99"}:    20,
	{"visible 500/s", "wire per key and receiver"}: 600,
	{"visible 5/s", "wire per key and receiver"}:   1200,
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
			times = ratio(m, x)
		}
		if first.Side == sides[0].name {
			goal = aim(j.name, m)
		}
		lines = append(lines, append(line, times, goal))
	}
	align(w, lines)
}

// align prints columns: the first to the left, the others to the right.
func align(w io.Writer, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, s := range line {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	for _, line := range lines {
		out := fmt.Sprintf("%-*s", width[0], line[0])
		for i, s := range line[1:] {
			out += fmt.Sprintf("   %*s", width[i+1], s)
		}
		fmt.Fprintln(w, strings.TrimRight(out, " "))
	}
}

// String formats a value with three or more significant digits.
func (m metric) String() string {
	digits := 0
	if v := math.Abs(m.Value); v < 100 && v != math.Trunc(v) {
		digits = 2 - max(0, int(math.Floor(math.Log10(v))))
	}
	return m.Bound + thousands(fmt.Sprintf("%.*f", digits, m.Value))
}

func thousands(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

// ratio says how many times better a is than b.
func ratio(a, b metric) string {
	v := a.Value / b.Value
	if a.Better == lower {
		v = b.Value / a.Value
	}
	if a.Better == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return b.Bound + metric{Value: v}.String() + "×"
}

func aim(job string, m metric) string {
	a, ok := aims[[2]string{job, m.Name}]
	if !ok {
		return ""
	}
	sign, met := "≤ ", m.Value <= a
	if m.Better == higher {
		sign, met = "≥ ", m.Value >= a
	}
	verdict := "missed"
	if met {
		verdict = "met"
	}
	return sign + metric{Value: a}.String() + " " + verdict
}
