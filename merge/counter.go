package merge

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"lightcone/memo"
)

// Counter is the state of a counter cell: a tally of every author, strictly
// ascending by author, and at least one. It is an immutable value.
type Counter struct {
	Tallies []Tally
}

// Tally is what one author added and took away in all, as its last operation on
// the counter says. K numbers the author's operations since Base, the row
// tombstone the author had seen (without its Seq; zero when none). A tally whose
// base is older than the row's tombstone is dropped: who clears a row clears
// what was counted by authors who did not know of it, too.
type Tally struct {
	Stamp       Stamp
	Base        Stamp
	K           uint64
	Plus, Minus uint64
}

// Value returns the sum of all tallies. A sum that no int64 holds is shown as the
// nearest one that does: the tallies keep counting beyond.
func (c *Counter) Value() int64 {
	var plus, minus sum
	for i := range c.Tallies {
		plus.add(c.Tallies[i].Plus)
		minus.add(c.Tallies[i].Minus)
	}
	if negative := plus.less(minus); negative {
		n := minus.minus(plus)
		if n.high > 0 || n.low > math.MaxInt64 {
			return math.MinInt64
		}
		return -int64(n.low)
	}
	n := plus.minus(minus)
	if n.high > 0 || n.low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n.low)
}

// sum is an integer of 128 bits: no number of authors makes it overflow.
type sum struct{ high, low uint64 }

func (s *sum) add(n uint64) {
	low, carry := bits.Add64(s.low, n, 0)
	s.low, s.high = low, s.high+carry
}

func (s sum) less(o sum) bool { return s.high < o.high || s.high == o.high && s.low < o.low }

// minus returns s-o, which must not be negative.
func (s sum) minus(o sum) sum {
	low, borrow := bits.Sub64(s.low, o.low, 0)
	return sum{high: s.high - o.high - borrow, low: low}
}

// countDelta returns what one operation of the memo stamped s makes of a counter.
func countDelta(s Stamp, c *memo.Count) *Counter {
	t := Tally{Stamp: s, K: c.K, Plus: c.Plus, Minus: c.Minus}
	switch {
	case c.Base.Own:
		t.Base = s.asBase()
	case !c.Base.IsZero():
		t.Base = Stamp{Time: c.Base.Time, Author: c.Base.Author, ID: c.Base.ID}
	}
	return &Counter{Tallies: []Tally{t}}
}

// asBase returns s as a counter's base: what a delta tells of a tombstone.
func (s Stamp) asBase() Stamp {
	s.Seq = 0
	return s
}

// of returns author's tally, nil when there is none. c may be nil.
func (c *Counter) of(author memo.Author) *Tally {
	if c == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(c.Tallies, author, func(t Tally, a memo.Author) int { return t.Stamp.Author.Compare(a) })
	if !ok {
		return nil
	}
	return &c.Tallies[i]
}

// join returns the greater tally of every author.
func (c *Counter) join(o *Counter) *Counter {
	x, y := c.Tallies, o.Tallies
	out := make([]Tally, 0, max(len(x), len(y)))
	for len(x) > 0 && len(y) > 0 {
		switch order := x[0].Stamp.Author.Compare(y[0].Stamp.Author); {
		case order < 0:
			out, x = append(out, x[0]), x[1:]
		case order > 0:
			out, y = append(out, y[0]), y[1:]
		default:
			best := x[0]
			if y[0].compare(&best) > 0 {
				best = y[0]
			}
			out, x, y = append(out, best), x[1:], y[1:]
		}
	}
	return &Counter{Tallies: append(append(out, x...), y...)}
}

// after returns c without the tallies that tombstone drops, nil when none stays.
func (c *Counter) after(tombstone Stamp) *Counter {
	dropped := func(t Tally) bool { return t.droppedBy(tombstone) }
	if !slices.ContainsFunc(c.Tallies, dropped) {
		return c
	}
	kept := slices.DeleteFunc(slices.Clone(c.Tallies), dropped)
	if len(kept) == 0 {
		return nil
	}
	return &Counter{Tallies: kept}
}

// includes reports whether joining d, under the tombstone of c's row, leaves c as
// it is.
func (c *Counter) includes(d *Counter, tombstone Stamp) bool {
	for i := range d.Tallies {
		t := &d.Tallies[i]
		held := c.of(t.Stamp.Author)
		if !t.droppedBy(tombstone) && (held == nil || held.compare(t) < 0) {
			return false
		}
	}
	return true
}

func (t *Tally) droppedBy(tombstone Stamp) bool { return t.Base.Compare(tombstone) < 0 }

// compare orders an author's tallies by (base, k, digest); two memos of a forked
// author can have the same base and k. What follows tells apart forged states only.
func (t *Tally) compare(o *Tally) int {
	return cmp.Or(
		t.Base.Compare(o.Base), cmp.Compare(t.K, o.K), t.Stamp.ID.Compare(o.Stamp.ID),
		t.Stamp.compareAll(o.Stamp), cmp.Compare(t.Plus, o.Plus), cmp.Compare(t.Minus, o.Minus),
	)
}
