package walfs_test

import (
	"sync"
	"time"
)

// clock is an Options.AfterFunc on which time passes when it is told to.
type clock struct {
	mu      sync.Mutex
	pending []*alarm
}

type alarm struct {
	ring func()
	over bool // rung or stopped
}

// AfterFunc has f called by the next tick, whatever d is.
func (c *clock) AfterFunc(_ time.Duration, f func()) (stop func() bool) {
	a := &alarm{ring: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, a)
	return func() bool { return c.end(a) }
}

// end reports whether a had not ended before.
func (c *clock) end(a *alarm) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := a.over
	a.over = true
	return !was
}

// tick lets all the time pass that anybody waits for.
func (c *clock) tick() {
	c.mu.Lock()
	due := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, a := range due {
		if c.end(a) {
			a.ring()
		}
	}
}
