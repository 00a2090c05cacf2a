package main

import (
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"lightcone/simulations/report"
	"lightcone/simulations/worlds"
)

// simBar shows how far a run is on one line of a terminal: virtual time, events a second,
// memory and how much longer it takes. The zero simBar shows nothing.
type simBar struct {
	w     io.Writer
	width int // columns of the terminal

	first worlds.Progress // from which on rates are counted: making the peers is no event
	began time.Time
	last  time.Time // when it was drawn
	drawn int       // columns that are
}

const (
	// barEvery is how often the bar is drawn at most.
	barEvery = 100 * time.Millisecond
	// barWidth is the width of a terminal that does not tell.
	barWidth = 80
	// maxBar bounds the columns of the bar itself.
	maxBar = 30
)

// newSimBar returns a bar on a terminal, one that shows nothing elsewhere.
func (a *app) newSimBar() *simBar {
	f, ok := a.stderr.(*os.File)
	if !ok || !isTerminal(f) {
		return &simBar{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = barWidth
	}
	return &simBar{w: f, width: width}
}

// tell shows how far a run is. A bar that cannot be drawn changes nothing.
func (b *simBar) tell(p worlds.Progress) {
	if b.w == nil {
		return
	}
	now := time.Now()
	if b.began.IsZero() {
		b.first, b.began = p, now
	}
	if now.Sub(b.last) < barEvery {
		return
	}
	memory := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(memory)
	line := barLine(b.width-1, b.first, p, now.Sub(b.began), memory[0].Value.Uint64())
	drawn := utf8.RuneCountInString(line)
	fmt.Fprint(b.w, "\r"+line+strings.Repeat(" ", max(0, b.drawn-drawn)))
	b.last, b.drawn = now, drawn
}

// barLine is what a bar says within so many columns, when a run has come from one point
// to another and took so long for it.
func barLine(columns int, first, p worlds.Progress, took time.Duration, memory uint64) string {
	rate, left := "–", "–"
	if done := p.Now - first.Now; took > 0 && done > 0 && p.Now <= p.Until {
		rate = report.Short(float64(p.Events-first.Events) / took.Seconds())
		left = time.Duration(float64(took) * float64(p.Until-p.Now) / float64(done)).Round(time.Second).String()
	}
	until := barTime(p.Until.Duration())
	head := fmt.Sprintf("%*s of %s ", max(6, len(until)), barTime(p.Now.Duration()), until)
	tail := fmt.Sprintf(" %3.0f %%, %9s events/s, %9sB, %s left", 100*doneOf(p), rate, report.Short(float64(memory)), left)
	wide := min(maxBar, columns-utf8.RuneCountInString(head+tail)-2)
	bar := ""
	if wide > 0 {
		full := int(doneOf(p) * float64(wide))
		bar = "[" + strings.Repeat("=", full) + strings.Repeat(" ", wide-full) + "]"
	}
	line := []rune(head + bar + tail)
	return string(line[:max(0, min(len(line), columns))])
}

// doneOf is how much of a run is done, from 0 to 1.
func doneOf(p worlds.Progress) float64 {
	return min(1, float64(p.Now)/float64(max(1, p.Until)))
}

// barTime is a virtual time with as many digits as a moving line can be read with.
func barTime(d time.Duration) string { return d.Round(100 * time.Millisecond).String() }

// clear ends the bar of a run and leaves nothing of it; the next begins another.
func (b *simBar) clear() {
	if b.drawn > 0 {
		fmt.Fprint(b.w, "\r"+strings.Repeat(" ", b.drawn)+"\r")
	}
	*b = simBar{w: b.w, width: b.width}
}
