package node

import (
	"time"

	"lightcone/beacon"
	"lightcone/memo"
	"lightcone/store"
)

// This file is the owner's side of beacons: what attaches is noted, and now and then
// this node writes a ping. What others claim is in claims.go.

// beacons is what the owner knows of the pings of one space.
type beacons struct {
	space   *Space
	pings   *beacon.Pings
	authors beacon.Authors
	emitter *beacon.Emitter // nil until the genesis is here, which says how often
	news    bool            // a memo that is no ping attached since the own last ping
	heard   int             // pings that attached since the emitter was told
	counted seenAuthor
	claims  claims
	late    lateness
}

// seenAuthor is the author that was counted last, and in which hour: one who writes
// much is not counted for each memo.
type seenAuthor struct {
	author memo.Author
	hour   int64
}

// beaconsOf returns the beacons of a space of this node, nil if there is none.
func (o *owner) beaconsOf(id memo.SpaceID) *beacons { return o.beacons[id] }

// watchBeacons begins to note the pings of a space, with what is attached.
func (o *owner) watchBeacons(s *Space) {
	if o.beacons[s.id] != nil {
		return
	}
	held, now := o.n.view.Load().store, o.n.opts.Now()
	latest, err := held.Pings(s.id)
	if err != nil {
		o.n.log.Warn("the last pings of a space are not known; they come again", "space", s.id, "err", err)
	}
	all := held.All(s.id)
	b := &beacons{space: s, pings: beacon.NewPings(all, latest), claims: newClaims()}
	own := memo.Time(0)
	pinged := map[memo.Author]uint64{}
	for _, m := range latest {
		pinged[m.Author] = m.Seq
		if m.Author == o.n.id {
			own = m.Time
		}
	}
	for m := range all.All() {
		b.authors.Add(now, timeOf(m.Time), m.Author)
		b.news = b.news || m.Time > own && m.Seq > pinged[m.Author]
	}
	for _, a := range held.Forked(s.id) {
		b.pings.Fork(a)
	}
	o.beacons[s.id] = b
}

// timeOf is the wall time of a memo's clock.
func timeOf(t memo.Time) time.Time { return time.UnixMilli(int64(t.Millis())) }

// attachedMemos notes memos that attached. before is the view that does not have them.
func (o *owner) attachedMemos(placed []store.Placed, before *view) {
	now := o.n.opts.Now()
	for _, p := range placed {
		if b := o.beaconsOf(p.Memo.SpaceID()); b != nil {
			o.attachedMemo(b, p.Memo, before, now)
		}
	}
}

func (o *owner) attachedMemo(b *beacons, m *memo.Memo, before *view, now time.Time) {
	b.pings.Add(m)
	if at := (seenAuthor{m.Author, now.Unix() / 3600}); at != b.counted {
		b.counted = at
		b.authors.Add(now, timeOf(m.Time), m.Author)
	}
	switch body := m.Body.(type) {
	case *memo.Ping:
		b.heard++
		b.claims.claimed(m, body, before.store, b.space.id, now)
		return
	case *memo.ForkProof:
		b.pings.Fork(body.Author)
	}
	b.news = true
	b.late.note(b, m, o.n.id)
}

// skipped notes that memos attached as a state: pings among them are not known.
func (o *owner) skipped(id memo.SpaceID, heads []store.SealedMark) {
	b := o.beaconsOf(id)
	if b == nil {
		return
	}
	for _, h := range heads {
		b.pings.Skip(h.Mark)
		b.authors.Add(o.n.opts.Now(), timeOf(h.Time), h.Author)
	}
	b.news = true
}

// tickBeacons lets the beacon of each space decide whether to ping.
func (o *owner) tickBeacons(now time.Time) {
	for _, b := range o.beacons {
		if b.emitter == nil && !o.beginEmitter(b) {
			continue
		}
		o.tickClaims(b, now)
		heard := b.heard
		b.heard = 0
		emit := b.emitter.Step(now, beacon.Observed{
			News: b.news, Pings: heard, Authors: b.authors.Estimate(now), Random: o.n.chance.Float64(),
		})
		if !emit || !o.mayPing(b) {
			continue
		}
		if err := o.ping(b, now); err != nil {
			o.n.log.Debug("cannot ping now", "space", b.space.id, "err", err)
		}
	}
}

func (o *owner) beginEmitter(b *beacons) bool {
	if rules, ok := b.space.rules(o.n.view.Load()); ok {
		b.emitter = beacon.NewEmitter(rules.Rho)
	}
	return b.emitter != nil
}

// rules returns what the genesis of s says, if it is here.
func (s *Space) rules(v *view) (*memo.Genesis, bool) {
	g, held := v.store.Genesis(s.id)
	if !held {
		return nil, false
	}
	rules, ok := g.Body.(*memo.Genesis)
	return rules, ok
}

// mayPing reports whether a ping would be attached by anybody: somebody shares the
// space, and this node may write into it.
func (o *owner) mayPing(b *beacons) bool {
	if o.n.opts.Silent || o.n.net.Load() == nil || !b.space.volunteers() || o.ready() != nil {
		return false
	}
	all := o.n.view.Load().store.All(b.space.id)
	_, wrote := all.Get(o.n.id)
	if _, ok := b.space.rules(o.n.view.Load()); !ok || o.mayWrite(b.space) != nil {
		return false
	}
	alone := all.Len() == 0 || all.Len() == 1 && wrote
	o.core.Members(b.space.id, func(PeerID, bool, memo.Vector) { alone = false })
	return !alone
}

// ping writes a ping of this node: one memo, sealed as any other.
func (o *owner) ping(b *beacons, now time.Time) error {
	s := b.space
	if err := o.sealLeftovers(s); err != nil {
		return err
	}
	claim, err := o.claim(b, now)
	if err != nil {
		return err
	}
	v := o.n.view.Load()
	last, _ := v.store.All(s.id).Get(o.n.id)
	var deps []memo.Head
	if last.Seq == 0 {
		if deps, err = o.begins(s); err != nil {
			return err
		}
	}
	m, err := memo.New(memo.Memo{
		Space: s.id, Author: o.n.id, Seq: last.Seq + 1, Prev: last.ID, Deps: deps,
		Time: memo.Next(uint64(now.UnixMilli()), last.Time, o.clocks[s.id]),
		Body: &memo.Ping{VecRoot: claim, Refs: b.pings.Refs(o.n.id, o.n.chance.Float64())},
	})
	if err != nil {
		return err
	}
	b.news = false
	done := make(chan written, 1)
	d := &draft{memos: []*memo.Memo{m}, bytes: memoSize(m), waiting: []*write{{space: s, done: done}}, heads: []memo.Head{m.Head()}}
	switch o.n.opts.Durability {
	case Group, Each:
		o.commitSealed(s, []*draft{d})
	default:
		o.commitRelaxed(s, []*draft{d})
	}
	return (<-done).err // answered by now
}
