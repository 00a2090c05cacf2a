package worlds

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"time"

	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/forest"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a topic on which more is offered than any peer can take in: what peers
// write and hear. hotroots.go is how roots bring the rest. What is heard, which roots are
// merged and when one is announced is decided by p2p/gossip's Ear and Budget; roots and
// what they cost are package merge's, in a forest. Models are: the mesh; that blocks come
// as soon as there is budget for them; and who asks for which root when, as package node has it.

// The events and counters of such a topic, behind those of the mesh.
const (
	write  = mesh.FirstKind + iota // a timer: Arg is the number of the memo
	listen                         // a timer, every gossip.TickEvery
)

const (
	written    = mesh.FirstCounter + iota // memos
	effects                               // memos that came to be below a peer's own root
	attached                              // of these, heard one by one
	byCoin                                // memos passed by: so said the coin
	byGap                                 // those before them were not here
	byBudget                              // there was no room, or the queue was full
	rootsSaid                             // announcements
	rootsLost                             // that there was no room for
	rootsKept                             // not made: one as good was heard
	rootsHeld                             // not made: so many others were news
	rootsPast                             // roots heard of that were news and passed by
	merged                                // roots merged
	units                                 // spent, by all but the writers for their own memos
	over                                  // ticks at the end of a second with more units than the budget
	earSteps                              // calls of Ear
	blocksIn                              // blocks that roots to be merged took
	rowsIn                                // rows that they took
	blocksRead                            // by merge.MergeRoot
	blocksPut
)

// lately is how many of the roots heard last a peer remembers; p2p/gossip does of 128.
const lately = 16

// maxQueue is how many memos wait where there is no hearing.
const maxQueue = 256

// hotBegins is when the first memo is written.
var hotBegins = engine.Seconds(1)

// hotTopic is what all shards share.
type hotTopic struct {
	s     *scenario.Scenario
	of    *scenario.Topic
	roots *forest.Forest
	peers []engine.Peer // who writes as which author
	board board
}

// hearer is the state of a peer.
type hearer struct {
	ear     gossip.Ear
	budget  gossip.Budget
	pace    gossip.Pace         // of announcements
	have    forest.Root         // its own
	best    notice              // the widest root heard of
	want    notice              // that is being merged
	next    notice              // that is merged then; none: the zero notice
	ask     engine.Time         // when it may take the widest, though it was not chosen
	heard   [lately]forest.Root // the last roots heard of
	hears   uint8               // where the next goes
	author  int16               // that it writes as; -1: it does not
	echoed  uint16              // own memos that a root of others has
	owed    int32               // units that the root under way still costs; 0: none is
	depth   uint8               // of the own root: how many merges deep
	fresh   bool                // memos came since the last root was made
	settled bool                // the last root was announced, or needs not to be
}

// hotter is the protocol of such a topic.
type hotter struct {
	*mesh.Mesh
	*hotTopic
	first engine.Peer
	shard int
	peer  []hearer
	queue [][]uint32
	terms gossip.Terms // of the peer that is stepped
	paced int          // announcements that came too fast
}

func newTopic(s *scenario.Scenario, of *scenario.Topic) (*hotTopic, error) {
	roots, err := forest.New(forest.Config{
		Seed: s.Seed, Authors: of.Writers, Each: of.Memos() / of.Writers, Rows: of.Rows, Value: memoValue,
	})
	t := &hotTopic{s: s, of: of, roots: roots, board: board{all: make([]announcement, of.Announced)}}
	taken := map[engine.Peer]bool{}
	for i := 0; len(t.peers) < of.Writers; i++ {
		if p := engine.Peer(engine.Draw(s.Seed^0x407, uint32(i), 0) % uint64(s.Peers)); !taken[p] {
			taken[p] = true
			t.peers = append(t.peers, p)
		}
	}
	return t, err
}

// memoValue is how many bytes a memo writes.
const memoValue = 100

// bytes is the size of a memo on the wire, or of an announcement: those are numbered
// behind the memos.
func (t *hotTopic) bytes(msg uint32) int {
	if int(msg) < t.of.Memos() {
		return t.of.Size
	}
	return announcementBytes
}

func newHotter(sh *engine.Shard, t *hotTopic) *hotter {
	s, n := t.s, int(sh.Last-sh.First)
	h := &hotter{
		Mesh:     mesh.New(sh, s.Peers, s.Mesh.Params(), t.of.Memos()+t.of.Announced, t.bytes),
		hotTopic: t, first: sh.First, shard: t.board.join(), peer: make([]hearer, n),
	}
	if t.of.Hearing == "off" {
		h.queue = make([][]uint32, n)
	}
	for i := range h.peer {
		h.peer[i].budget.Bound(t.of.Budget, 0)
		h.peer[i].author = -1
	}
	return h
}

// Start is the protocol's.
func (h *hotter) Start(p *engine.Port) {
	h.Mesh.Start(p)
	h.peer[p.Local()].ask = engine.Time(p.IntN(int(askAgain)))
	p.After(engine.Time(p.IntN(int(engine.Ticks(gossip.TickEvery))))+1, listen, 0)
	for a, who := range h.peers {
		if who == p.Self() {
			own := int(math.Ceil(h.of.Offered / float64(len(h.peers))))
			h.peer[p.Local()].budget.Bound(h.of.Budget+2*own, 0) // twice: a Budget keeps as much free
			h.peer[p.Local()].author = int16(a)
			apart := float64(len(h.peers)) / h.of.Offered
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
	default:
		if h.Carries(ev.Kind) && !h.takes(p, ev.Arg) {
			return
		}
		switch msg, _, first := h.Mesh.Step(p, ev); {
		case first && int(msg) < h.of.Memos():
			h.heard(p, msg)
		case first:
			h.heardRoot(p, notice(int(msg)-h.of.Memos()+1))
		}
	}
}

// write has the peer write a memo: they are numbered through the authors.
func (h *hotter) write(p *engine.Port, msg uint32) {
	x, w := &h.peer[p.Local()], len(h.peers)
	x.budget.Own(p.Clock(), 1)
	h.roots.Write(int(msg)%w, p.Clock())
	x.have = h.roots.Add(x.have, int(msg)%w)
	x.fresh = true
	p.Count(written, 1)
	p.Count(effects, 1)
	h.Publish(p, msg)
	if next := int(msg) + w; next < h.of.Memos() {
		p.After(engine.Seconds(float64(w)/h.of.Offered), write, uint32(next))
	}
}

// heard decides about a memo that came.
func (h *hotter) heard(p *engine.Port, msg uint32) {
	i, w := p.Local(), len(h.peers)
	x, a, seq := &h.peer[i], int(msg)%w, int(msg)/w+1
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
		Author: h.roots.Author(a), First: uint64(seq), Last: uint64(seq), Gap: seq > h.roots.Seq(x.have, a)+1,
	}) {
	case gossip.PassByCoin:
		p.Count(byCoin, 1)
	case gossip.PassByGap:
		p.Count(byGap, 1)
	case gossip.PassByBudget:
		p.Count(byBudget, 1)
	default:
		p.Count(units, 1)
		h.attach(p, x, a, seq)
	}
}

// under sets the terms of a peer.
func (h *hotter) under(p engine.Peer) {
	h.terms.Adopts = true
	binary.BigEndian.PutUint64(h.terms.Secret[:], engine.Draw(h.s.Seed^0x5ec2e7, p, 0))
	binary.BigEndian.PutUint64(h.terms.Secret[8:], engine.Draw(h.s.Seed^0x5ec2e7, p, 1))
}

// attach joins a memo, if those before it are here: else it waits for a root.
func (h *hotter) attach(p *engine.Port, x *hearer, a, seq int) {
	if seq != h.roots.Seq(x.have, a)+1 {
		return
	}
	x.have = h.roots.Add(x.have, a)
	x.fresh = true
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
	h.merge(p, x, now)
	h.fold(p, x, now)
	h.speak(p, x, now)
	if x.author < 0 && x.budget.Lately(now) > x.budget.Rate() {
		p.Count(over, 1)
	}
}

// drain takes in what waits, in the order in which it came.
func (h *hotter) drain(p *engine.Port, i int, now time.Time) {
	q := h.queue[i]
	n := h.peer[i].budget.Grant(now, len(q))
	p.Count(units, n)
	for _, msg := range q[:n] {
		w := len(h.peers)
		h.attach(p, &h.peer[i], int(msg)%w, int(msg)/w+1)
	}
	h.queue[i] = append(q[:0], q[n:]...)
}

// Digest is the protocol's.
func (h *hotter) Digest(id engine.Peer) uint64 {
	x := &h.peer[id-h.first]
	return x.ear.Digest() ^ uint64(x.budget.Spent())<<40 ^ h.roots.Sum(x.have)
}

// draws has an Ear draw from the stream of a peer.
type draws struct{ *engine.Port }

// Int64N draws a number of [0, n), for n far below 2³².
func (d draws) Int64N(n int64) int64 { return int64(d.Uint64() >> 32 * uint64(n) >> 32) }

// paced counts the announcements that came too fast, of all peers.
func (t *hotTopic) paced(e *engine.Engine) (n int) {
	for p := range e.Protocols {
		n += p.(*hotter).paced
	}
	return n
}

// flow is what is sampled of a topic.
type flow struct{ at, share, offered, inRoots []float64 }

// runTopic runs a scenario with such a topic, and tells of it.
func runTopic(ctx context.Context, s *scenario.Scenario, of *scenario.Topic, o Options, r *report.Result) (*hotTopic, error) {
	t, err := newTopic(s, of)
	if err == nil {
		err = t.run(ctx, o, r)
	}
	return t, err
}

// run runs the scenario, and ends it where its roots are at fault.
func (t *hotTopic) run(ctx context.Context, o Options, r *report.Result) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f, cfg := &flow{}, config(t.s, o)
	cfg.Sample = func(e *engine.Engine, now engine.Time) {
		all, mine := float64(e.Total(written)), float64(e.Total(effects))/float64(t.s.Peers)
		f.at = append(f.at, now.Seconds())
		f.offered, f.inRoots = append(f.offered, all), append(f.inRoots, mine)
		f.share = append(f.share, mine/math.Max(1, all))
		if t.roots.Err() != nil {
			stop()
		}
		o.tell(e)
	}
	e, err := engine.New(cfg, func(sh *engine.Shard) engine.Protocol { return newHotter(sh, t) })
	if err == nil {
		err = e.Run(ctx)
	}
	if err = cmp.Or(t.roots.Err(), err); err != nil {
		return err
	}
	reportTopic(t, e, r, f)
	finish(r, e)
	return nil
}

func hot(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	_, err := runTopic(ctx, s, &s.Hot.Topic, o, r)
	return err
}
