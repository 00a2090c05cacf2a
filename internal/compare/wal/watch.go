package main

import (
	"runtime"
	"time"

	"lightcone/internal/compare/figure"
)

// watch measures what a function uses, and writes a CPU profile of it when it
// has the beginning of a file name for that.
type watch struct{ profile string }

// usage is what a function used.
type usage struct {
	elapsed, cpu  time.Duration
	allocs, bytes uint64
}

// time runs f, which is the named part of a case.
func (w watch) time(part string, f func() error) (u usage, err error) {
	name := ""
	if w.profile != "" {
		name = w.profile
		if part != "" {
			name += "-" + fileName(part)
		}
		name += ".pprof"
	}
	runtime.GC() // of what came before
	err = figure.Profiled(name, func() error {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cpu, start := figure.CPUTime(), time.Now()
		err := f()
		u.elapsed, u.cpu = time.Since(start), figure.CPUTime()-cpu
		runtime.ReadMemStats(&after)
		u.allocs, u.bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		return err
	})
	return u, err
}

func (u usage) cpuPer(n int, what string) figure.Metric {
	return figure.Metric{Name: "CPU per " + what, Unit: "µs", Value: float64(u.cpu.Nanoseconds()) / 1000 / float64(n), Better: figure.Lower}
}

func (u usage) timePer(n int, part string) figure.Metric {
	return figure.Metric{Name: part, Unit: "ns per record", Value: float64(u.elapsed.Nanoseconds()) / float64(n), Better: figure.Lower}
}

func (u usage) allocsPer(n int, part string) figure.Metric {
	return figure.Metric{Name: part + ", allocations", Unit: "per record", Value: float64(u.allocs) / float64(n), Better: figure.Lower}
}
