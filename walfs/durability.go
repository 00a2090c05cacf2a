package walfs

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Durability is what Append promises before it returns. The zero Durability is
// Group. Those of one log may be mixed.
type Durability int64

const (
	// Group: the bytes are on the disk, by a sync shared with other appenders.
	Group Durability = 0
	// None: the bytes were handed to the operating system. They survive the
	// death of this process, but not a power cut.
	None Durability = -1
	// Each: the bytes are on the disk, by a sync of their own that no other
	// append of durability Each had a share in. (What a rotation has synced
	// meanwhile needs no second sync.)
	Each Durability = -2

	badInterval Durability = math.MinInt64
)

// Interval promises what None does, and that the log begins a sync on its own at
// most d after the first append that none has reached yet: a power cut costs the
// records of d and of the time a sync takes. d must be above 0.
func Interval(d time.Duration) Durability {
	if d <= 0 {
		return badInterval
	}
	return Durability(d)
}

// interval is the d of Interval(d), 0 for other durabilities.
func (d Durability) interval() time.Duration { return time.Duration(max(d, 0)) }

// waits reports whether Append returns after a sync only.
func (d Durability) waits() bool { return d == Group || d == Each }

// Validate reports what is wrong with d, wrapping ErrBadOptions.
func (d Durability) Validate() error {
	switch {
	case d == badInterval:
		return fmt.Errorf("%w: an interval must be longer than 0", ErrBadOptions)
	case d < Each:
		return fmt.Errorf("%w: unknown durability %d", ErrBadOptions, int64(d))
	}
	return nil
}

const intervalPrefix = "interval="

// String is the form ParseDurability reads: none, group, each, interval=50ms.
func (d Durability) String() string {
	switch {
	case d == None:
		return "none"
	case d == Group:
		return "group"
	case d == Each:
		return "each"
	case d > 0:
		return intervalPrefix + time.Duration(d).String()
	}
	return fmt.Sprintf("Durability(%d)", int64(d))
}

// ParseDurability is the inverse of String. Errors wrap ErrBadOptions.
func ParseDurability(s string) (Durability, error) {
	for _, d := range []Durability{None, Group, Each} {
		if s == d.String() {
			return d, nil
		}
	}
	if text, ok := strings.CutPrefix(s, intervalPrefix); ok {
		if span, err := time.ParseDuration(text); err == nil && span > 0 {
			return Interval(span), nil
		}
	}
	return 0, fmt.Errorf("%w: durability %q, want none, group, each or an interval such as %s50ms",
		ErrBadOptions, s, intervalPrefix)
}
