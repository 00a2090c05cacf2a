package beacon

import (
	"time"

	"github.com/axiomhq/hyperloglog"

	"lightcone/memo"
)

const (
	// authorSlots and slotTime make the window in which authors are counted: between
	// three quarters of a day and a day.
	authorSlots = 4
	slotTime    = 6 * time.Hour
)

// Authors estimates how many authors a space had in the last 24 hours, in bounded
// memory: one HyperLogLog sketch (Heule, Nunkesser, Hall 2013; 2¹⁴ registers, standard
// error 0.8 %) for each quarter of a day, and their union. The zero Authors is empty.
type Authors struct {
	slots [authorSlots]*hyperloglog.Sketch
	union *hyperloglog.Sketch
	begun time.Time // of slots[0], the newest
}

// Add notes that a memo of an author was seen at a time. What lies outside of the
// window is not counted.
func (a *Authors) Add(now, seen time.Time, author memo.Author) {
	a.turn(now)
	slot := int(now.Sub(seen) / slotTime)
	if slot < 0 {
		slot = 0 // ahead of the own clock
	}
	if slot >= authorSlots {
		return
	}
	if a.slots[slot] == nil {
		a.slots[slot] = hyperloglog.New()
	}
	a.slots[slot].Insert(author[:])
	a.union.Insert(author[:])
}

// Estimate returns the number, at least 1.
func (a *Authors) Estimate(now time.Time) float64 {
	a.turn(now)
	return max(1, float64(a.union.Estimate()))
}

// turn begins the slot of now, and forgets those that are too old.
func (a *Authors) turn(now time.Time) {
	passed := int(now.Sub(a.begun) / slotTime)
	if a.union != nil && passed <= 0 {
		return
	}
	for range min(passed, authorSlots) {
		copy(a.slots[1:], a.slots[:authorSlots-1])
		a.slots[0] = nil
	}
	if a.union == nil || passed > authorSlots {
		a.begun = now
	} else {
		a.begun = a.begun.Add(time.Duration(passed) * slotTime)
	}
	a.union = hyperloglog.New()
	for _, s := range a.slots {
		if s != nil {
			_ = a.union.Merge(s) // fails between sketches of different precision only
		}
	}
}
