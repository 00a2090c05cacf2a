package gossip

import (
	"slices"
	"time"

	"lightcone/internal/portable"
	"lightcone/memo"
)

// This file decides which published memos are heard, where more are offered than the
// owner can attach. Hearing is not relaying: the topic carries what is not heard.

const (
	// rateOver is how many seconds the mean of a rate is over.
	rateOver = 4
	// wantedFor is how long an author whom a reader waits for is heard in any case.
	wantedFor = 10 * time.Second
	// firstVoices is for how many authors a space has room when it hears the first one.
	firstVoices = 4
	// pullsWithin is how many seconds of budget a peer's lead may be in a space that
	// adopts, for its memos to be taken: where there are more, a root is cheaper.
	pullsWithin = 2
)

// Chance returns p_hear of a space: the probability that a memo by an author who writes
// no more than others is heard now.
func (c *Core) Chance(id memo.SpaceID) float64 {
	if s := c.spaces[id]; s != nil {
		return s.Chance(&c.budget, c.terms(s))
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
	offered flow      // λ: memos that are offered
	voices  []voice   // of each author, ascending
	flooded time.Time // since when more is offered than can be attached; zero: it is not
	flood   bool      // it still is, and not for long
	active  int32     // voices that are heard of, lately
	wanted  map[memo.Author]time.Time
}

// voice is what an author offers.
type voice struct {
	author memo.Author
	flow
}

// flow is how much of something comes in a second.
type flow struct {
	count int32   // in the second under way
	last  int32   // in the one before
	rate  float64 // mean of the seconds before
}

// keeps is the weight of the mean before, when so many seconds are over.
func keeps(seconds float64) float64 { return portable.Pow(1-1.0/rateOver, seconds) }

// pass takes so many seconds that are over into the mean.
func (f *flow) pass(seconds, keep float64) {
	f.rate = float64(f.rate*keep) + float64(float64(f.count)/seconds*(1-keep))
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
func (c *Core) load(in Load) { c.budget.Bound(int(in.Capacity), in.Backlog) }

// terms are what is decided under in a space.
func (c *Core) terms(s *space) *Terms {
	t := &c.under
	*t = Terms{Secret: c.cfg.LocalSecret, Adopts: c.cfg.Holdings.Adopts(s.id)}
	for _, id := range c.order {
		if id != s.id {
			t.Elsewhere += c.spaces[id].Offered()
		}
	}
	return t
}

// hears decides about a published run, and counts what it decides.
func (c *Core) hears(now time.Time, s *space, m *member, r *memo.Run) bool {
	o := Offer{Author: r.Author(), First: r.FirstSeq(), Last: r.Head().Seq}
	if c.budget.rate > 0 {
		o.Must, o.Gap = c.must(now, s, r), c.gap(s, r)
	}
	n, h := len(r.Memos), &c.stats.Hearing
	switch s.Hear(now, &c.budget, c.terms(s), o) {
	case PassByCoin:
		h.Coin += n
	case PassByGap:
		h.Gap += n
		m.orphan, m.orphanAt = r.Head(), now
	case PassByBudget:
		h.Budget += n
	default:
		h.Heard += n
		return true
	}
	return false
}

// gap reports whether memos are missing in front of a run: it would only wait.
func (c *Core) gap(s *space, r *memo.Run) bool {
	own, _ := c.cfg.Holdings.Had(s.id).Get(r.Author())
	return r.FirstSeq() > own.Seq+1
}

// must reports whether a run is heard whatever is offered: it is of the own chain, which
// this replica lost then, it bears on who may write, or somebody here waits for its
// author or for one of its rows.
func (c *Core) must(now time.Time, s *space, r *memo.Run) bool {
	if r.Author() == c.cfg.Self || s.hearing.wanted[r.Author()].After(now) {
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

// pressed reports whether more is offered than can be attached.
func (c *Core) pressed(s *space) bool { return s.pressed(&c.budget, c.terms(s)) }

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

// offer counts memos of an author.
func (h *hearing) offer(a memo.Author, n int) {
	h.offered.count += int32(n)
	i, known := h.voice(a)
	if !known {
		if len(h.voices) >= maxVoices {
			return
		}
		if h.voices == nil {
			h.voices = make([]voice, 0, firstVoices)
		}
		h.voices = slices.Insert(h.voices, i, voice{author: a})
	}
	h.voices[i].count += int32(n)
}

// voice returns the place of an author, and whether it is known.
func (h *hearing) voice(a memo.Author) (int, bool) {
	return slices.BinarySearchFunc(h.voices, a, func(v voice, a memo.Author) int { return v.author.Compare(a) })
}

// loud reports whether an author writes more than its fair share.
func (h *hearing) loud(a memo.Author) bool {
	i, known := h.voice(a)
	return known && h.voices[i].rate*float64(h.active) > fairSlack*h.offered.rate
}

// pass takes so many seconds that are over into the means.
func (h *hearing) pass(now time.Time, d float64) {
	keep := keeps(d)
	h.offered.pass(d, keep)
	for i := range h.voices {
		h.voices[i].pass(d, keep)
	}
	h.voices = slices.DeleteFunc(h.voices, func(v voice) bool { return v.rate < quiet })
	h.active = int32(len(h.voices))
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
