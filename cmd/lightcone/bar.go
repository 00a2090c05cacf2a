package main

import (
	"cmp"
	"io"
	"os"
	"runtime/metrics"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"lightcone/simulations/report"
	"lightcone/simulations/worlds"
)

// bar shows on one line of a terminal how far something is. The nil bar shows nothing.
type bar struct {
	w       io.Writer
	columns int                      // of the terminal
	line    *progressbar.ProgressBar // nil before the first report and once it is cleared
	first   reached                  // from which on rates and what is left are counted: making a million peers is no event
	began   time.Time
}

const (
	// barEvery is how often a bar is drawn at most.
	barEvery = 100 * time.Millisecond
	// barColumns is the width of a terminal that does not tell.
	barColumns = 80
	// barShare is the part of the terminal that the bar itself takes, and maxBar
	// bounds it: what is said beside it matters more.
	barShare, maxBar = 5, 16
	// barFrame are the columns of a line beside the bar and the words: a share of three
	// digits, the ends of the bar, the spaces between, and one at the end so that no
	// terminal goes on to the next line.
	barFrame = len(" 100% || ") + len("  ") + 1
)

// reached is how far something is.
type reached struct {
	done, total int64    // in any unit; a total of unknownTotal: nobody knows
	what        string   // what is done, in words
	count       uint64   // of what the rate is told
	unit        string   // of count, in the plural
	more        []string // what else there is to say
}

// newBar returns a bar on a terminal, nil elsewhere, where JSON is wanted and where there
// is no room for one.
func (a *app) newBar() *bar {
	if a.json || !isTerminal(a.stderr) {
		return nil
	}
	f := a.stderr.(*os.File) // as terminals are
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		columns = barColumns
	}
	if columns < barFrame+maxBar {
		return nil
	}
	return &bar{w: f, columns: columns}
}

// show draws the line, if it was not drawn just now. One that cannot be drawn changes nothing.
func (b *bar) show(r reached) {
	if b == nil {
		return
	}
	if r.total != unknownTotal {
		r.done = min(r.done, r.total) // beyond its end a bar is drawn over the line
	}
	now, wide := time.Now(), min(maxBar, b.columns/barShare)
	if b.line == nil {
		b.first, b.began = r, now
	}
	words := barWords(b.columns-wide-barFrame, b.first, r, now.Sub(b.began))
	if b.line == nil {
		b.line = progressbar.NewOptions64(cmp.Or(r.total, 1), // of 0 it is done before it begins, and does not clear
			progressbar.OptionSetWriter(b.w),
			progressbar.OptionSetWidth(wide),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
			progressbar.OptionSetDescription(words),
			progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionSetPredictTime(false), // from a rate of the last seconds, which it does not know at the start
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetSpinnerChangeInterval(0), // or it draws from a goroutine, on the line of others
			progressbar.OptionUseANSICodes(true),
			progressbar.OptionThrottle(barEvery),
		)
		_ = b.line.Set64(r.done) // before it is drawn
	}
	b.line.Describe(words)
	_ = b.line.Set64(r.done)
}

// barWords says of something that came from one point to another in so long as much as
// fits into so many columns, the most wanted first.
func barWords(columns int, from, to reached, took time.Duration) (text string) {
	words := []string{to.what}
	if done := to.done - from.done; done > 0 && to.total != unknownTotal {
		left := took.Seconds() * float64(to.total-to.done) / float64(done)
		words = append(words, (time.Duration(left)*time.Second).String()+" left")
	}
	if to.count > from.count && took > 0 {
		words = append(words, report.Quantity(float64(to.count-from.count)/took.Seconds(), to.unit+"/s"))
	}
	for i, word := range append(words, to.more...) {
		if i > 0 {
			word = ", " + word
		}
		if utf8.RuneCountInString(text+word) > columns {
			break
		}
		text += word
	}
	return text
}

// clear ends the bar and leaves nothing of it on the line; the next report begins another.
func (b *bar) clear() {
	if b == nil || b.line == nil {
		return
	}
	_ = b.line.Clear()
	b.line = nil
}

// simulated shows how far a simulation is: in virtual time, events a second and memory.
func (b *bar) simulated(p worlds.Progress) {
	if b == nil {
		return
	}
	memory := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(memory)
	b.show(reached{
		done: int64(p.Now), total: int64(p.Until), count: p.Events, unit: "events",
		what: p.Now.Duration().Round(barEvery).String() + " of " + p.Until.Duration().Round(barEvery).String(),
		more: []string{report.Quantity(float64(memory[0].Value.Uint64()), "B")},
	})
}
