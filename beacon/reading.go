package beacon

import (
	"cmp"
	"slices"

	"lightcone/memo"
)

// MaxReading bounds the pings of a Reading.
const MaxReading = 8

// Reading is the maximal pings of a clock: none is in the past of another of them.
// There are at most MaxReading, the latest, ascending by author. It is derived from
// links, by everyone for himself, and never part of a memo.
type Reading []memo.Head

// Reading returns that of a clock, as far as its pings are remembered.
func (p *Pings) Reading(c Clock) Reading {
	points := p.maximal(c)
	slices.SortStableFunc(points, func(a, b *point) int { return cmp.Compare(b.time, a.time) })
	var r Reading
	for _, pt := range points[:min(len(points), MaxReading)] {
		r = append(r, pt.Head)
	}
	memo.SortDeps(r)
	return r
}

// maximal returns the pings of c that are remembered and that no other reaches,
// ascending by author.
func (p *Pings) maximal(c Clock) (out []*point) {
	var reached Clock
	// The latest first: they reach the others, unless those came later.
	for e := p.kept.points.Back(); e != nil; e = e.Prev() {
		pt := e.Value.(*point)
		if !pt.ping || c.Seq(pt.Author) != pt.Seq || reached.Covers(pt.Head) {
			continue
		}
		out, reached = append(out, pt), reached.join(pt.clock)
		if c.within(reached) {
			break
		}
	}
	all := slices.Clone(out)
	out = slices.DeleteFunc(out, func(pt *point) bool {
		return slices.ContainsFunc(all, func(o *point) bool { return o.Author != pt.Author && o.clock.Covers(pt.Head) })
	})
	slices.SortFunc(out, func(a, b *point) int { return a.Author.Compare(b.Author) })
	return out
}

// Refs chooses what a new ping of self refers to: the latest pings of the most
// active beacons that are known and, so that news of all others spreads too, of one
// at random, which random in [0,1) picks. Ascending by author, at most memo.MaxRefs.
func (p *Pings) Refs(self memo.Author, random float64) []memo.Head {
	var others []*chain
	for a, c := range p.chains {
		if a != self && !c.forked && c.pings[0].Seq > 0 {
			others = append(others, c)
		}
	}
	slices.SortFunc(others, func(a, b *chain) int { return a.activity(b) })
	if len(others) > memo.MaxRefs {
		rest := others[memo.MaxRefs-1:]
		others = append(others[:memo.MaxRefs-1:memo.MaxRefs-1], rest[int(random*float64(len(rest)))])
	}
	refs := make([]memo.Head, len(others))
	for i, c := range others {
		refs[i] = c.pings[0].Head
	}
	memo.SortDeps(refs)
	return refs
}

// activity orders chains, the more active beacon first: who wrote its last but one
// ping later pings more often.
func (c *chain) activity(o *chain) int {
	return cmp.Or(
		cmp.Compare(o.pings[1].Time, c.pings[1].Time), cmp.Compare(o.pings[0].Time, c.pings[0].Time),
		c.pings[0].Author.Compare(o.pings[0].Author),
	)
}
