package beacon

import (
	"cmp"
	"slices"

	"lightcone/memo"
)

// maxHoles bounds the refs to pings that are not here. The oldest are given up:
// the clocks above them stay inexact.
const maxHoles = 256

// Ping is a ping as the index knows it.
type Ping struct {
	memo.Head
	Time    memo.Time
	VecRoot memo.ID     // its claim; zero: none
	Refs    []memo.Head // not to be changed
}

// Pings is the index of the pings of one space: of each beacon the latest, and the
// clocks by which questions are answered without a walk. It belongs to its owner and
// holds nothing but what Add gave it. Clocks that were handed out stay as they are.
type Pings struct {
	chains  map[memo.Author]*chain
	numbers *numbers
	kept    kept
	holes   []hole
	// since: nothing is known of what memos linked to that were written before it.
	since, latest memo.Time
}

// chain is what one author's memos told.
type chain struct {
	points []*point  // ascending by seq
	forgot memo.Time // just above the newest point that was dropped; 0: none was
	head   uint64    // the last memo that was added
	pings  [2]Ping   // the latest, and the one before
	// forked: two memos of one place are known, so a place says nothing any more.
	forked bool
}

// hole is a ref to a ping that is not here yet.
type hole struct {
	by, to memo.Head
	time   memo.Time // of by
}

// NewPings returns an index of the memos that are added from now on. cut is what was
// attached before, latest the last pings in it, one a beacon, as far as they are known.
func NewPings(cut memo.Vector, latest []*memo.Memo) *Pings {
	p := &Pings{chains: map[memo.Author]*chain{}, numbers: newNumbers(), kept: kept{budget: clockBudget}}
	for m := range cut.All() {
		p.chain(m.Author).head = m.Seq
		p.latest, p.since = max(p.latest, m.Time), max(p.since, m.Time+1)
	}
	for _, m := range latest {
		if body, ok := m.Body.(*memo.Ping); ok && cut.Covers(m.Author, m.Seq) {
			c := p.chain(m.Author)
			c.pings[0] = pingOf(m, body)
			p.point(c, m, Clock{}.with(p.numbers, m.Author, m.Seq), true)
		}
	}
	return p
}

func (p *Pings) chain(a memo.Author) *chain {
	c := p.chains[a]
	if c == nil {
		c = &chain{}
		p.chains[a] = c
	}
	return c
}

// Add takes in a memo that attached. Memos are added as they attach, causes first;
// one at or below a place that was added already is of another branch and skipped.
func (p *Pings) Add(m *memo.Memo) {
	body, isPing := m.Body.(*memo.Ping)
	c := p.chain(m.Author)
	if m.Seq <= c.head {
		return
	}
	if m.Seq > c.head+1 {
		p.unknown(c, m.Author, m.Time)
	}
	c.head = m.Seq
	p.latest = max(p.latest, m.Time)
	if isPing {
		c.pings = [2]Ping{pingOf(m, body), c.pings[0]}
	}
	if c.forked {
		return
	}
	before := p.clock(c)
	now := before
	for _, d := range m.Deps {
		now = now.join(p.through(d, m.Time))
	}
	if isPing {
		p.ping(c, m, body, now)
	} else if now.Since != before.Since || !now.within(before) {
		p.point(c, m, now, false)
	}
}

// ping takes in a ping; now is what its chain and its causes reach.
func (p *Pings) ping(c *chain, m *memo.Memo, body *memo.Ping, now Clock) {
	var missing []memo.Head
	for _, r := range body.Refs {
		clock, here := p.ref(r, m.Time)
		if now = now.join(clock); !here {
			missing = append(missing, r)
		}
	}
	now = now.with(p.numbers, m.Author, m.Seq)
	p.point(c, m, now, true)
	for _, r := range missing {
		p.open(hole{by: m.Head(), to: r, time: m.Time})
	}
	p.fill(m.Head(), now)
}

func (p *Pings) point(c *chain, m *memo.Memo, now Clock, ping bool) {
	p.kept.add(c, &point{Head: m.Head(), time: m.Time, clock: now, ping: ping})
}

func pingOf(m *memo.Memo, body *memo.Ping) Ping {
	return Ping{Head: m.Head(), Time: m.Time, VecRoot: body.VecRoot, Refs: body.Refs}
}

// clock is that of the chain's newest memo.
func (p *Pings) clock(c *chain) Clock { return p.clockAt(c, c.head) }

// clockAt is that of the memo at a place of a chain, as far as it is remembered.
func (p *Pings) clockAt(c *chain, seq uint64) Clock {
	if i := c.before(seq); i > 0 {
		return c.points[i-1].clock
	}
	return p.forgotten(c, seq, c.forgot)
}

// forgotten is the clock of the memo at a place of which no point is left: of the last
// pings of its chain it is known at least that they are reached. Nothing else that it
// reaches was written at since or later.
func (p *Pings) forgotten(c *chain, seq uint64, since memo.Time) Clock {
	out := Clock{Since: since}
	for _, last := range c.pings {
		if 0 < last.Seq && last.Seq <= seq {
			return out.with(p.numbers, last.Author, last.Seq)
		}
	}
	return out
}

// before returns the number of points up to seq.
func (c *chain) before(seq uint64) int {
	i, found := slices.BinarySearchFunc(c.points, seq, func(p *point, seq uint64) int { return cmp.Compare(p.Seq, seq) })
	if found {
		i++
	}
	return i
}

// through is the clock of an attached memo, nothing of which is written at t or later.
func (p *Pings) through(h memo.Head, t memo.Time) Clock {
	c := p.chains[h.Author]
	switch {
	case c == nil || h.Seq > c.head || c.forked: // it came with a state, or may be of another branch
		return Clock{Since: t}
	}
	out := p.clockAt(c, h.Seq)
	// What is forgotten of the chain may be later. A clock that may lack pings of its own
	// future would be that of the next memo too, which lacks some, and is not remembered.
	out.Since = min(out.Since, t)
	return out
}

// ref is the clock of a ping that a ping written at t refers to, and whether that is
// here: what is not counts once it comes, whatever place it claims.
func (p *Pings) ref(r memo.Head, t memo.Time) (clock Clock, here bool) {
	c := p.chains[r.Author]
	if c == nil || r.Seq > c.head && !c.forked {
		return Clock{}, false
	}
	if i := c.before(r.Seq); i > 0 && c.points[i-1].Head == r && c.points[i-1].ping {
		return c.points[i-1].clock, true
	}
	for _, last := range c.pings {
		if last.Head == r && !c.forked { // forgotten, and the rest of its past is older
			return p.forgotten(c, r.Seq, last.Time), true
		}
	}
	return Clock{Since: t}, true // of another branch, forgotten, or no ping: it never counts
}

func (p *Pings) open(h hole) {
	if len(p.holes) == maxHoles {
		given := p.holes[0]
		p.holes = slices.Delete(p.holes, 0, 1)
		p.above(given.by, Clock{Since: given.time})
	}
	p.holes = append(p.holes, h)
}

// fill closes the holes where the ping h was missing.
func (p *Pings) fill(h memo.Head, clock Clock) {
	p.holes = slices.DeleteFunc(p.holes, func(o hole) bool {
		if o.to == h {
			p.above(o.by, clock)
		}
		return o.to == h
	})
}

// above joins a clock into those that reach a ping.
func (p *Pings) above(ping memo.Head, clock Clock) {
	for _, c := range p.chains {
		for i := range c.points {
			if c.points[i].clock.Covers(ping) {
				was := c.points[i].clock
				c.points[i].clock = was.join(clock)
				p.kept.hold(c.points[i].clock)
				p.kept.release(was)
			}
		}
	}
}

// Skip says that memos up to a mark attached whose links are not known: they came as a
// state.
func (p *Pings) Skip(m memo.Mark) {
	c := p.chain(m.Author)
	if m.Seq <= c.head {
		return
	}
	p.unknown(c, m.Author, m.Time+1)
	c.head, p.latest = m.Seq, max(p.latest, m.Time)
}

// unknown says that nothing is known of the memos of a chain behind its head, which
// were written before t: from there on its clock may lack pings.
func (p *Pings) unknown(c *chain, a memo.Author, t memo.Time) {
	now := p.clock(c)
	now.Since = max(now.Since, t)
	p.kept.add(c, &point{Head: memo.Head{Author: a, Seq: c.head + 1}, time: t, clock: now})
}

// Fork says that a forked its chain: places in it say nothing any more, and nothing
// is answered through it but by walks. Forks are rare: what was learned so far is
// dropped as a whole, for parts of it may have come by the chain.
func (p *Pings) Fork(a memo.Author) {
	if p.chain(a).forked {
		return
	}
	p.chain(a).forked = true
	for _, c := range p.chains {
		for len(c.points) > 0 {
			p.kept.forget(c)
		}
		c.points, c.forgot = nil, 0
	}
	p.holes, p.since = nil, p.latest+1
}

// Forked reports whether a is known to have forked its chain.
func (p *Pings) Forked(a memo.Author) bool {
	c := p.chains[a]
	return c != nil && c.forked
}

// Clock returns the clock of an attached memo.
func (p *Pings) Clock(h memo.Head) Clock {
	if p.Forked(h.Author) {
		return Clock{Since: memo.MaxTime}
	}
	return p.settle(p.through(h, memo.MaxTime))
}

// ClockOf returns the clock of a cut.
func (p *Pings) ClockOf(cut memo.Vector) (all Clock) {
	for m := range cut.All() {
		all = all.join(p.through(m.Head, m.Time+1))
	}
	return p.settle(all)
}

// settle adds what is lacking now for all clocks, or for this one.
func (p *Pings) settle(c Clock) Clock {
	c.Since = max(c.Since, p.since)
	for _, h := range p.holes {
		if c.Covers(h.by) {
			c.Since = max(c.Since, h.time)
		}
	}
	return c
}

// Latest returns the latest ping of each beacon, ascending by beacon.
func (p *Pings) Latest() (out []Ping) {
	for _, c := range p.chains {
		if c.pings[0].Seq > 0 {
			out = append(out, c.pings[0])
		}
	}
	slices.SortFunc(out, func(a, b Ping) int { return a.Author.Compare(b.Author) })
	return out
}
