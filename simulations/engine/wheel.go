package engine

import "math/bits"

const (
	// A wheel has wheelLevels rings of 1<<slotBits slots; a slot of ring n is as long
	// as the whole ring n−1. Together they hold any Time.
	slotBits    = 10
	slots       = 1 << slotBits
	wheelLevels = 4
	// chunkEvents is how many events are linked together in a slot.
	chunkEvents = 24
)

// wheel is a hierarchical timing wheel (Varghese, Lauck 1987): events by their time,
// those of one moment in the order in which they were added. Adding and taking cost
// O(1). Its memory is a list of chunks that are used again.
type wheel struct {
	now    Time // events before it were taken
	count  int
	rings  [wheelLevels][slots]slot
	used   [wheelLevels][slots / 64]uint64 // bit of each slot that has events
	chunks []chunk
	free   int32 // first of the free chunks, linked; 0: none
	taken  Event // that is being handled
}

// slot is a list of chunks, by index; 0 is none.
type slot struct{ head, tail int32 }

type chunk struct {
	events [chunkEvents]Event
	n      int32
	next   int32
}

func newWheel() *wheel { return &wheel{chunks: make([]chunk, 1)} }

// add puts an event into the wheel. Its time is not before now.
func (w *wheel) add(ev Event) {
	w.count++
	w.put(ev)
}

// put chooses the ring: the lowest on which now and the event differ only there and
// below.
func (w *wheel) put(ev Event) {
	level := 0
	if diff := uint32(ev.At ^ w.now); diff >= slots {
		level = (bits.Len32(diff) - 1) / slotBits
	}
	i := uint32(ev.At) >> (level * slotBits) & (slots - 1)
	s := &w.rings[level][i]
	w.used[level][i/64] |= 1 << (i % 64)
	if s.tail == 0 || w.chunks[s.tail].n == chunkEvents {
		c := w.chunk()
		if s.tail == 0 {
			s.head = c
		} else {
			w.chunks[s.tail].next = c
		}
		s.tail = c
	}
	c := &w.chunks[s.tail]
	c.events[c.n] = ev
	c.n++
}

// chunk returns an empty one.
func (w *wheel) chunk() int32 {
	if c := w.free; c != 0 {
		w.free = w.chunks[c].next
		w.chunks[c].n, w.chunks[c].next = 0, 0
		return c
	}
	w.chunks = append(w.chunks, chunk{})
	return int32(len(w.chunks) - 1)
}

// release makes a chunk free.
func (w *wheel) release(c int32) {
	w.chunks[c].next = w.free
	w.free = c
}

// next returns the time of the first event, End if there is none. For events far off
// it may return an earlier moment, that of their slot, at which there is none.
func (w *wheel) next() Time {
	if w.count == 0 {
		return End
	}
	for level := range wheelLevels {
		shift := level * slotBits
		from := uint32(w.now) >> shift & (slots - 1)
		if i, ok := w.first(level, from); ok {
			above := uint64(w.now) >> shift &^ (slots - 1)
			return max(w.now, Time((above|uint64(i))<<shift))
		}
	}
	return End
}

// first finds the first used slot of a ring, from one on.
func (w *wheel) first(level int, from uint32) (uint32, bool) {
	u := &w.used[level]
	i := from / 64
	word := u[i] &^ (1<<(from%64) - 1)
	for {
		if word != 0 {
			return i*64 + uint32(bits.TrailingZeros64(word)), true
		}
		if i++; i == slots/64 {
			return 0, false
		}
		word = u[i]
	}
}

// advance moves to t, which is at most next(), and spreads the slots of higher rings
// that begin there.
func (w *wheel) advance(t Time) {
	old := w.now
	w.now = t
	for level := wheelLevels - 1; level > 0; level-- {
		shift := level * slotBits
		if old>>shift == t>>shift {
			continue
		}
		i := uint32(t) >> shift & (slots - 1)
		s := w.rings[level][i]
		if s.head == 0 {
			continue
		}
		w.clear(level, i)
		for c := s.head; c != 0; {
			k := w.chunks[c] // a copy: put may move the chunks
			for _, ev := range k.events[:k.n] {
				w.put(ev)
			}
			next := k.next
			w.release(c)
			c = next
		}
	}
}

func (w *wheel) clear(level int, i uint32) {
	w.rings[level][i] = slot{}
	w.used[level][i/64] &^= 1 << (i % 64)
}

// take removes the events of the present moment and yields them, with those that are
// added for it meanwhile.
func (w *wheel) take(yield func(ev *Event)) {
	i := uint32(w.now) & (slots - 1)
	for s := w.rings[0][i]; s.head != 0; s = w.rings[0][i] {
		w.clear(0, i)
		for c := s.head; c != 0; {
			for k := int32(0); k < w.chunks[c].n; k++ {
				w.taken = w.chunks[c].events[k] // a copy: what yield adds may move the chunks
				w.count--
				yield(&w.taken)
			}
			next := w.chunks[c].next
			w.release(c)
			c = next
		}
	}
}
