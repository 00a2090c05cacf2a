package main

import (
	"fmt"
	"io"
	"runtime/metrics"
	"time"

	"github.com/schollz/progressbar/v3"

	"lightcone/simulations/report"
	"lightcone/simulations/worlds"
)

// simBar shows how far a run is: a bar of virtual time with what is left of real time,
// events a second, and memory. The zero simBar shows nothing.
type simBar struct {
	w     io.Writer
	bar   *progressbar.ProgressBar
	began time.Time
}

// newSimBar returns a bar on a terminal, one that shows nothing elsewhere.
func (a *app) newSimBar() *simBar {
	if !isTerminal(a.stderr) {
		return &simBar{}
	}
	return &simBar{w: a.stderr}
}

// tell shows how far a run is. A bar that cannot be drawn changes nothing.
func (b *simBar) tell(p worlds.Progress) {
	if b.w == nil {
		return
	}
	if b.bar == nil {
		b.began = time.Now()
		b.bar = progressbar.NewOptions64(int64(p.Until), progressbar.OptionSetWriter(b.w),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true))
	}
	b.bar.Describe(b.words(p, time.Since(b.began)))
	_ = b.bar.Set64(int64(p.Now))
}

// words tell virtual time, the rate of events, and memory.
func (b *simBar) words(p worlds.Progress, took time.Duration) string {
	memory := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(memory)
	return fmt.Sprintf("%s of %s, %s events/s, %sB", p.Now.Duration(), p.Until.Duration(),
		report.Short(float64(p.Events)/took.Seconds()), report.Short(float64(memory[0].Value.Uint64())))
}

// clear ends the bar of a run; the next begins another.
func (b *simBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}
