package gossip

import "time"

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
