package beacon

import (
	"container/list"
	"slices"

	"lightcone/memo"
)

const (
	// maxPoints bounds what is remembered of one chain: the last places at which its
	// clock moved.
	maxPoints = 64
	// clockBudget bounds what is remembered of all, in bytes: where beacons are many
	// the clocks of the last pings, whosever they are. What is asked about memos before
	// those a walk decides.
	clockBudget = 32 << 20
	// pointBytes, placesBytes and chunkBytes are what a point takes beside its clock,
	// places beside the pointers to their chunks, and a chunk; on machines of 64 bits.
	pointBytes, placesBytes, chunkBytes = 192, 32, 8*chunkSize + 64
	// pointerBytes is a pointer to a chunk.
	pointerBytes = 8
)

// kept is the points of all chains, and what they take. Chunks that several share count
// once.
type kept struct {
	points list.List // of *point, in the order in which they came
	bytes  int
	budget int
}

// point is a memo at which its chain's clock moved: a ping, or the first memo that
// has some other beacon's ping in its past.
type point struct {
	memo.Head
	time  memo.Time
	clock Clock
	ping  bool
	of    *chain
	in    *list.Element // of kept.points
}

// add remembers a point, and forgets the oldest that there is no room for.
func (k *kept) add(c *chain, pt *point) {
	pt.of, pt.in = c, k.points.PushBack(pt)
	c.points = append(c.points, pt)
	k.bytes += pointBytes
	k.hold(pt.clock)
	if len(c.points) > maxPoints {
		k.forget(c)
	}
	k.shrink()
}

// shrink forgets the oldest points that there is no room for, whosever they are.
func (k *kept) shrink() {
	for k.bytes > k.budget && k.points.Len() > 1 {
		k.forget(k.points.Front().Value.(*point).of)
	}
}

// forget drops the oldest point of a chain.
func (k *kept) forget(c *chain) {
	pt := c.points[0]
	c.forgot = pt.time + 1
	c.points = slices.Delete(c.points, 0, 1)
	k.points.Remove(pt.in)
	k.bytes -= pointBytes
	k.release(pt.clock)
}

// hold counts a clock that a point has.
func (k *kept) hold(c Clock) { k.count(c, 1) }

// release counts a clock that a point has no more.
func (k *kept) release(c Clock) { k.count(c, -1) }

// count adds a use of a clock, or takes one away. Bytes are those of what is used at all.
func (k *kept) count(c Clock, by int) {
	if c.at == nil || !turns(&c.at.uses, by) {
		return
	}
	k.bytes += by * (placesBytes + pointerBytes*len(c.at.chunks))
	for _, in := range c.at.chunks {
		if in != nil && turns(&in.uses, by) {
			k.bytes += by * chunkBytes
		}
	}
}

// turns adds to a number of uses, and reports whether it was the first or the last one.
func turns(uses *int, by int) bool {
	was := *uses
	*uses += by
	return was == 0 || *uses == 0
}
