package walfs

import (
	"sync/atomic"
	"time"
)

const (
	// fewSleepers are woken by the appender itself. More are woken by a goroutine
	// of their own, so that an append costs the same however many read.
	fewSleepers = 4
	// perWake spaces rings: with n sleepers they come n·perWake apart, or maxSpacing
	// if that is less. Waking and serving all of them takes about half of one core
	// then, whatever is appended meanwhile.
	perWake    = 4 * time.Microsecond
	maxSpacing = 5 * time.Millisecond
	// minSpacing is the least that is kept: the runtime's timers round what is
	// shorter up to it, and 100 readers would wait a millisecond for 400 µs.
	minSpacing = time.Millisecond
)

// bell wakes everyone who listens, without polling. However many appends happen
// before a listener runs, it wakes once.
type bell struct {
	now  atomic.Pointer[round] // nil before the first listener
	due  atomic.Bool           // a ring for many is under way
	rang atomic.Int64          // when the last of those was, in ns since bellStart
}

// round is those who wait for the same ring.
type round struct {
	rung     chan struct{} // closed by the ring
	sleepers atomic.Int64
}

// bellStart is what times are measured from.
var bellStart = time.Now()

// listen joins the round that the next ring ends; leave it with round.leave. To
// miss nothing, look for what is waited for after calling it.
func (b *bell) listen() *round {
	for {
		if r := b.now.Load(); r != nil {
			r.sleepers.Add(1)
			return r
		}
		b.now.CompareAndSwap(nil, &round{rung: make(chan struct{})})
	}
}

func (r *round) leave() { r.sleepers.Add(-1) }

// ring wakes the sleepers now, or soon when they are many and were woken just now.
// The caller has published what there is to see.
func (b *bell) ring() {
	r := b.now.Load()
	if r == nil {
		return
	}
	n := r.sleepers.Load()
	switch {
	case n == 0:
	case n <= fewSleepers:
		b.ringNow()
	case b.due.CompareAndSwap(false, true):
		spacing := min(time.Duration(n)*perWake, maxSpacing)
		since := time.Since(bellStart) - time.Duration(b.rang.Load())
		if spacing < minSpacing || since >= spacing {
			go b.ringMany()
		} else {
			time.AfterFunc(spacing-since, b.ringMany)
		}
	}
}

// ringMany rings for what was published while due was set.
func (b *bell) ringMany() {
	b.rang.Store(int64(time.Since(bellStart)))
	b.due.Store(false) // what comes now may miss this ring: it schedules another
	b.ringNow()
}

// ringNow wakes the sleepers at once.
func (b *bell) ringNow() {
	r := b.now.Load()
	if r != nil && b.now.CompareAndSwap(r, &round{rung: make(chan struct{})}) {
		close(r.rung)
	}
}
