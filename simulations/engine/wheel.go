package engine

import "math/bits"

const (
	// A wheel has wheelLevels rings of 1<<slotBits slots; a slot of the first ring is a
	// day, one of ring n is as long as the whole ring n−1. Together they hold any Time.
	slotBits    = 8
	slots       = 1 << slotBits
	wheelLevels = 4
	// maxDayBits bounds a day: 1<<maxDayBits ticks.
	maxDayBits = 10
)

// wheel is a hierarchical timing wheel (Varghese, Lauck 1987) over days: events by
// their time, those of one moment in the order in which they were added. Those of a day
// are sorted when it begins, all at once: memory is then written and read in its order,
// for what is added goes to the end of one of a few lists, and what is taken lies beside
// what was taken before. Adding and taking cost O(1).
type wheel struct {
	now     Time // events before it were taken
	dayBits int  // a day has 1<<dayBits ticks
	today   today
	later   int                             // events of the rings
	rings   [wheelLevels][slots]list        // of the days behind today
	used    [wheelLevels][slots / 64]uint64 // bit of each slot that has events
	memory  *memory                         // lent by who uses the wheel
}

// newWheel returns a wheel of days of so many ticks, at most: of the greatest power of
// two in it.
func newWheel(day Time) *wheel {
	w := &wheel{dayBits: min(maxDayBits, bits.Len32(uint32(day))-1)}
	w.today = newToday(1 << w.dayBits)
	return w
}

// add puts an event into the wheel. Its time is not before now.
func (w *wheel) add(ev *Event) {
	if (ev.At^w.now)>>w.dayBits == 0 {
		w.today.add(w.memory, ev)
		return
	}
	w.later++
	w.put(ev)
}

// put chooses the ring: the lowest on which now and the event differ only there and
// below.
func (w *wheel) put(ev *Event) {
	level := 0
	if diff := uint32(ev.At^w.now) >> w.dayBits; diff >= slots {
		level = (bits.Len32(diff) - 1) / slotBits
	}
	i := uint32(ev.At) >> w.dayBits >> (level * slotBits) & (slots - 1)
	w.used[level][i/64] |= 1 << (i % 64)
	w.rings[level][i].add(w.memory, ev)
}

// next returns the time of the first event, End if there is none. For events of other
// days it returns the beginning of their slot, at which there may be none.
func (w *wheel) next() Time {
	if t := w.today.first(w.now); t < End || w.later == 0 {
		return t
	}
	for level := range wheelLevels {
		shift := w.dayBits + level*slotBits
		from := uint64(w.now) >> shift
		if i, ok := firstBit(w.used[level][:], uint32(from&(slots-1))); ok {
			return max(w.now, Time((from&^(slots-1)|uint64(i))<<shift))
		}
	}
	return End
}

// firstBit finds the first bit that is set, from one on.
func firstBit(set []uint64, from uint32) (uint32, bool) {
	i := from / 64
	for word := set[i] &^ (1<<(from%64) - 1); ; word = set[i] {
		if word != 0 {
			return i*64 + uint32(bits.TrailingZeros64(word)), true
		}
		if i++; int(i) == len(set) {
			return 0, false
		}
	}
}

// advance moves to t, which is at most next(). Where another day begins it spreads the
// slots of higher rings that begin there, and sorts the day's own.
func (w *wheel) advance(t Time) {
	old := w.now >> w.dayBits
	w.now = t
	day := t >> w.dayBits
	if old == day {
		return
	}
	for level := wheelLevels - 1; level > 0; level-- {
		shift := level * slotBits
		if old>>shift == day>>shift {
			continue
		}
		for c := w.clear(level, uint32(day)>>shift&(slots-1)); c != nil; c = w.memory.release(c) {
			for i := range c.events[:c.n] {
				w.put(&c.events[i])
			}
		}
	}
	w.later -= w.today.begin(w.memory, w.clear(0, uint32(day)&(slots-1)))
}

// clear makes a slot empty and returns its first chunk.
func (w *wheel) clear(level int, i uint32) (head *chunk) {
	head = w.rings[level][i].head
	w.rings[level][i] = list{}
	w.used[level][i/64] &^= 1 << (i % 64)
	return head
}

// take removes an event of the present moment and returns it, nil if there is none. It
// is valid until the next one.
func (w *wheel) take() *Event { return w.today.take(w.memory, w.now) }
