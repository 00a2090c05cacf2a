package walfs

import (
	"sync"
	"time"
)

// timer makes the syncs that Interval promises.
type timer struct {
	mu    sync.Mutex
	upTo  LSN           // last record whose sync was promised
	least time.Duration // of what is running, when anything is
	stops []func() bool // of what is running
	fired sync.WaitGroup
}

// set has the records up to lsn synced in d or earlier. What runs already comes
// early enough unless it was told to wait longer than d.
func (t *timer) set(l *Log, d time.Duration, lsn LSN) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upTo = lsn
	if len(t.stops) > 0 && t.least <= d {
		return
	}
	t.least = d
	t.fired.Add(1)
	t.stops = append(t.stops, l.o.AfterFunc(d, func() {
		defer t.fired.Done()
		_ = l.waitDurable(t.due()) // a failed sync has stopped the log: who appends is told
	}))
}

// due says what is to be synced now. A record appended from here on sets the timer
// again.
func (t *timer) due() LSN {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	return t.upTo
}

// stop ends the timer. What has fired already may still be at work: fired counts it.
func (t *timer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

// clear stops what is running. Callers hold mu.
func (t *timer) clear() {
	for _, stop := range t.stops {
		if stop() {
			t.fired.Done()
		}
	}
	t.stops = nil
}
