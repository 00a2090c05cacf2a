package node

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// This file is how a layer comes and goes: the owner's side of layer.go.

const (
	// coldAfter is how many memos a peer must be ahead for its state to be fetched
	// beside them. Fewer are here before a state would be.
	coldAfter = 1000
	// coldAgain is the pause after a state could not be fetched, twice as long each time
	// up to coldMost.
	coldAgain, coldMost = 2 * time.Second, 5 * time.Minute
	// maxLiars bounds the peers of a space that are remembered for a false state.
	maxLiars = 64
)

// cold is what the owner knows of a space's layer.
type cold struct {
	space *Space
	again time.Time // when to fetch one after a failure; zero: no reason to
	fails int       // in a row
	lacks memo.Head // a memo of the layer that was not here yet
	liars []PeerID  // whose state was false: none is taken of them

	alarms []Alarm // at most maxLiars
	proofs []Proof // at most maxProofs
	// doubted are peers of whom nothing is adopted until then, at most maxLiars.
	doubted map[PeerID]time.Time
}

func (o *owner) coldOf(id memo.SpaceID) *cold {
	if c := o.cold[id]; c != nil {
		return c
	}
	o.n.mu.Lock()
	s := o.n.spaces[id]
	o.n.mu.Unlock()
	c := &cold{space: s}
	if s != nil {
		o.cold[id] = c
	}
	return c
}

// newLayer begins the layer of a peer that is so many memos ahead.
func newLayer(p PeerID, now time.Time, lead uint64) layer {
	return layer{peer: p, since: now, lead: lead, told: &told{keys: map[string]struct{}{}}}
}

// put makes l the layer of s, and wakes those who wait for it.
func (s *Space) put(l layer) {
	l.changed = make(chan struct{})
	close(s.layer.Swap(&l).changed)
}

// ahead begins to fetch the state of a peer that has many memos more than are here.
func (o *owner) ahead(space memo.SpaceID, p PeerID, memos uint64) {
	c := o.coldOf(space)
	if o.n.opts.MemosOnly || c.space == nil || memos < coldAfter || c.lied(p) || c.space.layer.Load().peer != (PeerID{}) {
		return
	}
	if o.n.opts.Now().Before(c.again) {
		return
	}
	if o.ready() != nil { // there is no room
		c.later(o.n.opts.Now())
		return
	}
	if !o.tell(gossip.Fetch{Space: space, Origin: p, Parts: gossip.StatePart, Memos: memos}) {
		c.later(o.n.opts.Now())
		return
	}
	c.again, c.lacks = time.Time{}, memo.Head{}
	c.space.put(newLayer(p, o.n.opts.Now(), memos))
	o.n.log.Info("a peer is far ahead: its state is fetched beside the memos", "space", space, "peer", p, "memos", memos)
}

func (c *cold) lied(p PeerID) bool {
	return slices.Contains(c.liars, p)
}

// layerGrew counts blocks that came, and wakes readers that wait for one of them.
func (o *owner) layerGrew(space memo.SpaceID, blocks int) {
	if s := o.coldOf(space).space; s != nil {
		if l := *s.layer.Load(); l.peer != (PeerID{}) && !l.whole {
			l.blocks += blocks
			s.put(l)
		}
	}
}

// layerFailed drops a layer that does not become whole; one is fetched again later.
func (o *owner) layerFailed(space memo.SpaceID, err error) {
	c := o.coldOf(space)
	if c.space == nil {
		return
	}
	if l := c.space.layer.Load(); l.peer != (PeerID{}) && !l.whole {
		o.n.log.Info("the state of a peer could not be fetched; it is tried again", "space", space, "peer", l.peer, "err", err)
		c.later(o.n.opts.Now())
		c.space.put(layer{})
	}
}

// later plans another try.
func (c *cold) later(now time.Time) {
	c.again = now.Add(min(coldAgain<<min(c.fails, 10), coldMost))
	c.fails++
}

// layerFetched takes what came of the root that a layer is made of.
func (o *owner) layerFetched(f gossip.Fetched) {
	c := o.coldOf(f.Space)
	if c.space == nil {
		return
	}
	l := *c.space.layer.Load()
	if l.peer == (PeerID{}) || l.id != f.Root && !(l.id.IsZero() && f.From == l.peer) {
		return
	}
	if errors.Is(f.Err, gossip.ErrCostly) {
		o.n.log.Info("the state of a peer costs more than its memos: these come alone", "space", f.Space, "peer", l.peer, "err", f.Err)
		c.later(o.n.opts.Now().Add(coldMost))
		c.space.put(layer{})
		return
	}
	if f.Err != nil {
		o.layerFailed(f.Space, f.Err)
		return
	}
	l.id, l.root, l.vector = f.Root, f.Made, f.Vector
	if f.Parts >= gossip.SealsPart && !l.sealed {
		if err := o.sealedAhead(c.space, f); err != nil {
			o.lied(c, l.peer, l.id, err)
			return
		}
		l.sealed = true
	}
	if l.whole = f.Parts == gossip.StatePart; l.whole {
		c.fails = 0
	}
	c.space.put(l)
	o.promote(c)
	if l.whole {
		o.n.folder.audit(c.space, &l)
	}
}

// sealedAhead tells whether each author that a root has ahead of what is attached
// sealed its head: nobody claims memos that were never written.
func (o *owner) sealedAhead(s *Space, f gossip.Fetched) error {
	seals := make(map[memo.Head]bool, len(f.Seals))
	for _, h := range f.Seals {
		seals[h.Head] = true
	}
	mine := o.n.view.Load().store.Vector(s.id)
	for m := range f.Vector.All() {
		if !mine.Covers(m.Author, m.Seq) && !seals[m.Head] {
			return fmt.Errorf("its root covers memo %d of %s, which that author did not seal", m.Seq, m.Author)
		}
	}
	return nil
}

// promote lets readers have a layer once its vector was checked against what the
// space's genesis and the clock say.
func (o *owner) promote(c *cold) {
	l := *c.space.layer.Load()
	v := o.n.view.Load()
	if _, held := v.store.Genesis(c.space.id); l.ready || !l.sealed || !held {
		return
	}
	if p := c.space.params(v); l.root.Params != p {
		o.lied(c, l.peer, l.id, fmt.Errorf("its trees are made with %+v, those of the space with %+v", l.root.Params, p))
		return
	}
	limit := memo.Next(uint64(o.n.opts.Now().Add(driftBound).UnixMilli()))
	for m := range l.vector.All() {
		if m.Time > limit && !v.store.Vector(c.space.id).Covers(m.Author, m.Seq) {
			return // delayed until the clock gets there
		}
	}
	l.ready = true
	c.space.put(l)
}

// tickLayers drops the layers whose memos have come, and fetches those that are due.
func (o *owner) tickLayers(now time.Time) {
	for id, c := range o.cold {
		if l := c.space.layer.Load(); l.peer != (PeerID{}) {
			o.promote(c)
			o.overtaken(c)
			continue
		}
		if c.again.IsZero() || now.Before(c.again) {
			continue
		}
		c.again = time.Time{}
		mine := o.n.view.Load().store.Vector(id)
		o.core.Members(id, func(p gossip.Peer, up bool, has memo.Vector) {
			if up {
				o.ahead(id, p, lead(has, mine))
			}
		})
	}
}

// overtaken drops the layer of a space when all memos that it covers are here, and
// has it compared with what they say.
func (o *owner) overtaken(c *cold) {
	l := c.space.layer.Load()
	mine := o.n.view.Load().store.Vector(c.space.id)
	if !l.sealed || c.lacks.Seq > 0 && !mine.Covers(c.lacks.Author, c.lacks.Seq) {
		return
	}
	for m := range l.vector.All() {
		if !mine.Covers(m.Author, m.Seq) {
			c.lacks = m.Head // most ticks look no further
			return
		}
	}
	c.space.put(layer{})
	o.n.log.Info("the memos behind a peer's state are here", "space", c.space.id, "peer", l.peer)
	o.n.folder.audit(c.space, l)
	if !l.whole && !o.awaited(l) {
		o.tell(gossip.Drop{Space: c.space.id, Root: l.id, Err: errors.New("the memos came first")})
	}
}

// awaited tells whether somebody waits for the root of a layer besides its readers.
func (o *owner) awaited(l *layer) bool {
	for _, c := range o.waiting {
		if c.id == l.id || c.id.IsZero() && c.from == l.peer {
			return true
		}
	}
	return false
}

// askPrefer asks for the blocks of one row first.
type askPrefer struct {
	space memo.SpaceID
	root  memo.ID
	key   string
}

func (c askPrefer) do(o *owner) {
	o.step(gossip.Prefer{Space: c.space, Root: c.root, Key: c.key})
}

// layerLied tells the owner that a peer vouched for a state that is false.
type layerLied struct {
	space *Space
	peer  PeerID
	root  memo.ID
	err   error
}

func (c layerLied) do(o *owner) {
	o.lied(o.coldOf(c.space.id), c.peer, c.root, c.err)
	o.drainTodo()
}

// lied drops a layer that is false and remembers who vouched for it.
func (o *owner) lied(c *cold, p PeerID, root memo.ID, err error) {
	if l := c.space.layer.Load(); l.peer == p && l.id == root {
		c.space.put(layer{})
		c.later(o.n.opts.Now()) // of another peer
	}
	if c.lied(p) {
		return
	}
	if len(c.liars) == maxLiars {
		c.liars = c.liars[1:]
	}
	c.liars = append(c.liars, p)
	o.tell(gossip.Drop{Space: c.space.id, Root: root, Liar: p, Err: err})
	o.n.log.Error("a peer vouched for a state that is false", "space", c.space.id, "peer", p, "root", root, "err", err)
}
