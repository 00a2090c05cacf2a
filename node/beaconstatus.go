package node

import (
	"context"
	"time"

	"lightcone/beacon"
	"lightcone/memo"
)

// Beacons is what a node knows of the beacons of a space.
type Beacons struct {
	Beacons []BeaconStatus // that pinged, ascending by id
	Authors float64        // N̂, the estimated number of authors in the last 24 hours
	Target  float64        // pings per second that all together are to write while there is news
	Rate    float64        // and that attach here, measured
	Chance  float64        // of a ping of this node in the next second, given news; 0 for a silent one
	Silent  bool           // this node writes no pings
	Stable  StableStatus
	Late    LateStatus
	Lag     Lag // of this node behind what its peers are known to have
}

// BeaconStatus is one beacon, by its last ping that attached here.
type BeaconStatus struct {
	ID   PeerID
	Ping memo.Head
	Time time.Time // when it was written, by the beacon's clock
	Refs int       // pings of others that it refers to
	// Claim says which ping made the latest claim of the beacon that is known here;
	// zero: none is. Behind is how many memos here were not in it.
	Claim  memo.Head
	Behind uint64
}

// StableStatus is the stability cut: what everybody on the roster had attached when
// it last claimed. The roster are the beacons that pinged in the last 24 hours.
type StableStatus struct {
	Cut    memo.Vector // not to be changed
	Memos  uint64      // in it
	Time   time.Time   // of the oldest claim; zero while one is not known
	Roster int         // beacons, this node included
	Known  int         // of which the claim is known; with fewer than all nothing is stable
}

// LateStatus is about the memos that came although they are older than what everybody on
// the roster had.
type LateStatus struct {
	Policy LatePolicy
	Memos  uint64      // that attached since the node started
	Last   []memo.Head // some of them, the newest last
	Held   []HeldAuthor
}

// Beacons reports the beacons of the space, what they claim and what follows from it.
func (s *Space) Beacons(ctx context.Context) (Beacons, error) {
	c := &askBeacons{space: s, reply: make(chan Beacons, 1)}
	return await(ctx, s.node, c, c.reply)
}

type askBeacons struct {
	space *Space
	reply chan Beacons
}

func (c *askBeacons) do(o *owner) {
	b, now := o.beaconsOf(c.space.id), o.n.opts.Now()
	if b == nil {
		c.reply <- Beacons{Late: LateStatus{Policy: o.latePolicy(c.space.id)}}
		return
	}
	mine := o.n.view.Load().store.Vector(c.space.id)
	out := Beacons{
		Authors: b.authors.Estimate(now), Silent: o.n.opts.Silent, Stable: o.stableStatus(b, now),
		Lag: o.ownLag(b, mine, now),
		Late: LateStatus{
			Policy: o.latePolicy(c.space.id), Memos: b.late.memos, Last: append([]memo.Head(nil), b.late.last...),
			Held: heldBack(o.n.view.Load().store, c.space.id),
		},
	}
	if rules, ok := c.space.rules(o.n.view.Load()); ok {
		out.Target = rules.Rho
	}
	if b.emitter != nil {
		out.Rate = b.emitter.Rate()
		if !out.Silent {
			out.Chance = b.emitter.Chance()
		}
	}
	for _, p := range b.pings.Latest() {
		one := BeaconStatus{ID: p.Author, Ping: p.Head, Time: timeOf(p.Time), Refs: len(p.Refs)}
		if k, ok := b.claims.known[p.Author]; ok {
			one.Claim, one.Behind = k.Ping, lead(mine, k.Cut)
		} else if p.Author == o.n.id && b.claims.own.root == p.VecRoot && !p.VecRoot.IsZero() {
			one.Claim, one.Behind = p.Head, lead(mine, b.claims.own.Cut)
		}
		out.Beacons = append(out.Beacons, one)
	}
	c.reply <- out
}

// stableStatus computes the stability cut anew.
func (o *owner) stableStatus(b *beacons, now time.Time) StableStatus {
	st := o.stability(b, now)
	b.claims.stable, b.claims.dirty, b.claims.at = st, false, now
	out := StableStatus{Cut: st.cut, Memos: lead(st.cut, memo.Vector{}), Roster: st.roster, Known: len(st.claims)}
	if st.cut.Len() > 0 {
		out.Time = timeOf(beacon.StableTime(st.claims))
	}
	return out
}

// ownLag is how far this node is behind what its peers said they have.
func (o *owner) ownLag(b *beacons, mine memo.Vector, now time.Time) Lag {
	var theirs memo.Vector
	o.core.Members(b.space.id, func(_ PeerID, _ bool, has memo.Vector) { theirs.Join(has) })
	return lagBehind(theirs, mine, now)
}

// lagBehind is how far mine is behind a cut.
func lagBehind(cut, mine memo.Vector, now time.Time) (lag Lag) {
	for m := range cut.All() {
		if have, _ := mine.Get(m.Author); m.Seq > have.Seq {
			lag.miss(m.Seq-have.Seq, have, now)
		}
	}
	return lag
}

// miss adds that memos of one beacon are missing behind the head that is here.
func (l *Lag) miss(memos uint64, have memo.Mark, now time.Time) {
	l.Memos += memos
	l.Beacons++
	if have.Seq > 0 {
		l.Time = max(l.Time, now.Sub(timeOf(have.Time)))
	}
}
