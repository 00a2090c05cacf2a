package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lightcone/memo"
	"lightcone/node/api"
)

// table is lines of a name and a text, aligned.
type table struct {
	names, texts []string
}

func (t *table) add(name, text string) {
	t.names, t.texts = append(t.names, name), append(t.texts, text)
}

func (t *table) write(w io.Writer) error {
	width := 0
	for _, n := range t.names {
		width = max(width, utf8.RuneCountInString(n))
	}
	var b strings.Builder
	for i, n := range t.names {
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(n))
		b.WriteString(strings.TrimRight(n+pad+"  "+t.texts[i], " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain shows a name or text on one line, quoted when it would not be one word
// of printable characters as it is.
func plain(s string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.ContainsFunc(s, odd) {
		return strconv.Quote(s)
	}
	return s
}

// show shows a value on one line: text as it is, bytes as 0x….
func show(v memo.Value) string {
	switch v.Kind() {
	case memo.TextValue:
		return plain(v.Text())
	case memo.FloatValue:
		return api.FormatFloat(v.Float())
	default:
		return v.String()
	}
}

// comma writes n with a comma between thousands.
func comma(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// voucherWarning says on stderr whose word an answer is, while its memos are not here.
func (a *app) voucherWarning(peer string, rows int) {
	if peer != "" {
		fmt.Fprintf(a.stderr, "vouched by %s: %d row(s), whose memos are not all here yet\n", peer, rows)
	}
}

// behindWarning says on stderr that an answer is older than asked for.
func (a *app) behindWarning(b *api.Behind) {
	if b == nil {
		return
	}
	holders := "nobody connected is known to have them"
	if len(b.Holders) > 0 {
		holders = "these peers may have them: " + strings.Join(b.Holders, " ")
	}
	fmt.Fprintf(a.stderr, "warning: stale: at least %d memos of the context are not here; %s\n",
		max(b.Lag.Memos, uint64(len(b.Missing))), holders)
}
