package merge

// How far an edit reaches. Only keys decide where a level is cut, so a new value
// or child changes its node alone. For keys that come and go, let x be an item
// that begins a node, and c the domain that cut there; x is then the greatest in
// domain c of the 2w+1 items around it, its window.
//
//  1. c is the first domain in which x is the greatest of its window. For all
//     cuts keep w items from the ends of their run, halving too, as M ≥ 4w: the
//     window of x lies in its run, and hence in the runs of the domains before,
//     which were all cut further; the first that could cut at x did. So c can be
//     read off w keys to each side, and x began by halving if there is none.
//  2. No domain up to c cuts elsewhere within w of x, or its run would have
//     ended too near.
//  3. If x is cut in the same domain c before and after some edits, those on the
//     one side of it move nothing on the other. By (2) nothing within w of x is
//     cut in the domains up to c, and farther windows end at x. The lengths that
//     matter are those of runs that x lies in, of domains 1 to c, which were
//     longer than M both times. From domain c+1 on the runs end at x.
//
// Hence a region, which is what is cut anew, may end at x as soon as it is sure
// that x is still cut in c, whatever happens beyond:
//
//   - c = 0: x is greater than the w items next to it in the region. (Beyond,
//     either nothing changed or another region tells the same.) These then are
//     no peaks either, and no window in the region needs to see beyond it.
//   - 0 < c ≤ D: no key came or went within w of x, and the run of domain c around
//     x is longer than M, counting w items beyond, which are always there. With a
//     cut of a lower domain within w of x it would be no longer than 2w.
//   - by halving: never, since all of a halved run decides where it is halved.
//
// Otherwise the region grows by a page there. Cuts of domain d move within
// (d+1)·w of an edit, and where a run grows or shrinks past M within M of it, so
// a region is a few pages. Only a halved run is read whole. For one to be much
// longer than M, keys must be ground to have no peaks in any of the D+1 domains;
// an edit of it still makes few new nodes, since the greatest of the middle half
// rarely changes.

// region is a stretch of one level that is cut anew: neighbouring pages with
// the edits of their keys.
type region struct {
	parts []part
	keyed bool // an edit adds or removes a key: boundaries may move

	items []Item     // what the parts hold after their edits
	prios []priority // of the items in domain 0
	head  int        // so many first items were first before: no key came or went among them
	tail  int        // so many last ones were last before

	left, right *end // nil until looked at
	pieces      []piece
}

// part is a page and its edits.
type part struct {
	*page
	edits []edit
}

// piece is a node to be.
type piece struct {
	items []Item
	dom   int
}

// end is a boundary of the old level, at which a region ends.
type end struct {
	dom    int    // the domain in which it was cut, edge for the level's own; D+1 if by halving
	key    string // of the item after the boundary
	beyond *page  // outside the region; known where dom is above 0
}

// edge is the domain of the two ends of a level, which nothing cut.
const edge = -1

// side is an end of a region, as a step towards it.
type side int

const (
	neither side = 0
	left    side = -1
	right   side = +1
)

func (r *region) first() *page { return r.parts[0].page }
func (r *region) last() *page  { return r.parts[len(r.parts)-1].page }

// reset empties the region and keeps its memory.
func (r *region) reset() *region {
	clear(r.parts)
	clear(r.items)
	*r = region{parts: r.parts[:0], items: r.items[:0], prios: r.prios[:0], pieces: r.pieces[:0]}
	return r
}

// whole tells whether the region is all of its level.
func (r *region) whole() bool {
	return r.first().parent == nil || r.keyed && r.left.dom == edge && r.right.dom == edge
}

// anchored tells whether no later edit can move the region's left end: none
// cut it, or domain 0 did, because of items that the region holds.
func (r *region) anchored(p Params) bool {
	if r.keyed {
		return r.left.dom <= 0
	}
	return r.first().parent == nil || p.uncut(r.first().place.Dom)
}

// uncut tells of a node's domain that both its ends are natural cuts of domain
// 0 or ends of the level. Parts of a halved run are of domain D+1, which is 1
// if D is 0.
func (p Params) uncut(dom int) bool { return dom == 1 && p.D > 0 }

// assemble puts the edits into the items.
func (r *region) assemble(of *priorities) {
	r.items, r.prios, r.head = r.items[:0], r.prios[:0], -1
	moved := 0 // items up to the last key that came or went
	for _, part := range r.parts {
		old, next := part.Items, 0
		var prios []priority
		if r.keyed {
			prios = part.priorities(of)
		}
		keep := func(to int) {
			r.items = append(r.items, old[next:to]...)
			if r.keyed {
				r.prios = append(r.prios, prios[next:to]...)
			}
			next = to
		}
		for i := range part.edits {
			e := &part.edits[i]
			if e.effect == none {
				continue
			}
			keep(e.at)
			if e.effect == replaces {
				keep(e.at + 1)
				r.items[len(r.items)-1] = e.Item
				continue
			}
			if r.head < 0 {
				r.head = len(r.items)
			}
			if e.effect == removes {
				next++
			} else {
				r.items = append(r.items, e.Item)
				r.prios = append(r.prios, of.of(part.Level, 0, e.Key))
			}
			moved = len(r.items)
		}
		keep(len(old))
	}
	r.tail = len(r.items) - moved
}

// recut finds the nodes of a region with edits of keys. It returns the side on
// which the region has to grow first, neither when r.pieces holds.
func (r *region) recut(c *cutter) (side, error) {
	switch {
	case !r.leftHolds(c):
		return left, nil
	case !r.rightHolds(c):
		return right, nil
	}
	r.pieces = r.pieces[:0]
	c.emit = func(items []Item, dom int) error {
		r.pieces = append(r.pieces, piece{items, dom})
		return nil
	}
	return r.cut(c, 0, len(r.items), 0)
}

// leftHolds tells whether the item at the left end, which a domain up to D cut,
// still has the greatest priority of what its window holds of the region.
func (r *region) leftHolds(c *cutter) bool {
	switch {
	case r.left.dom == edge || r.head > c.W:
		return true
	case r.left.dom > 0 || r.head == 0 || len(r.items) <= c.W:
		return false
	}
	return above(r.prios[0], r.prios[1:c.W+1])
}

// rightHolds is leftHolds for the right end, whose item is beyond it.
func (r *region) rightHolds(c *cutter) bool {
	n := len(r.items)
	switch {
	case r.right.dom == edge || r.tail >= c.W:
		return true
	case r.right.dom > 0 || n < c.W:
		return false
	}
	return above(c.prios.of(c.n, 0, r.right.key), r.prios[n-c.W:])
}

func above(p priority, others []priority) bool {
	for i := range others {
		if !others[i].less(&p) {
			return false
		}
	}
	return true
}

// cut cuts items[lo:hi], a piece of domain dom-1, as cutter.split does. Where the
// run begins or ends with the region, it goes on beyond it in all domains up to
// the one that cut there.
func (r *region) cut(c *cutter, lo, hi, dom int) (side, error) {
	openLeft := lo == 0 && dom <= r.left.dom
	openRight := hi == len(r.items) && dom <= r.right.dom
	if dom > 0 {
		if !openLeft && !openRight {
			return neither, c.split(r.items[lo:hi], dom)
		}
		if grow := r.tooShort(c, hi-lo, dom, openLeft, openRight); grow != neither {
			return grow, nil
		}
	}
	var before, after []Item // what windows see beyond the region
	if openLeft && dom < r.left.dom {
		before = r.left.beyond.Items
		before = before[len(before)-c.W:]
	}
	if openRight && dom < r.right.dom {
		after = r.right.beyond.Items[:c.W]
	}
	found, from := peaks{w: c.W}, lo
	for i := lo - len(before); i < hi+len(after); i++ {
		var prio priority
		switch {
		case i < lo:
			prio = c.prios.of(c.n, dom, before[i-lo+len(before)].Key)
		case i >= hi:
			prio = c.prios.of(c.n, dom, after[i-hi].Key)
		case dom == 0:
			prio = r.prios[i]
		default:
			prio = c.prios.of(c.n, dom, r.items[i].Key)
		}
		at, ok := found.push(prio)
		if !ok {
			continue
		}
		at += lo - len(before)
		if grow, err := r.cut(c, from, at, dom+1); grow != neither || err != nil {
			return grow, err
		}
		from = at
	}
	return r.cut(c, from, hi, dom+1)
}

// tooShort tells whether a run that an end of the region was cut from, in
// domain dom, may be so short now that it is not cut at all, or not there. Beyond
// an end that stays the run has at least w items more, whatever other edits there
// are.
func (r *region) tooShort(c *cutter, size, dom int, openLeft, openRight bool) side {
	if openLeft {
		size += c.W
	}
	if openRight {
		size += c.W
	}
	switch {
	case size > c.M:
		return neither
	case openLeft && dom == r.left.dom:
		return left
	case openRight && dom == r.right.dom:
		return right
	}
	return neither // a later domain, or a run inside this one, decides
}
