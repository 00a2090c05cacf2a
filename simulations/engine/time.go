package engine

import (
	"math"
	"time"
)

// Time is a moment or a span of virtual time, in ticks of Resolution.
type Time uint32

// Resolution is the length of a tick. It bounds how exact latencies are, and with 32
// bits a simulation lasts up to five days.
const Resolution = 100 * time.Microsecond

// End is the last moment there is.
const End = Time(math.MaxUint32)

// Ticks returns a span rounded to ticks, at most End.
func Ticks(d time.Duration) Time {
	n := d / Resolution
	if d%Resolution >= Resolution/2 {
		n++
	}
	return Time(min(max(0, n), time.Duration(End)))
}

// Seconds returns a span of so many seconds, rounded to ticks, at most End.
func Seconds(s float64) Time {
	if s >= End.Seconds() { // more than that a time.Duration may not hold
		return End
	}
	return Ticks(time.Duration(s * float64(time.Second)))
}

// Duration returns the span as a duration.
func (t Time) Duration() time.Duration { return time.Duration(t) * Resolution }

// Seconds returns the span in seconds.
func (t Time) Seconds() float64 { return t.Duration().Seconds() }

// times is t × n, at most End.
func (t Time) times(n Time) Time { return Time(min(uint64(End), uint64(t)*uint64(n))) }

// plus is t + d, at most End.
func (t Time) plus(d Time) Time {
	if d > End-t {
		return End
	}
	return t + d
}

// epoch is what peers' clocks show at the start: some midnight, so that daily
// rhythms can be told from the clock.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
