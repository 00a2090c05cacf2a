package gossip

import (
	"bytes"
	"slices"
	"time"

	"lightcone/memo"
)

// This file decides which roots are announced, and what is learnt from those that
// others announce.

// Limits of what is remembered of roots, per space, and of who may make us do so.
const (
	// maxSightings bounds the roots heard of that are remembered: the newest.
	maxSightings = 128
	// maxCovers bounds the roots whose vectors are remembered, of at most maxHas
	// authors each: the newest made or fetched here.
	maxCovers = 8
	// One peer's announcements are taken announceEvery apart, after announceBurst of
	// them; an honest one makes one in a shortest interval, which is longer.
	announceEvery, announceBurst = announceListen, 4
	// Announcements of peers that we do not know, signed by anybody, are counted for
	// the member that relays them.
	relayEvery, relayBurst = 100 * time.Millisecond, 32
)

// RootStats counts announcements of roots.
type RootStats struct {
	Announced  int // published here
	Suppressed int // roots made here that needed none: one as good was heard
	Heard      int // that came, of these:
	News       int // of roots not known, and of cuts not held
	Dropped    int // above the rate of who made or relayed them, or before the genesis
	Alarms     int // of a cut held here, with another state than was computed here
}

// roots is what a space knows of roots.
type roots struct {
	own       *Folded    // the newest made here; nil: none
	authors   uint64     // N̂: of the last day, as the owner's beacons tell; 0: they do not
	said      *Folded    // that was announced last
	echoed    uint64     // own memos that a root of others has, as its vector shows
	settled   bool       // own was announced, or one as good was heard
	sightings []sighting // heard last, last
	covers    []cover    // newest last
}

// sighting is a root that others announced.
type sighting struct {
	*Announcement
	at    time.Time // when it was heard last
	peers uint64    // the most that any announcement of it says
}

// cover is what a root is known to cover.
type cover struct {
	id     memo.ID // of the encoded root; zero: not made here, its state is a claim
	vector memo.ID
	marks  memo.Vector
}

func (r *roots) sighted(id memo.ID) *sighting {
	for i := range r.sightings {
		if r.sightings[i].ID == id {
			return &r.sightings[i]
		}
	}
	return nil
}

// cover returns what is known of roots with this vector.
func (r *roots) cover(vector memo.ID) (cover, bool) {
	i := slices.IndexFunc(r.covers, func(k cover) bool { return k.vector == vector })
	if i < 0 {
		return cover{}, false
	}
	return r.covers[i], true
}

// remember notes what a root covers. What was made here replaces what was fetched.
func (r *roots) remember(k cover) {
	if k.marks.Len() > maxHas {
		return
	}
	if old, ok := r.cover(k.vector); ok && k.id.IsZero() && !old.id.IsZero() {
		return
	}
	r.covers = slices.DeleteFunc(r.covers, func(o cover) bool { return o.vector == k.vector })
	if len(r.covers) == maxCovers {
		r.covers = slices.Delete(r.covers, 0, 1)
	}
	r.covers = append(r.covers, k)
}

// folded takes a root made here: it is news unless one as good was heard.
func (c *Core) folded(now time.Time, in Folded, e *Effects) {
	s := c.spaces[in.Space]
	if s == nil || in.Err != nil || in.Vector.Len() == 0 {
		return
	}
	r := &s.roots
	r.authors = in.Authors
	if own := r.own; own != nil {
		older := own.Vector.CoversAll(in.Vector) && !in.Vector.CoversAll(own.Vector)
		if own.ID == in.ID || older {
			return
		}
	}
	r.own, r.settled = &in, false
	r.remember(cover{id: in.ID, vector: in.Root.Vector, marks: in.Vector})
	for _, o := range r.sightings {
		if o.Root.Vector == in.Root.Vector {
			c.compare(s, o.Announcement, e)
		}
	}
	if c.asGood(s, time.Time{}) {
		r.settled = true
		c.stats.Roots.Suppressed++
		return
	}
	s.Makes(now, c.peersOf(s), c.rng)
}

// peersOf returns how many peers a space has, as far as is known: those we know, or those
// who write, lately where beacons tell that.
func (c *Core) peersOf(s *space) uint64 {
	writers := s.roots.authors
	if writers == 0 {
		writers = uint64(c.cfg.Holdings.Vector(s.id).Len())
	}
	if s.roots.own != nil && s.roots.tells(c.cfg.Self) {
		return Tellers(writers)
	}
	return max(writers, uint64(len(s.members))+1)
}

// fetched remembers what roots cover whose vectors were brought and checked.
func (c *Core) fetched(e *Effects) {
	for _, f := range e.Fetched {
		if s := c.spaces[f.Space]; s != nil && f.Err == nil {
			s.roots.remember(cover{vector: f.Made.Vector, marks: f.Vector})
			if mine, ok := f.Vector.Get(c.cfg.Self); ok {
				s.roots.echoed = max(s.roots.echoed, mine.Seq)
			}
			if f.Parts == StatePart {
				s.Merged(&c.budget)
			}
		}
	}
}

// compare raises an alarm when a has the cut of a root made here and another state:
// its maker, or we, compute wrongly. Of forked authors others may hold other branches.
func (c *Core) compare(s *space, a *Announcement, e *Effects) {
	if len(c.cfg.Holdings.Forked(s.id)) > 0 {
		return
	}
	if k, ok := s.roots.cover(a.Root.Vector); ok && !k.id.IsZero() && k.id != a.ID {
		c.stats.Roots.Alarms++
		e.Heard = append(e.Heard, Announced{Space: s.id, Announcement: a, Unequal: k.id})
	}
}

// asGood reports whether a root was heard of, since then, that makes it needless
// to announce our own: an equal one, or one that is known to cover it.
func (c *Core) asGood(s *space, since time.Time) bool {
	own := s.roots.own
	now, err := c.cfg.Holdings.VecRoot(s.id)
	for _, o := range s.roots.sightings {
		switch {
		case o.at.Before(since):
		case o.ID == own.ID:
			return true
		case o.Root.Vector == own.Root.Vector: // with another state
		case err == nil && o.Root.Vector == now:
			return true // our own root is of a cut below ours
		default:
			if k, ok := s.roots.cover(o.Root.Vector); ok && k.marks.CoversAll(own.Vector) {
				return true
			}
		}
	}
	return false
}

// speak announces our newest root when its moment has come: if nobody said one as
// good; and again where nothing was news for long and nobody has said so lately.
func (c *Core) speak(now time.Time, s *space, e *Effects) {
	r := &s.roots
	if !s.Speaks(now, c.peersOf(s), c.rng) || r.own == nil || c.cfg.Sign == nil {
		return
	}
	switch {
	case r.settled && (s.timer.interval < announceMax || c.asGood(s, s.timer.begun)):
		return
	case !r.settled && c.asGood(s, time.Time{}):
		r.settled = true
		c.stats.Roots.Suppressed++
		return
	case !r.settled && (!s.worthSaying() || s.Crowded() && !r.tells(c.cfg.Self)):
		return
	}
	r.settled, r.said = true, r.own
	c.stats.Roots.Announced++
	e.Publish = append(e.Publish, Publish{Space: s.id, Roots: true, Data: c.announcement(s).sign(s.id, c.cfg.Sign)})
}

// tells reports whether our newest root has own memos that no root of others is known
// to have: nobody else need say them.
func (r *roots) tells(self Peer) bool {
	mine, ok := r.own.Vector.Get(self)
	return ok && mine.Seq > r.echoed
}

// announcement tells of our newest root.
func (c *Core) announcement(s *space) *Announcement {
	own := s.roots.own
	return &Announcement{
		From: c.cfg.Self, ID: own.ID, Root: own.Root, Memos: count(own.Vector), Peers: s.peersBehind(),
		Reading: own.Reading, Heads: beyond(c.cfg.Holdings.Vector(s.id), own.Vector),
	}
}

// count returns how many memos v covers.
func count(v memo.Vector) (n uint64) {
	for m := range v.All() {
		n += m.Seq
	}
	return n
}

// beyond returns the newest heads of v that root does not cover.
func beyond(v, root memo.Vector) (heads []memo.Head) {
	var ahead []memo.Mark
	for m := range v.All() {
		if !root.Covers(m.Author, m.Seq) {
			ahead = append(ahead, m)
		}
	}
	slices.SortStableFunc(ahead, func(a, b memo.Mark) int {
		switch {
		case a.Time > b.Time:
			return -1
		case a.Time < b.Time:
			return 1
		}
		return 0
	})
	for _, m := range ahead[:min(len(ahead), MaxAnnouncedHeads)] {
		heads = append(heads, m.Head)
	}
	slices.SortFunc(heads, func(a, b memo.Head) int { return bytes.Compare(a.Author[:], b.Author[:]) })
	return heads
}

// heardRoot takes an announcement that a member relayed. What is news goes to the
// owner, and recon starts with the member if that is ahead of us.
func (c *Core) heardRoot(now time.Time, in *HeardRoot, e *Effects) {
	s, a := c.spaces[in.Space], in.announcement
	if s == nil || a.From == c.cfg.Self {
		return
	}
	m := s.members[in.Peer]
	if m == nil || !m.proved {
		return // the topic is for members; the driver filters, this makes sure
	}
	c.stats.Roots.Heard++
	if !c.complete(s, a) || !s.allow(now, a.From, m) {
		c.stats.Roots.Dropped++
		return
	}
	if from := s.members[a.From]; from != nil {
		for _, h := range a.Heads {
			from.note(h)
		}
	}
	if !s.roots.sight(a, now) {
		s.Repeated()
		return
	}
	c.compare(s, a, e)
	if c.holds(s, a) {
		return
	}
	c.stats.Roots.News++
	e.Heard = append(e.Heard, Announced{Space: s.id, Announcement: a, PassBy: !c.chosen(s, a)})
	s.News(now, c.peersOf(s), c.rng)
	if m.told == nil {
		m.toldAt = now
	}
	m.told = a
}

// sight remembers an announced root as the newest and reports whether it is the
// first of it.
func (r *roots) sight(a *Announcement, now time.Time) bool {
	o := sighting{a, now, a.Peers}
	if old := r.sighted(a.ID); old != nil {
		o.peers = max(old.peers, a.Peers)
	}
	before := len(r.sightings)
	r.sightings = slices.DeleteFunc(r.sightings, func(o sighting) bool { return o.ID == a.ID })
	first := len(r.sightings) == before
	if len(r.sightings) == maxSightings {
		r.sightings = slices.Delete(r.sightings, 0, 1)
	}
	r.sightings = append(r.sightings, o)
	return first
}

// holds reports whether all that a root covers is known to be attached here.
func (c *Core) holds(s *space, a *Announcement) bool {
	if held, err := c.cfg.Holdings.VecRoot(s.id); err == nil && held == a.Root.Vector {
		return true
	}
	k, ok := s.roots.cover(a.Root.Vector)
	return ok && c.cfg.Holdings.Vector(s.id).CoversAll(k.marks)
}

// complete computes what an announcement leaves out, which takes the genesis.
func (c *Core) complete(s *space, a *Announcement) bool {
	params, ok := c.cfg.Holdings.Params(s.id)
	if !ok {
		return false
	}
	a.Root.Params = params
	data, err := a.Root.Encode()
	a.ID = memo.Sum(data)
	return err == nil
}

// allow counts an announcement for who made it, or, if that is nobody we know, for
// who relayed it.
func (s *space) allow(now time.Time, from Peer, relayer *member) bool {
	if m := s.members[from]; m != nil {
		return m.announces.Allow(now, announceEvery, announceBurst)
	}
	return relayer.relays.Allow(now, relayEvery, relayBurst)
}

// suspectRoot asks for recon with a member that relayed a root, if what has come
// since does not explain it.
func (c *Core) suspectRoot(now time.Time, s *space, m *member) {
	if now.Sub(m.toldAt) < hintPatience || now.Sub(m.hinted) <= hintPause {
		return
	}
	if c.behind(s, m.told) && c.takesRuns(s) {
		c.wantRecon(m, now)
		m.hinted = now
	}
	m.told = nil
}

// behind reports whether who announced a root has what we lack, as far as can be
// told.
func (c *Core) behind(s *space, a *Announcement) bool {
	own := c.cfg.Holdings.Had(s.id)
	lacks := func(h memo.Head) bool { return !own.Covers(h.Author, h.Seq) }
	return slices.ContainsFunc(a.Heads, lacks) || count(own) < a.Memos
}
