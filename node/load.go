package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"time"

	"lightcone/p2p/gossip"
)

// This file measures what this node can take in, and tells the protocol, which hears
// and merges no more than that.

const (
	// loadEvery is how often the protocol is told.
	loadEvery = time.Second
	// leastMeasured is how many memos of a second make a measure, measuredOver is over
	// how many seconds the mean is taken.
	leastMeasured, measuredOver = 64, 4
	// The node is under pressure once its queue of inputs was half full at the end of
	// pressedAfter seconds in a row, and until it was no more at that of calmAfter.
	pressedAfter, calmAfter = 2, 10
	// leastBudget is the least that can be set: a run, which is attached whole, and
	// something beside it.
	leastBudget = 100
	// payAtOnce is how many rows of a state are paid for in one go.
	payAtOnce = 64
)

// load is what the owner knows of its own speed.
type load struct {
	since    time.Time
	memos    int           // attached since then
	busy     time.Duration // that took
	capacity float64       // memos a busy second, lately; 0: not measured yet
	full     int           // seconds in a row at whose end the queue was half full; negative: that it was not
	pressed  bool
	told     gossip.Load
}

// attached counts memos and the time they took.
func (l *load) attached(memos int, took time.Duration) {
	l.memos += memos
	l.busy += took
}

// second ends a second at whose end so many inputs were queued, and returns what the
// protocol is told: a budget that was set holds always, what was measured only under
// pressure, for a machine that is slow for other reasons is no reason to hear less.
func (l *load) second(now time.Time, queued, budget int) gossip.Load {
	if l.memos >= leastMeasured && l.busy > 0 {
		speed := float64(l.memos) / l.busy.Seconds()
		if l.capacity == 0 {
			l.capacity = speed
		}
		l.capacity += (speed - l.capacity) / measuredOver
	}
	l.since, l.memos, l.busy = now, 0, 0
	if queued >= maxQueuedInputs/2 {
		l.full = max(1, l.full+1)
	} else {
		l.full = min(-1, l.full-1)
	}
	l.pressed = l.full >= pressedAfter || l.pressed && l.full > -calmAfter
	l.told = gossip.Load{Backlog: queued}
	switch {
	case budget > 0:
		l.told.Capacity = float64(budget)
	case l.pressed:
		l.told.Capacity = max(l.capacity, leastMeasured)
	}
	return l.told
}

// tickLoad tells the protocol what the node can take, once a second.
func (o *owner) tickLoad(now time.Time) {
	if now.Sub(o.load.since) < loadEvery {
		return
	}
	was := o.load.told.Capacity
	told := o.load.second(now, len(o.n.inputs), o.n.opts.Budget)
	if o.n.opts.Budget == 0 && (was == 0) != (told.Capacity == 0) {
		o.n.log.Info("what is heard and merged is bounded while more comes than can be taken in", "bounded", told.Capacity > 0, "units a second", told.Capacity)
	}
	if told.Capacity > 0 || was > 0 {
		o.tell(told)
	}
}

// localSecret keys the choice of what this node hears: the same after a restart, and
// known to nobody else.
func localSecret(key ed25519.PrivateKey) (s [16]byte) {
	sum := sha256.Sum256(append([]byte("lightcone/hear/1"), key.Seed()...))
	copy(s[:], sum[:])
	return s
}

// takeUnits asks the owner for units of the budget.
type takeUnits struct {
	n     int
	reply chan int // buffered
}

func (c *takeUnits) do(o *owner) { c.reply <- o.core.Take(o.n.opts.Now(), c.n) }

// pay waits until the budget has room for merging n rows. The folder calls it, so that
// a state is merged over as many seconds as it takes.
func (f *folder) pay(n int) error {
	for n > 0 {
		c := &takeUnits{n: n, reply: make(chan int, 1)}
		got, err := await(context.Background(), f.n, c, c.reply)
		if err != nil {
			return err
		}
		if n -= got; n == 0 {
			return nil
		}
		select {
		case <-time.After(gossip.TickEvery):
		case <-f.n.quit:
			return ErrClosed
		}
	}
	return nil
}
