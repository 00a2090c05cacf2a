package main

import (
	"runtime"
	"time"

	"lightcone/internal/compare/figure"
)

// watch measures what a function uses, and writes its CPU profile when it has a
// file name for that.
type watch struct{ profile string }

// usage is what a function used.
type usage struct{ elapsed, cpu time.Duration }

func (w watch) time(f func() error) (u usage, err error) {
	runtime.GC() // of what came before
	err = figure.Profiled(w.profile, func() error {
		cpu, start := figure.CPUTime(), time.Now()
		err := f()
		u.elapsed, u.cpu = time.Since(start), figure.CPUTime()-cpu
		return err
	})
	return u, err
}

// rate is how many of what were done a second.
func (u usage) rate(n int, what string) figure.Metric {
	return figure.Metric{Name: what, Unit: "/s", Value: float64(n) / u.elapsed.Seconds(), Better: figure.Higher}
}

// each is how long one of n took, in ms.
func (u usage) each(n int, name string) figure.Metric {
	return lower(name, "ms", u.elapsed.Seconds()*1e3/float64(n))
}

// cpuEach is the processor time of one of n, in µs; garbage collection counts.
func (u usage) cpuEach(n int, what string) figure.Metric {
	return lower("CPU per "+what, "µs", float64(u.cpu.Nanoseconds())/1e3/float64(n))
}

// lower is a metric of which less is better.
func lower(name, unit string, v float64) figure.Metric {
	return figure.Metric{Name: name, Unit: unit, Value: v, Better: figure.Lower}
}

// per is lower of a sum over n.
func per(name, unit string, sum, n int) figure.Metric {
	return lower(name, unit, float64(sum)/float64(n))
}
