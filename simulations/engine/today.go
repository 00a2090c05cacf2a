package engine

import "slices"

// ahead is how many events are told of before the first of them is taken.
const ahead = 16

// today are the events of the day that is under way.
type today struct {
	mask   Time    // ticks of a day less one
	sorted []Event // what was known when it began
	taken  int     // of them
	starts []int32 // where each tick's begin in sorted, while they are sorted

	late  []slot   // what was added to each tick since it began
	lates []uint64 // bit of each tick that has some
	added int      // of them all
	begun int32    // those taken of the first chunk of the present tick
	last  Event    // the last of them

	coming func([]Event) // is told of those that are taken soon; nil: nobody wants to know
	told   int           // of sorted
}

func newToday(ticks int) today {
	return today{
		mask: Time(ticks) - 1, starts: make([]int32, ticks+1),
		late: make([]slot, ticks), lates: make([]uint64, (ticks+63)/64),
	}
}

// begin sorts the events of a day, by counting, and frees their chunks. It returns how
// many there are.
func (d *today) begin(m *chunks, head int32) int {
	clear(d.starts)
	n := 0
	for c := head; c != 0; c = m.all[c].next {
		k := &m.all[c]
		for i := range k.events[:k.n] {
			d.starts[k.events[i].At&d.mask+1]++
		}
		n += int(k.n)
	}
	for i := range d.mask {
		d.starts[i+1] += d.starts[i]
	}
	d.sorted = slices.Grow(d.sorted[:0], n)[:n]
	for c := head; c != 0; c = m.release(c) {
		k := &m.all[c]
		for i := range k.events[:k.n] {
			at := &d.starts[k.events[i].At&d.mask]
			d.sorted[*at] = k.events[i]
			*at++
		}
	}
	d.taken, d.told = 0, 0
	return n
}

// add notes an event of today.
func (d *today) add(m *chunks, ev Event) {
	i := ev.At & d.mask
	d.lates[i/64] |= 1 << (i % 64)
	d.added++
	m.append(&d.late[i], ev)
}

// first returns when the first event is, from now on; End if there is none.
func (d *today) first(now Time) Time {
	t := End
	if d.taken < len(d.sorted) {
		t = d.sorted[d.taken].At
	}
	if d.added > 0 {
		i, _ := firstBit(d.lates, uint32(now&d.mask))
		t = min(t, now&^d.mask|Time(i))
	}
	return t
}

// take removes the next event of this moment, nil if there is none.
func (d *today) take(m *chunks, now Time) *Event {
	if i := d.taken; i < len(d.sorted) && d.sorted[i].At == now {
		if i == d.told && d.coming != nil {
			d.told = min(i+ahead, len(d.sorted))
			d.coming(d.sorted[i:d.told])
		}
		d.taken++
		return &d.sorted[i]
	}
	if d.added == 0 {
		return nil
	}
	return d.takeLate(m, now&d.mask)
}

// takeLate removes the next event that was added to a tick after the day began.
func (d *today) takeLate(m *chunks, tick Time) *Event {
	s := &d.late[tick]
	if s.head == 0 {
		return nil
	}
	k := &m.all[s.head]
	d.last = k.events[d.begun] // a copy: what is added may move the chunks
	d.added--
	if d.begun++; d.begun == k.n {
		d.begun = 0
		if s.head = m.release(s.head); s.head == 0 {
			s.tail = 0
			d.lates[tick/64] &^= 1 << (tick % 64)
		}
	}
	return &d.last
}
