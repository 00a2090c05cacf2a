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
	t.stops = append(t.stops, l.o.AfterFunc(d, l.aside(func() {
		_ = l.waitDurable(t.due(l)) // a failed sync has stopped the log: who appends is told
	})))
}

// due says what is to be synced now. A record appended from here on sets the timer
// again.
func (t *timer) due(l *Log) LSN {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear(l)
	return t.upTo
}

// stop ends the timer. What has fired already may still be at work.
func (t *timer) stop(l *Log) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear(l)
}

// clear stops what is running. Callers hold mu.
func (t *timer) clear(l *Log) {
	for _, stop := range t.stops {
		if stop() {
			l.chores.Done()
		}
	}
	t.stops = nil
}
