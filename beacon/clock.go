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
	of *numbers
	at *places // nil: none

	// Since says where the clock may lack pings: only such that were written before it
	// (not at it, nor later). Zero: it lacks none.
	Since memo.Time
}

// chunkSize is how many beacons share a chunk: a ping moves a few places, so that its
// clock is a few new chunks and as many bytes as there are beacons by eight.
const chunkSize = 64

// places are seqs by the beacon's number, in chunks that clocks share; a nil chunk, or
// one beyond the last, is of zeros. Nothing of it changes once it is made.
type places struct {
	chunks []*chunk
	uses   int // by points of the index
}

type chunk struct {
	seqs [chunkSize]uint64
	uses int // by places in use
}

// numbers gives each beacon a small number, in order of appearance, so that a clock
// costs 8 bytes a beacon at most.
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

// chunks are those of the clock.
func (c Clock) chunks() []*chunk {
	if c.at == nil {
		return nil
	}
	return c.at.chunks
}

// chunkOf returns the i-th chunk, nil where all is zero.
func (c Clock) chunkOf(i int) *chunk {
	if all := c.chunks(); i < len(all) {
		return all[i]
	}
	return nil
}

// Seq returns the place of the latest ping of a that the clock reaches, 0 if none.
func (c Clock) Seq(a memo.Author) uint64 {
	if c.of == nil {
		return 0
	}
	i, ok := c.of.of[a]
	if !ok {
		return 0
	}
	if in := c.chunkOf(i / chunkSize); in != nil {
		return in.seqs[i%chunkSize]
	}
	return 0
}

// Covers reports whether the clock reaches a ping, or a memo before it in its chain.
func (c Clock) Covers(h memo.Head) bool { return h.Seq > 0 && c.Seq(h.Author) >= h.Seq }

// numbered yields the numbers of the beacons that the clock reaches, and the places of
// their pings.
func (c Clock) numbered() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		for i, in := range c.chunks() {
			if in == nil {
				continue
			}
			for k, seq := range in.seqs {
				if seq > 0 && !yield(i*chunkSize+k, seq) {
					return
				}
			}
		}
	}
}

// Len returns the number of beacons that the clock reaches.
func (c Clock) Len() (n int) {
	for range c.numbered() {
		n++
	}
	return n
}

// All yields the beacons and the places of their pings, ascending by beacon.
func (c Clock) All() iter.Seq2[memo.Author, uint64] {
	return func(yield func(memo.Author, uint64) bool) {
		var reached []memo.Author
		for i := range c.numbered() {
			reached = append(reached, c.of.names[i])
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
	out := make([]*chunk, max(len(c.chunks()), len(o.chunks())))
	for i := range out {
		out[i] = c.chunkOf(i).join(o.chunkOf(i))
	}
	return Clock{of: c.of, at: &places{chunks: out}, Since: since}
}

// join returns the greater of each two places: one of the chunks, if it has them all.
func (c *chunk) join(o *chunk) *chunk {
	switch {
	case o.within(c):
		return c
	case c.within(o):
		return o
	}
	out := &chunk{seqs: c.seqs}
	for i, seq := range o.seqs {
		out.seqs[i] = max(out.seqs[i], seq)
	}
	return out
}

// within reports whether o reaches all that c does.
func (c Clock) within(o Clock) bool {
	if c.at == o.at {
		return true
	}
	for i, in := range c.chunks() {
		if !in.within(o.chunkOf(i)) {
			return false
		}
	}
	return true
}

func (c *chunk) within(o *chunk) bool {
	switch {
	case c == o || c == nil:
		return true
	case o == nil:
		return false // no chunk is of zeros alone
	}
	for i, seq := range c.seqs {
		if seq > o.seqs[i] {
			return false
		}
	}
	return true
}

// with returns the clock that reaches a's ping too.
func (c Clock) with(n *numbers, a memo.Author, seq uint64) Clock {
	if seq <= c.Seq(a) {
		return c
	}
	i := n.number(a)
	out := make([]*chunk, max(len(c.chunks()), i/chunkSize+1))
	copy(out, c.chunks())
	in := &chunk{}
	if was := out[i/chunkSize]; was != nil {
		in.seqs = was.seqs
	}
	in.seqs[i%chunkSize] = seq
	out[i/chunkSize] = in
	return Clock{of: n, at: &places{chunks: out}, Since: c.Since}
}
