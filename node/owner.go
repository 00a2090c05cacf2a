package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/projection"
	"lightcone/store"
)

// owner is the one goroutine that changes a replica. Its fields belong to it.
type owner struct {
	n       *Node
	state   *state
	core    *gossip.Core
	eff     gossip.Effects
	clocks  map[memo.SpaceID]memo.Time    // greatest time attached per space
	past    map[memo.SpaceID]*memo.Vector // see observed
	open    map[*Space]*openRun           // durability None: written, not yet sealed
	seal    <-chan time.Time              // set while open is not empty
	dirty   bool                          // foreign runs were appended since the last sync
	synced  time.Time
	refused bool // the last tick found that writes are refused
	delayed delayed
	counts  counters
	waiting []*askFetch            // at most maxFetchWaiters
	cold    map[memo.SpaceID]*cold // of spaces that had a layer
	todo    []gossip.Input         // what the protocol is told once it did its step, see tell
	load    load
	turn    chan struct{} // holds one while the protocol asks for a turn

	doubts   []doubt                    // at most maxDoubts
	proving  map[accused]time.Time      // when to prove that an author forked
	revised  []memo.SpaceID             // a revocation attached; who is served is looked at after the step. Each space once
	adopting map[memo.SpaceID]*adopting // of spaces that adopt and heard of a state
	beacons  map[memo.SpaceID]*beacons
	lagging  lagging
	headsAt  time.Time                // since when writes wait, see ownHead; zero: they do not
	regained map[memo.SpaceID]uint64  // own memos that came from peers
	kept     map[memo.SpaceID][]Proof // of an earlier run, until the space is registered; at most maxProofs each
	spots    []*spot                  // of adopted states, to be looked into; at most maxSpots
	spot     *spot                    // that is being looked into or asked about
}

// counters are reported by Status.
type counters struct {
	refused            int64 // runs that broke a rule
	invalid            int64 // messages that did not decode or verify, see Node.Input
	adopted            int64 // states that were joined on a peer's word
	audited, unaudited int64 // places of them that were found true, that could not be compared
}

// syncEvery bounds how long attached foreign runs stay unsynced; they would be
// fetched again after a power cut.
const syncEvery = time.Second

// call is a request to the owner other than a write or an input.
type call interface{ do(o *owner) }

func newOwner(n *Node, st *state) *owner {
	o := &owner{
		n: n, state: st, clocks: map[memo.SpaceID]memo.Time{}, past: map[memo.SpaceID]*memo.Vector{}, open: map[*Space]*openRun{},
		turn: make(chan struct{}, 1), synced: n.opts.Now(), cold: map[memo.SpaceID]*cold{}, proving: map[accused]time.Time{},
		adopting: map[memo.SpaceID]*adopting{}, beacons: map[memo.SpaceID]*beacons{}, regained: map[memo.SpaceID]uint64{},
	}
	o.core = gossip.New(gossip.Config{
		Self: n.id, Holdings: holdings{n}, Seed: n.chance.Uint64(),
		Sign:        func(msg []byte) memo.Seal { return memo.Seal(ed25519.Sign(n.key, msg)) },
		LocalSecret: localSecret(n.key), Cares: n.follows.care, Expelled: n.revoked,
	})
	return o
}

// recover brings the projection up to the log, seals own memos that a crash left
// unsealed, and registers the spaces. It runs before the owner's goroutine.
func (o *owner) recover() error {
	n := o.n
	for _, s := range o.state.Spaces {
		id, err := memo.ParseSpaceID(s.ID)
		if err != nil {
			return err
		}
		n.store.AddSpace(id)
	}
	o.readProofs()
	n.store.HoldBack(o.holdsBack)
	if err := o.rememberLate(); err != nil {
		return err
	}
	// Pending runs that this freed; those for which there is no room wait on.
	if _, err := n.store.Attach(nil); err != nil && !errors.Is(err, store.ErrFull) {
		return err
	}
	last, err := o.replay()
	if err != nil {
		return fmt.Errorf("replay the log into the projection: %w", err)
	}
	o.publish(last)
	for _, s := range o.state.Spaces {
		id, _ := memo.ParseSpaceID(s.ID) // parsed above
		space := o.register(id, s)
		space.head = newOwnHead(n.store.Clean())
		err := o.sealLeftovers(space)
		if err == nil {
			err = o.acceptHeld(space) // the policy may be another one now
		}
		if err != nil && !errors.Is(err, store.ErrFull) { // then the next write does it, or the next start
			return err
		}
	}
	o.publish(o.n.view.Load().lsn)
	return nil
}

// replay projects what the log has beyond the projection and returns the LSN it
// reaches. A state is projected part by part, so that it need not fit into memory:
// nobody reads yet.
func (o *owner) replay() (last uint64, err error) {
	last = o.n.proj.Applied()
	apply := func(lsn uint64, changes ...projection.Change) error {
		if err := o.n.proj.Ready(); err != nil { // it would fill the memory
			return err
		}
		return o.n.proj.Apply(lsn, changes)
	}
	err = o.n.store.Replay(last, func(rec store.Record) error {
		last = rec.LSN
		if rec.Adopted == nil {
			return apply(last, changesOf(rec.Memos)...)
		}
		part, at := projection.Change{Space: rec.Adopted.Space()}, uint64(0)
		for r, err := range rec.Adopted.Rows() {
			if err != nil {
				return err
			}
			if r.LSN != at && at != 0 {
				if err := apply(at, part); err != nil {
					return err
				}
				part.Rows = nil
			}
			at, part.Rows = r.LSN, append(part.Rows, r.KeyedRow)
		}
		return apply(last, part)
	})
	return last, err
}

// sealLeftovers seals own memos that a crash left unsealed.
func (o *owner) sealLeftovers(s *Space) error {
	left := o.n.store.Unsealed(s.id, o.n.id)
	if len(left) == 0 || o.open[s] != nil { // those are no leftovers
		return nil
	}
	head := left[len(left)-1].Head()
	if err := o.n.store.SealOwn(s.id, o.n.id, memo.Sign(o.n.key, s.id, head)); err != nil {
		return fmt.Errorf("seal own memos that a crash left: %w", err)
	}
	return nil
}

// ready returns why nothing may be written now, or nil. The projection is asked
// too, for what is in the log must get into it.
func (o *owner) ready() error {
	if err := o.n.proj.Ready(); err != nil {
		return classify(err)
	}
	return classify(o.n.store.Ready())
}

// tellReady logs when writes begin to be refused, and when that is over.
func (o *owner) tellReady() {
	err := o.ready()
	switch {
	case err != nil && !o.refused:
		o.n.log.Warn("writes are refused, reads go on", "err", err)
	case err == nil && o.refused:
		o.n.log.Info("writes are accepted again")
	}
	o.refused = err != nil
}

// register makes a space known to every part: readers, protocol and network.
func (o *owner) register(id memo.SpaceID, s *spaceState) *Space {
	for m := range o.n.view.Load().store.All(id).All() {
		o.clocks[id] = max(o.clocks[id], m.Time)
	}
	o.core.AddSpace(id, gossip.Secret(s.Secret))
	space := o.n.addSpace(id, s.Name)
	o.watchBeacons(space)
	o.n.mu.Lock()
	space.rendezvous = gossip.Secret(s.Secret).Rendezvous(id)
	o.n.mu.Unlock()
	if net := o.n.net.Load(); net != nil {
		o.connect(net, id, s)
	}
	o.loadProofs(space)
	o.expel(space)
	return space
}

// connect starts replicating a space over the network.
func (o *owner) connect(net *network, id memo.SpaceID, s *spaceState) {
	net.Serve(id)
	now := o.n.opts.Now()
	for _, k := range s.Peers {
		p, err := memo.ParseAuthor(k.ID)
		if err != nil || p == o.n.id {
			continue
		}
		o.core.Know(now, id, p)
		switch {
		case k.Pinned:
			net.Keep(p, k.Addrs)
		case len(k.Addrs) > 0:
			net.Suggest(id, p, k.Addrs)
		}
	}
}

func (o *owner) run() {
	defer close(o.n.done)
	tick := time.NewTicker(gossip.TickEvery)
	defer tick.Stop()
	for {
		for o.round(tick.C) {
		}
		select {
		case w := <-o.n.writes:
			o.commit(w)
		case in := <-o.n.inputs:
			o.step(in)
		case in := <-o.n.quick:
			o.step(in)
		case c := <-o.n.calls:
			c.do(o)
		case <-o.turn:
			o.step(gossip.Turn{})
		case <-o.seal:
			_ = o.sealOpen() // it tries again; tellReady says why
		case <-tick.C:
			o.tick()
		case <-o.n.quit:
			o.drain()
			return
		}
	}
}

// round takes one of each kind of what waits, and says whether anything did. Each has
// its turn, and always in this order: a select takes any of those that wait, and what a
// simulation found could not be had again.
func (o *owner) round(tick <-chan time.Time) (some bool) {
	o.quickly(&some)
	if w, ok := poll(o.n.writes, &some); ok {
		o.commit(w)
	}
	o.quickly(&some)
	if in, ok := poll(o.n.inputs, &some); ok {
		o.step(in)
	}
	o.quickly(&some)
	if c, ok := poll(o.n.calls, &some); ok {
		c.do(o)
	}
	if _, ok := poll(o.turn, &some); ok {
		o.step(gossip.Turn{})
	}
	if _, ok := poll(o.seal, &some); ok {
		_ = o.sealOpen() // it tries again; tellReady says why
	}
	if _, ok := poll(tick, &some); ok {
		o.tick()
	}
	select {
	case <-o.n.quit: // the select of run sees it
		return false
	default:
		return some
	}
}

// quickly steps an input that need not wait behind memos that take long to attach.
func (o *owner) quickly(some *bool) {
	if in, ok := poll(o.n.quick, some); ok {
		o.step(in)
	}
}

// poll receives what waits in c, if anything does, and notes that.
func poll[T any](c <-chan T, some *bool) (v T, ok bool) {
	select {
	case v = <-c:
		*some = true
		return v, true
	default:
		return v, false
	}
}

// drain finishes the writes that were queued before Close.
func (o *owner) drain() {
	for {
		select {
		case w := <-o.n.writes:
			o.commit(w)
		default:
			_ = o.sealOpen() // what is left is sealed at the next start
			return
		}
	}
}

func (o *owner) tick() {
	now := o.n.opts.Now()
	if o.dirty && now.Sub(o.synced) >= syncEvery {
		o.dirty, o.synced = false, now
		if err := o.n.store.Sync(); err != nil {
			o.n.log.Error("sync of the log failed", "err", err)
		}
	}
	o.tellReady()
	o.attachDue(now)
	o.tickHeads(now)
	o.tickLoad(now)
	o.tickLayers(now)
	o.tickAdopt(now)
	o.tickSpots(now)
	o.tickForks(now)
	o.tickBeacons(now)
	o.tickLags(now)
	o.drainTodo()
	o.keepBeyond()
	if o.n.net.Load() != nil {
		o.step(gossip.Tick{})
	}
}

// publish makes a new moment visible to readers and wakes those who wait.
func (o *owner) publish(lsn uint64) {
	old := o.n.view.Load()
	o.publishAfter(lsn, nil, old != nil && old.lsn == lsn)
}

// publishAfter is publish for a moment that placed led to. Where that changed no row,
// those who wait for rows sleep on.
func (o *owner) publishAfter(lsn uint64, placed []store.Placed, quiet bool) {
	old := o.n.view.Load()
	next := &view{store: o.n.store.View(), lsn: lsn, changed: make(chan struct{}), edited: make(chan struct{})}
	if old != nil {
		next.pings = old.pings
	}
	for _, p := range placed {
		if p.Memo.Kind() != memo.KindPing {
			continue
		}
		next.pings = maps.Clone(next.pings)
		if next.pings == nil {
			next.pings = map[memo.SpaceID]uint64{}
		}
		next.pings[p.Memo.Space]++
	}
	if quiet && old != nil {
		next.edited = old.edited
	}
	o.n.view.Store(next)
	if old != nil {
		close(old.changed)
		if !quiet {
			close(old.edited)
		}
	}
}

// project applies newly attached memos and publishes the result.
func (o *owner) project(placed []store.Placed) error {
	return o.projectFrom(o.n.view.Load().lsn, placed)
}

// projectFrom is project where everything up to lsn is projected and not published.
func (o *owner) projectFrom(lsn uint64, placed []store.Placed) error {
	before, from := o.n.view.Load(), lsn
	if len(placed) > 0 {
		memos := make([]*memo.Memo, len(placed))
		for i, p := range placed {
			memos[i] = p.Memo
			id := p.Memo.SpaceID()
			o.clocks[id] = max(o.clocks[id], p.Memo.Time)
			if v, ok := o.past[id]; ok && p.Memo.Author == o.n.id {
				observe(v, p.Memo)
			}
		}
		lsn = placed[len(placed)-1].LSN
		if err := o.n.proj.Apply(lsn, changesOf(memos)); err != nil {
			return fmt.Errorf("project: %w", err)
		}
	}
	// What lies between was a state, which has rows.
	o.publishAfter(lsn, placed, before.lsn == from && !slices.ContainsFunc(placed, notPing))
	o.attachedMemos(placed, before)
	return nil
}

func notPing(p store.Placed) bool { return p.Memo.Kind() != memo.KindPing }

func changesOf(memos []*memo.Memo) []projection.Change {
	var out []projection.Change
	for _, m := range memos {
		if e, ok := m.Body.(*memo.Edit); ok {
			out = append(out, projection.Change{Space: m.SpaceID(), Stamp: merge.StampOf(m), Edit: e})
		}
	}
	return out
}

// await hands a call to the owner and waits for its reply.
func await[T any](ctx context.Context, n *Node, c call, reply <-chan T) (T, error) {
	var none T
	if err := n.submit(ctx, c); err != nil {
		return none, err
	}
	select {
	case v := <-reply:
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-n.done:
		return none, ErrClosed
	}
}

// submit hands a call to the owner.
func (n *Node) submit(ctx context.Context, c call) error {
	select {
	case n.calls <- c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.quit:
		return ErrClosed
	}
}
