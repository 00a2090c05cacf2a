package beacon

import (
	"iter"
	"slices"

	"lightcone/memo"
)

// Clock tells of some memo how far each beacon's pings are in its past: beacon →
// seq of the latest one. It is a lower bound, and exact above Since. Clocks of one
// Pings share its numbering of beacons. The zero Clock has reached nothing.
type Clock struct {
	of   *numbers
	seqs []uint64 // by the beacon's number; missing ones are 0. Shared, never changed.

	// Since says where the clock may lack pings: only such that were written before it
	// (not at it, nor later). Zero: it lacks none.
	Since memo.Time
}

// numbers gives each beacon a small number, in order of appearance, so that a clock
// costs 8 bytes a beacon.
type numbers struct {
	of    map[memo.Author]int
	names []memo.Author
}

func newNumbers() *numbers { return &numbers{of: map[memo.Author]int{}} }

func (n *numbers) number(a memo.Author) int {
	i, ok := n.of[a]
	if !ok {
		i = len(n.names)
		n.of[a], n.names = i, append(n.names, a)
	}
	return i
}

// Seq returns the place of the latest ping of a that the clock reaches, 0 if none.
func (c Clock) Seq(a memo.Author) uint64 {
	if c.of == nil {
		return 0
	}
	i, ok := c.of.of[a]
	if !ok || i >= len(c.seqs) {
		return 0
	}
	return c.seqs[i]
}

// Covers reports whether the clock reaches a ping, or a memo before it in its chain.
func (c Clock) Covers(h memo.Head) bool { return h.Seq > 0 && c.Seq(h.Author) >= h.Seq }

// Len returns the number of beacons that the clock reaches.
func (c Clock) Len() (n int) {
	for _, seq := range c.seqs {
		if seq > 0 {
			n++
		}
	}
	return n
}

// All yields the beacons and the places of their pings, ascending by beacon.
func (c Clock) All() iter.Seq2[memo.Author, uint64] {
	return func(yield func(memo.Author, uint64) bool) {
		var reached []memo.Author
		for i, seq := range c.seqs {
			if seq > 0 {
				reached = append(reached, c.of.names[i])
			}
		}
		slices.SortFunc(reached, memo.Author.Compare)
		for _, a := range reached {
			if !yield(a, c.Seq(a)) {
				return
			}
		}
	}
}

// join returns what either reaches; what one may lack, both may.
func (c Clock) join(o Clock) Clock {
	since := max(c.Since, o.Since)
	switch {
	case o.within(c):
		c.Since = since
		return c
	case c.within(o):
		o.Since = since
		return o
	}
	long, short := c.seqs, o.seqs
	if len(short) > len(long) {
		long, short = short, long
	}
	seqs := slices.Clone(long)
	for i, seq := range short {
		seqs[i] = max(seqs[i], seq)
	}
	return Clock{of: c.of, seqs: seqs, Since: since}
}

// within reports whether o reaches all that c does.
func (c Clock) within(o Clock) bool {
	for i, seq := range c.seqs {
		if seq > 0 && (i >= len(o.seqs) || o.seqs[i] < seq) {
			return false
		}
	}
	return true
}

// with returns the clock that reaches a's ping too.
func (c Clock) with(n *numbers, a memo.Author, seq uint64) Clock {
	i := n.number(a)
	seqs := make([]uint64, max(len(c.seqs), i+1))
	copy(seqs, c.seqs)
	seqs[i] = max(seqs[i], seq)
	return Clock{of: n, seqs: seqs, Since: c.Since}
}
