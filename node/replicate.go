package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// This file is the replication side of the owner, and the methods that make
// *Node a p2p.Core.

// Attach connects the node to a network driver. It is called once, by p2p.Serve.
func (n *Node) Attach(net gossip.Network) {
	n.net.Store(&network{net})
	if err := n.submit(context.Background(), goOnline{}); err != nil {
		n.log.Warn("network attached to a closing node", "err", err)
	}
}

type goOnline struct{}

func (goOnline) do(o *owner) {
	net := o.n.net.Load()
	for _, s := range o.state.Spaces {
		id, err := memo.ParseSpaceID(s.ID)
		if err != nil {
			continue // loadState checked it
		}
		o.connect(net, id, s)
	}
	o.askHeads()
}

// Input takes something the network brought. It decodes and verifies on the
// caller's goroutine, within a pool of slots, and waits while the owner's queue
// is full: that is the backpressure on peers.
func (n *Node) Input(ctx context.Context, in gossip.Input) error {
	if !n.gate.admit(n.opts.Now(), in) {
		return nil // recon brings it
	}
	select {
	case n.check <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-n.quit:
		return ErrClosed
	}
	err := gossip.PrepareHolding(in, n.holds)
	<-n.check
	if err != nil {
		if err := n.submit(ctx, invalidMessage{err}); err != nil {
			return err
		}
		return fmt.Errorf("input refused: %w", err) // the driver ends a frame's session
	}
	queue := n.inputs
	if gossip.Quick(in) {
		queue = n.quick
	}
	select {
	case queue <- in:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.quit:
		return ErrClosed
	}
}

// holds is the gossip.Held of what is attached here.
func (n *Node) holds(space memo.SpaceID, h memo.Head) bool {
	v := n.view.Load().store
	if !v.Vector(space).Covers(h.Author, h.Seq) {
		return false
	}
	if _, forked := v.Fork(space, h.Author); forked {
		return false
	}
	id, ok, err := v.ID(space, h.Author, h.Seq)
	return err == nil && ok && id == h.ID
}

// gate holds floods off before their signatures are checked.
type gate struct {
	mu sync.Mutex
	gossip.Gate
}

func (g *gate) admit(now time.Time, in gossip.Input) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Admit(now, in)
}

func (g *gate) dropped() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.Dropped
}

// invalidMessage counts a frame or publication that did not decode or verify.
type invalidMessage struct{ err error }

func (m invalidMessage) do(o *owner) {
	o.counts.invalid++
	o.n.log.Debug("message refused", "err", m.err)
}

// Admitted reports whether a peer is known to take part in a space. It serves
// the driver's topic filter and may be called from any goroutine.
func (n *Node) Admitted(id memo.SpaceID, p gossip.Peer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.spaces[id]
	return s != nil && s.admitted[p]
}

// Rendezvous returns what the members of a space are found by. It serves the driver
// and may be called from any goroutine.
func (n *Node) Rendezvous(id memo.SpaceID) (gossip.Rendezvous, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.spaces[id]; s != nil {
		return s.rendezvous, true
	}
	return gossip.Rendezvous{}, false
}

func (n *Node) admit(id memo.SpaceID, p PeerID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.spaces[id]; s != nil {
		if s.admitted == nil {
			s.admitted = map[PeerID]bool{}
		}
		if len(s.admitted) < maxAdmitted {
			s.admitted[p] = true
		}
	}
}

// step runs the protocol on one input, and then on what carrying out its effects
// asked for.
func (o *owner) step(in gossip.Input) {
	o.stepOne(in)
	o.drainTodo()
	o.expelRevised()
}

// expelRevised looks who is to be served no more, where revocations attached.
func (o *owner) expelRevised() {
	for len(o.revised) > 0 {
		id := o.revised[0]
		o.revised = o.revised[1:]
		if s := o.coldOf(id).space; s != nil {
			o.expel(s)
		}
	}
}

// drainTodo tells the protocol what the owner has for it.
func (o *owner) drainTodo() {
	for len(o.todo) > 0 {
		in := o.todo[0]
		o.todo = o.todo[1:]
		o.stepOne(in)
	}
}

// stepOne runs the protocol on one input: blocks are kept, deliveries are attached
// and their outcome stepped in turn, then what concerns the network goes out.
func (o *owner) stepOne(in gossip.Input) {
	now := o.n.opts.Now()
	o.core.Step(now, in, &o.eff)
	o.inside()
	for len(o.eff.Deliver) > 0 {
		d := o.eff.Deliver[0]
		o.eff.Deliver = o.eff.Deliver[1:]
		o.core.Step(now, o.deliver(d), &o.eff)
		o.inside()
	}
	for _, a := range o.eff.Admit {
		o.admitted(a)
	}
	for _, x := range o.eff.Expel {
		o.n.log.Info("a revoked peer is served no more", "space", x.Space, "peer", x.Peer)
	}
	if net := o.n.net.Load(); net != nil {
		net.Do(&o.eff)
	}
	if o.eff.Again {
		select {
		case o.turn <- struct{}{}:
		default: // it has one coming
		}
	}
	o.eff.Reset()
}

// inside carries out the effects of one step that never leave the replica.
func (o *owner) inside() {
	for _, k := range o.eff.Keep {
		o.keep(k)
	}
	for _, f := range o.eff.Fetched {
		o.fetched(f)
	}
	for _, f := range o.eff.Fold {
		o.askFold(f.Space)
	}
	for _, t := range o.eff.Told {
		o.told(t)
	}
	for _, a := range o.eff.Ahead {
		o.ahead(a.Space, a.Peer, a.Memos)
		o.lags(a.Space)
	}
	for _, a := range o.eff.Heard {
		o.heardRoot(a)
	}
	for _, q := range o.eff.Inquired {
		o.inquired(q)
	}
	o.eff.Keep, o.eff.Fetched, o.eff.Fold = o.eff.Keep[:0], o.eff.Fetched[:0], o.eff.Fold[:0]
	o.eff.Told, o.eff.Ahead, o.eff.Heard = o.eff.Told[:0], o.eff.Ahead[:0], o.eff.Heard[:0]
	o.eff.Inquired = o.eff.Inquired[:0]
}

// askFold has a space folded beside the owner; the protocol is told what came of it.
func (o *owner) askFold(id memo.SpaceID) {
	s := o.coldOf(id).space
	if s == nil || !o.n.folder.want(s) {
		o.tell(gossip.Folded{Space: id, Err: errors.New("too many spaces are being folded; ask again later")})
	}
}

// deliver attaches verified runs and says what became of them. When this machine
// fails at that nobody is blamed: recon brings the rest again.
func (o *owner) deliver(d gossip.Deliver) *gossip.Attached {
	out := &gossip.Attached{Space: d.Space, From: d.From, Session: d.Session, Bytes: d.Bytes}
	if err := o.ready(); err != nil {
		out.Excused = true
		o.n.log.Debug("cannot attach now", "peer", d.From, "err", err) // tellReady says it once
		return out
	}
	begun := o.n.opts.Now()
	res, err := o.n.store.Attach(o.delayed.sift(begun, d.Runs))
	if err = o.took(d.Space, res, err); !errors.Is(err, store.ErrBroken) {
		out.Fresh = len(res.Attached) + res.Late
		o.load.attached(len(res.Attached), o.n.opts.Now().Sub(begun))
	}
	if err != nil {
		out.Excused = true
		o.n.log.Error("cannot attach what a peer sent", "peer", d.From, "err", err)
		return out
	}
	out.Excused = len(o.delayed.runs) > 0 // later runs may wait for one of them
	out.Orphans = len(res.Orphans) > 0
	if err := errors.Join(res.Refused...); err != nil {
		o.counts.refused += int64(len(res.Refused))
		o.n.log.Warn("refused runs", "peer", d.From, "err", err)
		out.Bad = err
	}
	return out
}

// took projects what the store attached, err being what it failed with at last. What
// attached before the failure is in the log: it must be projected before what comes
// next, or would be missing for good. With a broken index nothing comes next, and the
// view does not show it.
func (o *owner) took(id memo.SpaceID, res store.Result, err error) error {
	if errors.Is(err, store.ErrBroken) {
		return err
	}
	revokes := func(p store.Placed) bool { return p.Memo.Kind() == memo.KindRevoke }
	if slices.ContainsFunc(res.Attached, revokes) && !slices.Contains(o.revised, id) {
		o.revised = append(o.revised, id)
	}
	o.dirty = o.dirty || len(res.Attached) > 0
	seq := o.ownSeq(id)
	if res.Late > 0 {
		o.n.log.Info("late memos are held back; see `lightcone beacons --held`", "space", id, "memos", res.Late)
	}
	err = errors.Join(err, o.project(res.Attached))
	o.regain(id, seq)
	return err
}

// admitted remembers a peer that proved to belong to a space, and where it is.
func (o *owner) admitted(a gossip.Admit) {
	o.n.admit(a.Space, a.Peer)
	s := o.state.find(a.Space.String())
	if s == nil {
		return
	}
	var addrs []string
	for _, p := range o.peers() {
		if p.Peer == a.Peer {
			addrs = p.Addrs
		}
	}
	if s.know(a.Peer, addrs) {
		o.save()
	}
}

// pin stays connected with a peer of a space, now and after a restart.
func (o *owner) pin(id memo.SpaceID, p PeerID, addrs []string) {
	o.state.find(id.String()).pin(p)
	o.save()
	if net := o.n.net.Load(); net != nil {
		net.Keep(p, addrs)
	}
}

// heardRoot tells the log of a root that a peer announced.
func (o *owner) heardRoot(a gossip.Announced) {
	log := o.n.log.With("space", a.Space, "peer", a.From, "root", a.ID)
	if !a.Unequal.IsZero() {
		log.Debug("a peer announces another state of a cut that was folded here", "ours", a.Unequal, "memos", a.Memos)
		o.doubt(a)
		return
	}
	log.Debug("a peer announces a root", "memos", a.Memos)
	o.announced(a)
}

// peers returns the connected peers.
func (o *owner) peers() []gossip.PeerInfo {
	if net := o.n.net.Load(); net != nil {
		return net.Peers()
	}
	return nil
}

func (o *owner) save() {
	if err := o.state.save(o.n.dir); err != nil {
		o.n.log.Error("cannot save the list of spaces and peers", "err", err)
	}
}
