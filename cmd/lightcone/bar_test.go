package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"lightcone/simulations/worlds"
)

// TestBarWords: a bar says how far something is, how long it still takes and how fast it
// is, all from its first report on, and as much of it as there is room for.
func TestBarWords(t *testing.T) {
	at := func(done int64, count uint64) reached {
		return reached{done: done, total: 400, what: "words", count: count, unit: "events", more: []string{"2 MB"}}
	}
	unknown := reached{done: 300, total: unknownTotal, what: "300 rows", count: 300, unit: "rows"}
	for want, got := range map[string]string{
		"words, 10s left, 8000 events/s, 2 MB": barWords(60, at(100, 1000), at(200, 41_000), 5*time.Second),
		"words, 10s left, 8000 events/s":       barWords(35, at(100, 1000), at(200, 41_000), 5*time.Second),
		"words, 10s left":                      barWords(29, at(100, 1000), at(200, 41_000), 5*time.Second),
		"words":                                barWords(14, at(100, 1000), at(200, 41_000), 5*time.Second),
		"":                                     barWords(4, at(100, 1000), at(200, 41_000), 5*time.Second),
		"words, 2 MB":                          barWords(60, at(100, 1000), at(100, 1000), 0),
		"words, 0s left, 2000 events/s, 2 MB":  barWords(60, at(100, 0), at(400, 2000), time.Second),
		"300 rows, 30 rows/s":                  barWords(60, reached{total: unknownTotal}, unknown, 10*time.Second),
	} {
		if got != want {
			t.Errorf("a bar says %q, want %q", got, want)
		}
	}
}

// ansi is the control sequence at the end of a line.
var ansi = regexp.MustCompile(`\x1b\[0K`)

// TestBarFits: however much there is to say, no line is as wide as the terminal.
func TestBarFits(t *testing.T) {
	const rows = "1,234,567 of 2,345,678 rows"
	for columns := barFrame + maxBar; columns < 200; columns++ {
		for _, total := range []int64{unknownTotal, 0, 1, 40} {
			for _, done := range []int64{0, 1, 39, 40, 50} {
				var screen bytes.Buffer
				b := &bar{w: &screen, columns: columns}
				b.show(reached{done: done, total: total, what: rows, more: strings.Fields(strings.Repeat("– ", 200))})
				if line := ansi.ReplaceAllString(screen.String(), ""); utf8.RuneCountInString(line) > columns || columns > 80 && !strings.Contains(line, rows+", –") {
					t.Fatalf("on %d columns it shows %q, %d of %d", columns, line, done, total)
				}
			}
		}
	}
}

// TestBarClears: nothing stays on the line, the next run begins another bar, and beside a
// terminal nothing is written.
func TestBarClears(t *testing.T) {
	var screen bytes.Buffer
	b := &bar{w: &screen, columns: 80}
	for range 2 {
		b.simulated(worlds.Progress{Until: 20_000})
		b.simulated(worlds.Progress{Now: 5000, Until: 20_000, Events: 7}) // too soon to be drawn
		b.clear()
		b.clear()
	}
	words := regexp.MustCompile(`[0-9.]+ [kM]B`).ReplaceAllString(screen.String(), "1 MB")
	once := "\r   0% [" + strings.Repeat(" ", maxBar) + "]  0s of 2s, 1 MB \x1b[0K" + "\x1b[2K\r"
	if d := cmp.Diff(once+once, words); d != "" {
		t.Errorf("it shows, -want +got:\n%s", d)
	}
	screen.Reset()
	silent := (&app{stderr: &screen}).newBar()
	silent.simulated(worlds.Progress{Now: 1, Until: 2})
	silent.clear()
	if screen.Len() > 0 {
		t.Errorf("beside a terminal it shows %q", screen.String())
	}
}
