package node

import (
	"slices"
	"time"

	"lightcone/beacon"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

const (
	// claimEvery is the pause between two claims that are fetched: what they cost is
	// the difference of two vectors. Those that were seen here as well cost nothing.
	claimEvery = 5 * time.Second
	// stableEvery is how often the stability cut is computed at most.
	stableEvery = 5 * time.Second
	// maxClaims bounds the beacons of a space whose claims are known, and those that were
	// asked for one. A beacon that has left the roster makes room; where none has, the
	// claim of another one more is not known, and nothing is stable or late.
	maxClaims = 4096
	// claimRetention is how long what the own pings claim can be fetched.
	claimRetention = 10 * time.Minute
)

// claims are the cuts that the beacons of a space claim to have attached.
type claims struct {
	known map[memo.Author]claim     // of each beacon the latest whose cut is known here; at most maxClaims
	own   claim                     // of this node's last ping
	asked gossip.Fetch              // under way; its Root is zero when there is none
	by    beacon.Ping               // that made the claim which is asked for
	tried map[memo.Author]memo.Head // pings whose claims were asked for; at most maxClaims
	next  time.Time                 // when another may be fetched
	dirty bool                      // since stable was computed
	at    time.Time                 // when it was
	// stable is what follows from them. Its parts are not to be changed.
	stable stability
}

type claim struct {
	beacon.Claim
	root memo.ID
}

// stability is a stability cut and what it stands on.
type stability struct {
	cut    memo.Vector
	claims []beacon.Claim // of the roster, this node first
	roster int            // beacons that claimed something within beacon.RosterWindow, this node included
}

func newClaims() claims {
	return claims{known: map[memo.Author]claim{}, tried: map[memo.Author]memo.Head{}, dirty: true}
}

// claimed takes in a ping that attached behind what before shows. Its claim is known
// at once where it was seen here too: as the own cut, or as another's claim.
func (c *claims) claimed(m *memo.Memo, p *memo.Ping, before *store.View, space memo.SpaceID, now time.Time) {
	c.dirty = true
	if p.VecRoot.IsZero() {
		return
	}
	cut, ok := c.seen(p.VecRoot)
	if root, err := before.VecRoot(space); !ok && err == nil && root == p.VecRoot {
		cut, ok = before.Vector(space), true
	}
	if ok {
		c.learn(beacon.Claim{Ping: m.Head(), Time: m.Time, Cut: cut}, p.VecRoot, now)
	}
}

// seen returns the cut of a vector root that is known already.
func (c *claims) seen(root memo.ID) (memo.Vector, bool) {
	if c.own.root == root {
		return c.own.Cut, true
	}
	for _, k := range c.known {
		if k.root == root {
			return k.Cut, true
		}
	}
	return memo.Vector{}, false
}

func (c *claims) learn(in beacon.Claim, root memo.ID, now time.Time) {
	had, ok := c.known[in.Ping.Author]
	if ok && had.Ping.Seq >= in.Ping.Seq || !ok && len(c.known) >= maxClaims && !c.makeRoom(now) {
		return
	}
	c.known[in.Ping.Author] = claim{in, root}
	c.dirty = true
}

// makeRoom forgets the oldest claim, if its beacon is not counted on any more.
func (c *claims) makeRoom(now time.Time) bool {
	var oldest *claim
	for _, k := range c.known { // of equal times the lesser author: the order does not show
		if oldest == nil || k.Time < oldest.Time || k.Time == oldest.Time && k.Ping.Author.Compare(oldest.Ping.Author) < 0 {
			oldest = &k
		}
	}
	if oldest == nil || counts(oldest.Time, now) {
		return false
	}
	delete(c.known, oldest.Ping.Author)
	return true
}

// try notes that the claim of a ping is asked for. Where that was forgotten it is asked
// for again.
func (c *claims) try(ping memo.Head) {
	if len(c.tried) >= maxClaims {
		clear(c.tried)
	}
	c.tried[ping.Author] = ping
}

// claim makes what is attached now fit to be claimed: its vector can be fetched, as
// that of a root without rows. It returns the digest of the vector.
func (o *owner) claim(b *beacons, now time.Time) (memo.ID, error) {
	s, v := b.space, o.n.view.Load()
	cut := v.store.Vector(s.id)
	p := s.params(v)
	o.n.folder.keeping.RLock() // nothing is collected before it is pinned
	defer o.n.folder.keeping.RUnlock()
	var vector, root memo.ID
	err := o.n.store.Blocks(s.id).Write(func(put merge.BlockPutter) (err error) {
		counted := &claimCounter{put, o.n.folder}
		if vector, err = merge.BuildVector(p, cut, counted); err == nil {
			root, err = putRoot(claimRoot(p, vector), counted)
		}
		return err
	})
	if err == nil {
		pin := store.Pin{Root: root, Until: now.Add(claimRetention), Foreign: true} // nobody's state
		err = o.n.store.Blocks(s.id).Pin(pin)
	}
	b.claims.own = claim{beacon.Claim{Cut: cut}, vector}
	return vector, classify(err)
}

// claimRoot is the root under which a claimed vector is fetched: that of no rows.
func claimRoot(p merge.Params, vector memo.ID) merge.Root {
	return merge.Root{Params: p, Vector: vector, State: memo.ID{}}
}

// claimCounter counts blocks towards the next collection.
type claimCounter struct {
	merge.BlockPutter
	f *folder
}

func (c *claimCounter) PutBlock(id memo.ID, data []byte) error {
	c.f.others.Add(1)
	return c.BlockPutter.PutBlock(id, data)
}

// tickClaims fetches a claim that is not known and computes what follows from all.
func (o *owner) tickClaims(b *beacons, now time.Time) {
	c := &b.claims
	if c.asked.Root.IsZero() && !now.Before(c.next) && o.n.net.Load() != nil {
		if p, ok := o.unknownClaim(b, now); ok {
			data, err := claimRoot(b.space.params(o.n.view.Load()), p.VecRoot).Encode()
			if err != nil {
				return
			}
			ask := gossip.Fetch{Space: b.space.id, Root: memo.Sum(data), Origin: p.Author, Parts: gossip.VectorPart}
			if o.tell(ask) { // else in a later tick
				c.by, c.next, c.asked = p, now.Add(claimEvery), ask
				c.try(p.Head)
			}
		}
	}
	if c.dirty && now.Sub(c.at) >= stableEvery {
		c.stable, c.dirty, c.at = o.stability(b, now), false, now
	}
}

// unknownClaim returns the latest ping of the beacon whose claim is known the least,
// of those that were not tried yet.
func (o *owner) unknownClaim(b *beacons, now time.Time) (oldest beacon.Ping, ok bool) {
	for _, p := range b.pings.Latest() {
		k := b.claims.known[p.Author]
		if p.Author == o.n.id || p.VecRoot.IsZero() || k.Ping == p.Head || b.claims.tried[p.Author] == p.Head || !onRoster(p, now) {
			continue
		}
		if had := b.claims.known[oldest.Author]; !ok || k.Time < had.Time {
			oldest, ok = p, true
		}
	}
	return oldest, ok
}

// onRoster reports whether a beacon is counted on, by its latest ping.
func onRoster(p beacon.Ping, now time.Time) bool { return counts(p.Time, now) }

// counts reports whether a beacon that pinged then is counted on.
func counts(t memo.Time, now time.Time) bool { return now.Sub(timeOf(t)) < beacon.RosterWindow }

// claimFetched takes in a claimed vector, if f is one: false when it is not.
func (o *owner) claimFetched(f gossip.Fetched) bool {
	b := o.beaconsOf(f.Space)
	if b == nil || f.Root.IsZero() || b.claims.asked.Root != f.Root {
		return false
	}
	c := &b.claims
	c.asked = gossip.Fetch{}
	if f.Err != nil {
		o.n.log.Debug("what a ping claims cannot be fetched; the claim before counts", "beacon", c.by.Author, "err", f.Err)
		return true
	}
	c.learn(beacon.Claim{Ping: c.by.Head, Time: c.by.Time, Cut: f.Vector}, c.by.VecRoot, o.n.opts.Now())
	return true
}

// stability computes the stability cut: what all of the roster claims, this node's own
// vector included. While the claim of one is not known nothing is stable.
func (o *owner) stability(b *beacons, now time.Time) stability {
	v := o.n.view.Load()
	self := beacon.Claim{
		Ping: memo.Head{Author: o.n.id}, Time: memo.Next(uint64(now.UnixMilli())), Cut: v.store.Vector(b.space.id),
	}
	out := stability{claims: []beacon.Claim{self}, roster: 1}
	for _, p := range b.pings.Latest() {
		if p.Author == o.n.id || p.VecRoot.IsZero() || !onRoster(p, now) {
			continue
		}
		out.roster++
		if k, ok := b.claims.known[p.Author]; ok {
			out.claims = append(out.claims, k.Claim)
		}
	}
	if len(out.claims) == out.roster {
		out.cut = beacon.Stability(out.claims)
	}
	return out
}

// authorsOf returns N̂, about how many wrote in a space in the last day, 0 if it has no
// beacons.
func (o *owner) authorsOf(id memo.SpaceID) uint64 {
	b := o.beaconsOf(id)
	if b == nil {
		return 0
	}
	return uint64(b.authors.Estimate(o.n.opts.Now()))
}

// behind returns the reading of a cut, and P̂, the number of peers behind it, this node
// included, as far as their claims are known.
func (o *owner) behind(id memo.SpaceID, cut memo.Vector) (reading []memo.Head, peers uint64) {
	b := o.beaconsOf(id)
	if b == nil {
		return nil, 1
	}
	known := slices.Clone(b.claims.stable.claims)
	others := slices.DeleteFunc(known, func(c beacon.Claim) bool { return c.Ping.Author == o.n.id })
	return b.pings.Reading(b.pings.ClockOf(cut)), 1 + uint64(beacon.Behind(cut, others))
}
