package memo

import "fmt"

// Time is a hybrid logical clock reading: 48 bits of Unix milliseconds above a
// 16-bit counter (Kulkarni et al. 2014). It is below MaxTime.
type Time uint64

const (
	// MaxTime bounds a Time from above; it keeps it a CBOR integer that any
	// language reads into a signed 64-bit number.
	MaxTime Time = 1<<63 - 1

	counterBits = 16
)

// Next returns the time of a new memo written at ms (Unix milliseconds) whose
// links carry the given times: above all of them and not below the clock.
// When the counter overflows it carries into the milliseconds.
func Next(ms uint64, links ...Time) Time {
	t := Time(ms << counterBits)
	for _, l := range links {
		t = max(t, l+1)
	}
	return min(t, MaxTime)
}

// Millis returns the Unix milliseconds of t.
func (t Time) Millis() uint64 { return uint64(t) >> counterBits }

// Counter returns the logical part of t.
func (t Time) Counter() uint16 { return uint16(t) }

func (t Time) String() string { return fmt.Sprintf("%d.%d", t.Millis(), t.Counter()) }
