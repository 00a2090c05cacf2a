package engine

import "slices"

// ahead is how many events are told of before the first of them is taken.
const ahead = 16

// today are the events of the day that is under way.
type today struct {
	mask   Time    // ticks of a day less one
	sorted []Event // what was known when it began, in memory that is lent
	taken  int     // of them
	rest   list    // of them, where the day was left before its end

	late  []list   // what was added to each tick since it began
	lates []uint64 // bit of each tick that has some
	added int      // of them all
	begun int32    // those taken of the first chunk of the present tick
	last  Event    // the last of them

	coming func([]Event) // is told of those that are taken soon; nil: nobody wants to know
	told   int           // of sorted
}

func newToday(ticks int) today {
	return today{mask: Time(ticks) - 1, late: make([]list, ticks), lates: make([]uint64, (ticks+63)/64)}
}

// begin sorts the events of a day, by counting, and frees their chunks. It returns how
// many there are.
func (d *today) begin(m *memory, head *chunk) int {
	m.starts = slices.Grow(m.starts[:0], int(d.mask)+2)[:d.mask+2]
	starts, n := m.starts, 0
	clear(starts)
	for c := head; c != nil; c = c.next {
		for i := range c.events[:c.n] {
			starts[c.events[i].At&d.mask+1]++
		}
		n += int(c.n)
	}
	for i := range d.mask {
		starts[i+1] += starts[i]
	}
	m.sorted = slices.Grow(m.sorted[:0], n)[:n]
	for c := head; c != nil; c = m.release(c) {
		for i := range c.events[:c.n] {
			at := &starts[c.events[i].At&d.mask]
			m.sorted[*at] = c.events[i]
			*at++
		}
	}
	d.sorted, d.taken, d.told = m.sorted, 0, 0
	return n
}

// leave gives back the memory that was lent; what is left of the day is kept in a list.
func (d *today) leave(m *memory) {
	for i := d.taken; i < len(d.sorted); i++ {
		d.rest.add(m, &d.sorted[i])
	}
	d.sorted, d.taken, d.told = nil, 0, 0
}

// resume goes on with a day that was left.
func (d *today) resume(m *memory) {
	if d.rest.head == nil {
		return
	}
	m.sorted = m.sorted[:0]
	for c := d.rest.head; c != nil; c = m.release(c) {
		m.sorted = append(m.sorted, c.events[:c.n]...)
	}
	d.sorted, d.rest = m.sorted, list{}
}

// add notes an event of today.
func (d *today) add(m *memory, ev *Event) {
	i := ev.At & d.mask
	d.lates[i/64] |= 1 << (i % 64)
	d.added++
	d.late[i].add(m, ev)
}

// first returns when the first event is, from now on; End if there is none.
func (d *today) first(now Time) Time {
	t := End
	switch {
	case d.taken < len(d.sorted):
		t = d.sorted[d.taken].At
	case d.rest.head != nil:
		t = d.rest.head.events[0].At
	}
	if d.added > 0 {
		i, _ := firstBit(d.lates, uint32(now&d.mask))
		t = min(t, now&^d.mask|Time(i))
	}
	return t
}

// take removes the next event of this moment, nil if there is none.
func (d *today) take(m *memory, now Time) *Event {
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
func (d *today) takeLate(m *memory, tick Time) *Event {
	s := &d.late[tick]
	if s.head == nil {
		return nil
	}
	d.last = s.head.events[d.begun] // a copy: the chunk may be free now
	d.added--
	if d.begun++; d.begun == s.head.n {
		d.begun = 0
		if s.head = m.release(s.head); s.head == nil {
			s.tail = nil
			d.lates[tick/64] &^= 1 << (tick % 64)
		}
	}
	return &d.last
}
