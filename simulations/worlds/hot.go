package worlds

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is the hot topic: more is offered than any peer can take in, and roots bring
// what it does not hear. What is heard, which roots are merged and when one is announced
// is decided by p2p/gossip's Ear and Budget. Models are: the mesh; a root, which is the
// vector of the memos that it covers; what merging one costs; and recon, which is not.

// The events and counters of a hot topic, behind those of the mesh.
const (
	write    = mesh.FirstKind + iota // a timer: Arg is the number of the memo
	listen                           // a timer, every gossip.TickEvery
	rootCame                         // an announcement: Arg who made it, Aux which of its own
)

const (
	written    = mesh.FirstCounter + iota // memos
	effects                               // memos that came to be below a peer's own root
	attached                              // of these, heard one by one
	byCoin                                // memos passed by: so said the coin
	byGap                                 // those before them were not here
	byBudget                              // there was no room, or the queue was full
	rootsSaid                             // announcements
	rootsKept                             // not made: one as good was heard
	rootsHeard                            // announcements that were news
	rootsPast                             // of these, passed by
	merged                                // roots merged
	units                                 // spent, by all but the writers for their own memos
	over                                  // ticks at the end of a second with more units than the budget
	earSteps                              // calls of Ear
)

// remembered is how many of a peer's announcements others can still fetch, maxQueue how
// many memos wait where there is no hearing.
const remembered, maxQueue = 4, 256

// reconEvery is the mean time between two recons of a peer: p2p/gossip's antiEntropy.
var reconEvery = engine.Seconds(10)

// hotBegins is when the first memo is written.
var hotBegins = engine.Seconds(1)

// hotTopic is what all shards share: who writes, and the roots that were announced. A peer
// writes only its own, and who reads one got it in a message from a window before.
type hotTopic struct {
	s       *scenario.Scenario
	authors []memo.Author
	peers   []engine.Peer // who writes as which author
	said    []uint16      // of each peer the last roots it announced: seqs by author
}

// root returns the n-th root that a peer announced.
func (t *hotTopic) root(p engine.Peer, n uint16) []uint16 {
	w := len(t.authors)
	at := (int(p)*remembered + int(n%remembered)) * w
	return t.said[at : at+w : at+w]
}

// hearer is the state of a peer, beside the vectors in hotter.
type hearer struct {
	ear     gossip.Ear
	budget  gossip.Budget
	owed    int32  // units that the root under way still costs; 0: none is
	widest  uint32 // memos below the widest root heard of
	spoke   uint16 // announcements made
	fresh   bool   // memos came since the last root was made
	settled bool   // the last root was announced, or needs not to be
	writer  bool
	recon   engine.Time // when the widest root heard of is merged next, if it is wider
}

// hotter is the protocol of a hot topic.
type hotter struct {
	*mesh.Mesh
	*hotTopic
	first engine.Peer
	peer  []hearer
	have  []uint16 // seqs by author, of each peer: its own root
	want  []uint16 // the root that is being merged
	told  []uint16 // all roots heard of, joined
	best  []uint16 // the widest of them
	queue [][]uint32
	terms gossip.Terms // of the peer that is stepped
}

func newTopic(s *scenario.Scenario) *hotTopic {
	t := &hotTopic{s: s, said: make([]uint16, s.Peers*remembered*s.Hot.Writers)}
	taken := map[engine.Peer]bool{}
	for i := 0; len(t.peers) < s.Hot.Writers; i++ {
		if p := engine.Peer(engine.Draw(s.Seed^0x407, uint32(i), 0) % uint64(s.Peers)); !taken[p] {
			taken[p] = true
			t.peers, t.authors = append(t.peers, p), append(t.authors, authorOf(s.Seed, p))
		}
	}
	return t
}

// authorOf is the key that a peer writes with.
func authorOf(seed uint64, p engine.Peer) (a memo.Author) {
	for i := range len(a) / 8 {
		binary.BigEndian.PutUint64(a[8*i:], engine.Draw(seed^0xa07408, p, uint32(i)))
	}
	return a
}

func newHotter(sh *engine.Shard, t *hotTopic) *hotter {
	s, n, w := t.s, int(sh.Last-sh.First), len(t.authors)
	h := &hotter{
		Mesh:     mesh.New(sh, s.Seed, s.Peers, s.Mesh.Params(), s.Hot.Memos(), func(uint32) int { return s.Hot.Size }),
		hotTopic: t, first: sh.First, peer: make([]hearer, n), have: make([]uint16, n*w), want: make([]uint16, n*w),
		told: make([]uint16, n*w), best: make([]uint16, n*w),
	}
	if s.Hot.Hearing == "off" {
		h.queue = make([][]uint32, n)
	}
	for i := range h.peer {
		h.peer[i].budget.Bound(s.Hot.Budget, 0)
	}
	return h
}

// of returns the vector of a peer in one of the arrays.
func (h *hotter) of(all []uint16, i int) []uint16 {
	w := len(h.authors)
	return all[i*w : (i+1)*w : (i+1)*w]
}

// Start is the protocol's.
func (h *hotter) Start(p *engine.Port) {
	h.Mesh.Start(p)
	h.peer[p.Local()].recon = engine.Time(p.IntN(int(reconEvery)))
	p.After(engine.Time(p.IntN(int(engine.Ticks(gossip.TickEvery))))+1, listen, 0)
	for a, who := range h.peers {
		if who == p.Self() {
			own := int(math.Ceil(h.s.Hot.Offered / float64(len(h.peers))))
			h.peer[p.Local()].budget.Bound(h.s.Hot.Budget+2*own, 0) // twice: a Budget keeps as much free
			h.peer[p.Local()].writer = true
			apart := float64(len(h.peers)) / h.s.Hot.Offered
			p.After(hotBegins+engine.Seconds(p.Float64()*apart), write, uint32(a))
		}
	}
}

// Step is the protocol's.
func (h *hotter) Step(p *engine.Port, ev engine.Event) {
	switch ev.Kind {
	case write:
		h.write(p, ev.Arg)
	case listen:
		h.tick(p)
		p.After(engine.Ticks(gossip.TickEvery), listen, 0)
	case rootCame:
		h.heardRoot(p, ev)
	default:
		if msg, _, first := h.Mesh.Step(p, ev); first {
			h.heard(p, msg)
		}
	}
}

// write has the peer write a memo: they are numbered through the authors.
func (h *hotter) write(p *engine.Port, msg uint32) {
	i, w := p.Local(), len(h.authors)
	x := &h.peer[i]
	x.budget.Own(p.Clock(), 1)
	h.of(h.have, i)[int(msg)%w]++
	x.fresh = true
	p.Count(written, 1)
	p.Count(effects, 1)
	h.Publish(p, msg)
	if next := int(msg) + w; next < h.s.Hot.Memos() {
		p.After(engine.Seconds(float64(w)/h.s.Hot.Offered), write, uint32(next))
	}
}

// heard decides about a memo that came.
func (h *hotter) heard(p *engine.Port, msg uint32) {
	i, w := p.Local(), len(h.authors)
	x, a, seq := &h.peer[i], int(msg)%w, uint16(int(msg)/w+1)
	if h.queue != nil {
		if len(h.queue[i]) == maxQueue {
			p.Count(byBudget, 1)
			return
		}
		h.queue[i] = append(h.queue[i], msg)
		return
	}
	p.Count(earSteps, 1)
	h.under(p.Self())
	switch x.ear.Hear(p.Clock(), &x.budget, &h.terms, gossip.Offer{
		Author: h.authors[a], First: uint64(seq), Last: uint64(seq), Gap: seq > h.of(h.have, i)[a]+1,
	}) {
	case gossip.PassByCoin:
		p.Count(byCoin, 1)
	case gossip.PassByGap:
		p.Count(byGap, 1)
	case gossip.PassByBudget:
		p.Count(byBudget, 1)
	default:
		p.Count(units, 1)
		h.attach(p, i, a, seq)
	}
}

// under sets the terms of a peer.
func (h *hotter) under(p engine.Peer) {
	h.terms.Adopts = true
	binary.BigEndian.PutUint64(h.terms.Secret[:], engine.Draw(h.s.Seed^0x5ec2e7, p, 0))
	binary.BigEndian.PutUint64(h.terms.Secret[8:], engine.Draw(h.s.Seed^0x5ec2e7, p, 1))
}

// attach joins a memo, if those before it are here: else it waits for a root.
func (h *hotter) attach(p *engine.Port, i, a int, seq uint16) {
	have := h.of(h.have, i)
	if seq != have[a]+1 {
		return
	}
	have[a] = seq
	h.peer[i].fresh = true
	p.Count(effects, 1)
	p.Count(attached, 1)
}

// tick is what a driver does every gossip.TickEvery.
func (h *hotter) tick(p *engine.Port) {
	i, now := p.Local(), p.Clock()
	x := &h.peer[i]
	p.Count(earSteps, 1)
	h.under(p.Self())
	x.budget.Tick()
	x.ear.Tick(now, &x.budget, &h.terms)
	if h.queue != nil {
		h.drain(p, i, now)
	}
	h.merge(p, i, now)
	h.fold(p, i, now)
	h.speak(p, i, now)
	if !x.writer && x.budget.Lately(now) > x.budget.Rate() {
		p.Count(over, 1)
	}
}

// drain takes in what waits, in the order in which it came.
func (h *hotter) drain(p *engine.Port, i int, now time.Time) {
	q := h.queue[i]
	n := h.peer[i].budget.Grant(now, len(q))
	p.Count(units, n)
	for _, msg := range q[:n] {
		w := len(h.authors)
		h.attach(p, i, int(msg)%w, uint16(int(msg)/w+1))
	}
	h.queue[i] = append(q[:0], q[n:]...)
}

// merge spends what is free on the root that is being merged; now and then it is the
// widest that was heard of, as recon would bring it.
func (h *hotter) merge(p *engine.Port, i int, now time.Time) {
	x := &h.peer[i]
	if p.Now() >= x.recon {
		x.recon = p.Now() + reconEvery/2 + engine.Time(p.IntN(int(reconEvery)))
		if x.owed == 0 {
			h.fetch(i, h.of(h.best, i))
		}
	}
	if x.owed == 0 {
		return
	}
	n := x.budget.Grant(now, int(x.owed))
	p.Count(units, n)
	if x.owed -= int32(n); x.owed > 0 {
		return
	}
	have := h.of(h.have, i)
	p.Count(effects, lacks(have, h.of(h.want, i)))
	join(have, h.of(h.want, i))
	x.ear.Merged(&x.budget)
	x.fresh = true
	p.Count(merged, 1)
}

// fold makes a root of what came: it is news unless one as good was heard of.
func (h *hotter) fold(p *engine.Port, i int, now time.Time) {
	x := &h.peer[i]
	if !x.fresh {
		return
	}
	x.fresh = false
	if x.settled = lacks(h.of(h.best, i), h.of(h.have, i)) == 0; x.settled {
		p.Count(rootsKept, 1)
		return
	}
	x.ear.News(now, draws{p})
}

// speak announces the own root when the moment has come, unless one as good was heard of.
func (h *hotter) speak(p *engine.Port, i int, now time.Time) {
	x := &h.peer[i]
	p.Count(earSteps, 1)
	if !x.ear.Speaks(now, draws{p}) || x.settled || size(h.of(h.have, i)) == 0 {
		return
	}
	x.settled = true
	if lacks(h.of(h.best, i), h.of(h.have, i)) == 0 {
		p.Count(rootsKept, 1)
		return
	}
	copy(h.root(p.Self(), x.spoke), h.of(h.have, i))
	p.Count(rootsSaid, 1)
	h.notice(i, h.of(h.have, i))
	h.pass(p, p.Self(), p.Self(), x.spoke)
	x.spoke++
}

// pass sends an announcement to all links but the one it came by.
func (h *hotter) pass(p *engine.Port, from, maker engine.Peer, n uint16) {
	for _, to := range h.Links(p.Local()) {
		if to != from {
			p.Send(to, rootCame, maker, n, announcementBytes)
		}
	}
}

// announcementBytes is the size of an announcement with no heads.
const announcementBytes = 220

// notice remembers a root heard of, and reports whether it is news: it has a memo that
// none before it had, or is the widest. Only those are passed on, which is a model:
// gossipsub passes on what is valid.
func (h *hotter) notice(i int, root []uint16) bool {
	told, n := h.of(h.told, i), size(root)
	news := lacks(told, root) > 0
	join(told, root)
	if n > h.peer[i].widest {
		h.peer[i].widest = n
		copy(h.of(h.best, i), root)
		news = true
	}
	return news
}

// heardRoot decides about an announcement that came.
func (h *hotter) heardRoot(p *engine.Port, ev engine.Event) {
	i, now, root := p.Local(), p.Clock(), h.root(ev.Arg, ev.Aux)
	x, have := &h.peer[i], h.of(h.have, i)
	if !h.notice(i, root) {
		return
	}
	h.pass(p, ev.From, ev.Arg, ev.Aux)
	if lacks(have, root) == 0 {
		return
	}
	p.Count(rootsHeard, 1)
	p.Count(earSteps, 1)
	x.ear.News(now, draws{p})
	if worth := x.ear.Worth(&x.budget, behind(root)); worth < 1 && p.Float64() >= worth {
		p.Count(rootsPast, 1)
		return
	}
	want := h.of(h.want, i)
	switch {
	case x.owed == 0:
		h.fetch(i, root)
	case lacks(root, want) == 0: // it stands for the one under way
		copy(want, root)
	default:
		p.Count(rootsPast, 1)
	}
}

// fetch begins to merge a root: it costs its block and the rows that differ.
func (h *hotter) fetch(i int, root []uint16) {
	if news := lacks(h.of(h.have, i), root); news > 0 {
		h.peer[i].owed = int32(1 + min(news, h.s.Hot.Rows))
		copy(h.of(h.want, i), root)
	}
}

// Digest is the protocol's.
func (h *hotter) Digest(id engine.Peer) uint64 {
	i := int(id - h.first)
	sum := h.peer[i].ear.Digest() ^ uint64(h.peer[i].budget.Spent())<<40
	for _, seq := range h.of(h.have, i) {
		sum = sum*31 + uint64(seq)
	}
	return sum
}

// lacks counts the memos below root that are not below v.
func lacks(v, root []uint16) (n int) {
	for a, seq := range root {
		n += max(0, int(seq)-int(v[a]))
	}
	return n
}

func join(v, root []uint16) {
	for a, seq := range root {
		v[a] = max(v[a], seq)
	}
}

// size counts the memos below a root.
func size(root []uint16) (n uint32) {
	for _, seq := range root {
		n += uint32(seq)
	}
	return n
}

// behind is P̂ of a root without beacons: who wrote what it covers.
func behind(root []uint16) (n uint64) {
	for _, seq := range root {
		if seq > 0 {
			n++
		}
	}
	return max(1, n)
}

// draws has an Ear draw from the stream of a peer.
type draws struct{ *engine.Port }

// Int64N draws a number of [0, n), for n far below 2³².
func (d draws) Int64N(n int64) int64 { return int64(d.Uint64() >> 32 * uint64(n) >> 32) }

func hot(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	cfg := config(s, o)
	t := newTopic(s)
	var at, share, offered, inRoots []float64
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		all := float64(e.Total(written))
		at = append(at, now.Seconds())
		mine := float64(e.Total(effects)) / float64(s.Peers)
		offered, inRoots = append(offered, all), append(inRoots, mine)
		share = append(share, mine/math.Max(1, all))
		o.tell(e)
	}
	e, err := engine.New(cfg, func(sh *engine.Shard) engine.Protocol { return newHotter(sh, t) })
	if err == nil {
		err = e.Run(ctx)
	}
	if err != nil {
		return err
	}
	reportHot(s, e, r, at, share, offered, inRoots)
	finish(r, e)
	return nil
}
