package gossip

import "time"

// Announcements of roots are taken from one peer RootsEvery apart, after RootsBurst of
// them, whoever signed them: more are neither checked nor relayed. All peers of a space
// together make a few for a root.
const (
	RootsEvery = 50 * time.Millisecond
	RootsBurst = 64
)

// Pace lets a burst of messages through, and then one each period. The zero value
// has let none through yet.
type Pace struct {
	full time.Time // when a whole burst is allowed again
}

// Allow counts a message, or refuses it. every and burst, at least 1, are the same
// in each call.
func (p *Pace) Allow(now time.Time, every time.Duration, burst int) bool {
	if p.full.Before(now) {
		p.full = now
	}
	if p.full.Sub(now) > time.Duration(burst-1)*every {
		return false
	}
	p.full = p.full.Add(every)
	return true
}
