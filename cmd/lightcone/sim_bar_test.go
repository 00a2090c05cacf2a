package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lightcone/simulations/worlds"
)

// TestBarLine: the bar fits any terminal, and says how far a run is, how fast and how
// long it still takes, all from its first report on.
func TestBarLine(t *testing.T) {
	const second = 10_000 // ticks of virtual time
	at := func(seconds, events uint64) (p worlds.Progress) {
		p.Until, p.Events = 40*second, events
		for range seconds {
			p.Now += second
		}
		return p
	}
	got := barLine(79, at(10, 1000), at(20, 41_000), 5*time.Second, 2_500_000)
	if want := "   20s of 40s [=======        ]  50 %,      8000 events/s,     2.5 MB, 10s left"; got != want {
		t.Errorf("the bar is\n%q, want\n%q", got, want)
	}
	if got := barLine(79, at(0, 0), at(0, 0), 0, 0); !strings.Contains(got, "– events/s") || !strings.Contains(got, "– left") {
		t.Errorf("at the start it is %q", got)
	}
	for columns := range 200 {
		for _, p := range []worlds.Progress{at(0, 0), {Now: 1234, Until: 40 * second, Events: 1 << 40}, at(40, 1<<60), {Now: 50 * second, Until: 40 * second, Events: 5}} {
			if line := barLine(columns, at(0, 0), p, time.Second, 1<<50); utf8.RuneCountInString(line) > columns || columns > 0 && !strings.HasPrefix(line, " ") {
				t.Fatalf("on %d columns it is %q", columns, line)
			}
		}
	}
}

// TestBarClears: nothing stays on the line, and a bar of no terminal writes nothing.
func TestBarClears(t *testing.T) {
	var screen bytes.Buffer
	b := &simBar{w: &screen, width: 80}
	b.tell(worlds.Progress{Now: 1, Until: 2})
	b.tell(worlds.Progress{Now: 2, Until: 2}) // too soon to be drawn
	if n := strings.Count(screen.String(), "\r"); n != 1 {
		t.Errorf("it was drawn %d times: %q", n, screen.String())
	}
	drawn := utf8.RuneCountInString(screen.String()) - 1
	screen.Reset()
	b.clear()
	if want := "\r" + strings.Repeat(" ", drawn) + "\r"; screen.String() != want {
		t.Errorf("cleared it is %q, want %q", screen.String(), want)
	}
	screen.Reset()
	b.clear()
	if screen.Len() > 0 || b.drawn != 0 || !b.began.IsZero() {
		t.Errorf("cleared twice it says %q: %+v", screen.String(), b)
	}
	silent := (&app{stderr: &screen}).newSimBar()
	silent.tell(worlds.Progress{Now: 1, Until: 2})
	silent.clear()
	if screen.Len() > 0 {
		t.Errorf("beside a terminal it says %q", screen.String())
	}
}
