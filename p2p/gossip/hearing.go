package gossip

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/dchest/siphash"

	"lightcone/memo"
)

// This file decides which published memos are heard, where more are offered than the
// owner can attach. Hearing is not relaying: the topic carries what is not heard.

const (
	// stretch is how many memos of a chain share one coin.
	stretch = 1024
	// leastHeard is the least probability that a memo is heard, whatever is offered.
	leastHeard = 1.0 / 64
	// fairSlack is how many times the mean of its space an author may write before it
	// is over its fair share; overWeight is what its memos weigh then.
	fairSlack, overWeight = 2, 0.25
	// hearShare is the share of the budget that hearing has; recon brings what is
	// missing in front of what is heard.
	hearShare = 3.0 / 4
	// floodHears is that share in the first floodTime of a flood in a space that adopts,
	// adoptHears the one after that. A memo that is heard is one unit; a root costs the
	// leaves that differ too, which is more until it covers much.
	floodHears, adoptHears = 5.0 / 8, 1.0 / 16
	floodTime              = 16 * time.Second
	// rateOver is how many seconds the mean of a rate is over.
	rateOver = 4
	// maxVoices bounds the authors of a space whose rates are known.
	maxVoices = 4096
	// wantedFor is how long an author whom a reader waits for is heard in any case.
	wantedFor = 10 * time.Second
	// pullsWithin is how many seconds of budget a peer's lead may be in a space that
	// adopts, for its memos to be taken: where there are more, a root is cheaper.
	pullsWithin = 2
)

// Chance returns p_hear of a space: the probability that a memo by an author who writes
// no more than others is heard now.
func (c *Core) Chance(id memo.SpaceID) float64 {
	if s := c.spaces[id]; s != nil {
		return c.hearChance(s)
	}
	return 1
}

// HearingStats counts memos offered by the topic, and what became of them.
type HearingStats struct {
	Heard  int // handed to the owner
	Coin   int // passed by: more is offered than can be attached
	Budget int // passed by: this second's budget was spent
	Gap    int // passed by: memos before them are not here; recon or a root brings them
	Roots  int // of others that are news and were passed by: more came than can be merged
}

// hearing is what a space knows of its traffic.
type hearing struct {
	second  second
	offered flow                  // λ: memos that are offered
	voices  map[memo.Author]*flow // of each author
	active  int                   // voices that are heard of, lately
	wanted  map[memo.Author]time.Time
	flooded time.Time // since when more is offered than can be attached; zero: it is not
	flood   bool      // it still is, and not for long
}

// flow is how much of something comes in a second.
type flow struct {
	count int     // in the second under way
	last  int     // in the one before
	rate  float64 // mean of the seconds before
}

// pass takes so many seconds that are over into the mean.
func (f *flow) pass(seconds float64) {
	keep := math.Pow(1-1.0/rateOver, seconds)
	f.rate = f.rate*keep + float64(f.count)/seconds*(1-keep)
	f.last, f.count = f.count, 0
}

// now is the mean, or what came already where that is more: a flood shows before its
// second is over.
func (f *flow) now() float64 { return max(f.rate, float64(f.count)) }

// second is when the second under way began.
type second struct{ since time.Time }

// over returns how many seconds there were when it is over, and begins the next; else 0.
func (s *second) over(now time.Time) float64 {
	if s.since.IsZero() {
		s.since = now
	}
	d := now.Sub(s.since).Seconds()
	if d < 1 {
		return 0
	}
	s.since = now
	return d
}

// load takes what the owner can do.
func (c *Core) load(in Load) {
	c.budget.rate = int(in.Capacity)
	c.backlog = max(0, in.Backlog)
}

// hears decides about a published run, and counts what it decides.
func (c *Core) hears(now time.Time, s *space, m *member, r *memo.Run) bool {
	n, h := len(r.Memos), &c.stats.Hearing
	author := r.Author()
	s.hearing.offer(author, n)
	if c.budget.rate == 0 {
		h.Heard += n
		return true
	}
	pressed := c.pressed(s)
	free := c.budget.free(now, forHeard)
	switch {
	case pressed && !c.must(now, s, r) && !c.coin(s, r, c.crush(free)):
		h.Coin += n
		return false
	case pressed && c.gap(s, r):
		h.Gap += n
		m.orphan, m.orphanAt = r.Head(), now
		return false
	case free < n:
		h.Budget += n
		return false
	}
	h.Heard += n
	c.budget.take(now, n, forHeard)
	return true
}

// gap reports whether memos are missing in front of a run: it would only wait.
func (c *Core) gap(s *space, r *memo.Run) bool {
	own, _ := c.cfg.Holdings.Had(s.id).Get(r.Author())
	return r.FirstSeq() > own.Seq+1
}

// must reports whether a run is heard whatever is offered: it bears on who may write,
// or somebody here waits for its author or for one of its rows.
func (c *Core) must(now time.Time, s *space, r *memo.Run) bool {
	if s.hearing.wanted[r.Author()].After(now) {
		return true
	}
	for _, m := range r.Memos {
		switch m.Kind() {
		case memo.KindGenesis, memo.KindGrant, memo.KindRevoke, memo.KindForkProof:
			return true
		}
		if c.cfg.Cares != nil && c.cfg.Cares(m) {
			return true
		}
	}
	return false
}

// coin tosses for a run. The coin of a stretch of a chain is the same each time and
// nobody else knows it: of a chain that is heard the next memos are heard too, peers
// choose different chains, and nobody can write around all of them.
func (c *Core) coin(s *space, r *memo.Run, crush float64) bool {
	author := r.Author()
	p := c.chance(s, author) * crush
	return c.toss(author, r.FirstSeq()) < p || c.toss(author, r.Head().Seq) < p
}

// toss is the coin of the stretch of a chain that seq is in.
func (c *Core) toss(a memo.Author, seq uint64) float64 {
	msg := binary.BigEndian.AppendUint64(a[:], seq/stretch)
	key := c.cfg.LocalSecret
	sum := siphash.Hash(binary.BigEndian.Uint64(key[:8]), binary.BigEndian.Uint64(key[8:]), msg)
	return float64(sum>>11) / (1 << 53)
}

// crush is what the probability is multiplied with as a second fills up, so that where
// more chains are heard than there is room for some lose all and not all lose some.
func (c *Core) crush(free int) float64 {
	return min(1, float64(free)/float64(c.budget.rate)/(1-hearShare))
}

// chance is the probability that memos of an author are heard.
func (c *Core) chance(s *space, a memo.Author) float64 {
	p := c.hearChance(s)
	if p < 1 && s.hearing.loud(a) {
		p *= overWeight
	}
	return max(leastHeard, p)
}

// hearChance is p_hear of an author who writes no more than others: the budget for
// hearing by what is offered, in all spaces.
func (c *Core) hearChance(s *space) float64 {
	if c.budget.rate == 0 {
		return 1
	}
	offered := 0.0
	for _, id := range c.order {
		offered += c.spaces[id].hearing.offered.now()
	}
	room := max(0, float64(c.budget.rate-c.backlog))
	switch {
	case offered <= room:
		return 1
	case !c.cfg.Holdings.Adopts(s.id):
		room *= hearShare
	case s.hearing.flood || s.hearing.flooded.IsZero():
		room *= floodHears
	default:
		room *= adoptHears
	}
	return max(leastHeard, room/offered)
}

// pressed reports whether more is offered than can be attached.
func (c *Core) pressed(s *space) bool { return c.hearChance(s) < 1 }

// takesRuns reports whether recon should bring the memos of a space: not where a root
// that is known of brings more of them at less cost.
func (c *Core) takesRuns(s *space) bool {
	if !c.stood(s) {
		return true
	}
	most := uint64(0)
	for _, o := range s.roots.sightings {
		most = max(most, o.Memos)
	}
	held := count(c.cfg.Holdings.Vector(s.id))
	return !c.pressed(s) && (most <= held || !c.many(s, most-held))
}

// stood reports whether roots may have to stand for memos of a space.
func (c *Core) stood(s *space) bool { return c.budget.rate > 0 && c.cfg.Holdings.Adopts(s.id) }

// many reports whether so many memos are better brought by a root.
func (c *Core) many(s *space, memos uint64) bool {
	return c.stood(s) && memos > uint64(pullsWithin*c.budget.rate)
}

// attend keeps units for hearing while a flood is new in a space where roots bring the
// rest.
func (c *Core) attend(now time.Time, s *space) {
	h := &s.hearing
	if h.flood = false; !c.stood(s) || !c.pressed(s) {
		h.flooded = time.Time{}
		return
	}
	if h.flooded.IsZero() {
		h.flooded = now
	}
	lately := max(h.offered.last, h.offered.count)
	if h.flood = now.Sub(h.flooded) < floodTime && lately > c.budget.rate; h.flood {
		c.budget.kept += floodHears * float64(c.budget.rate)
	}
}

// listens tells whether the memos of a chain behind seq are heard.
func (c *Core) listens(s *space, a memo.Author, seq uint64) bool {
	_, wanted := s.hearing.wanted[a]
	return wanted || s.hearing.flood && c.toss(a, seq+1) < c.chance(s, a)
}

// offer counts memos of an author.
func (h *hearing) offer(a memo.Author, n int) {
	h.offered.count += n
	v := h.voices[a]
	if v == nil {
		if len(h.voices) >= maxVoices {
			return
		}
		if h.voices == nil {
			h.voices = map[memo.Author]*flow{}
		}
		v = &flow{}
		h.voices[a] = v
	}
	v.count += n
}

// loud reports whether an author writes more than its fair share.
func (h *hearing) loud(a memo.Author) bool {
	v := h.voices[a]
	return v != nil && v.rate*float64(h.active) > fairSlack*h.offered.rate
}

// pass lets time pass: seconds that are over go into the means.
func (h *hearing) pass(now time.Time) {
	d := h.second.over(now)
	if d == 0 {
		return
	}
	h.offered.pass(d)
	h.active = 0
	for a, v := range h.voices { // each on its own: the order does not show
		v.pass(d)
		if v.rate < 1.0/64 {
			delete(h.voices, a)
			continue
		}
		h.active++
	}
	for a, until := range h.wanted {
		if !until.After(now) {
			delete(h.wanted, a)
		}
	}
}

// wait notes that somebody waits for memos of these heads' authors.
func (h *hearing) wait(now time.Time, heads []memo.Head) {
	for _, x := range heads {
		if h.wanted == nil {
			h.wanted = map[memo.Author]time.Time{}
		}
		if len(h.wanted) < maxVoices {
			h.wanted[x.Author] = now.Add(wantedFor)
		}
	}
}
