package figure

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Align prints columns: the first to the left, the others to the right.
func Align(w io.Writer, lines [][]string) {
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

// Selected reports whether a name starts with one of those in list, which has
// commas between them; "" selects all.
func Selected(name, list string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return strings.HasPrefix(name, s) })
}
