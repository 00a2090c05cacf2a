package beacon_test

import (
	"math/big"
	"slices"

	"lightcone/beacon"
	"lightcone/memo"
)

// world is a space of peers that write and attach as real ones do: causes first,
// chains in order, pings whatever they refer to. The first peer is the observer, whose
// index is asked.
type world struct {
	draw  func(n int, what string) int // in [0,n)
	memos []*memo.Memo
	index map[memo.ID]int
	past  []*big.Int // of every memo, as a set of indices, all that its links lead to
	peers []*peer
	space memo.SpaceID

	pingOneOf int // one of so many memos is a ping
	budget    int // of the bytes that an index remembers; 0: as in a node
}

type peer struct {
	author   memo.Author
	heads    memo.Vector
	attached []*memo.Memo
	held     map[memo.ID]*memo.Memo
	time     memo.Time
	pings    *beacon.Pings
}

// newWorld makes peers that all have the genesis.
func newWorld(draw func(n int, what string) int, peers, budget int) *world {
	w := &world{draw: draw, pingOneOf: 2, budget: budget, index: map[memo.ID]int{}}
	w.space = genesis.SpaceID()
	w.note(genesis)
	for i := range peers {
		p := &peer{author: author(byte(i)), held: map[memo.ID]*memo.Memo{}, pings: w.pings(memo.Vector{}, nil)}
		p.attach(genesis)
		w.peers = append(w.peers, p)
	}
	return w
}

func author(n byte) memo.Author { return memo.Author{1, n} }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pings returns an index.
func (w *world) pings(cut memo.Vector, latest []*memo.Memo) *beacon.Pings {
	p := beacon.NewPings(cut, latest)
	if w.budget > 0 {
		p.Within(w.budget)
	}
	return p
}

// links are the memos that m names.
func links(m *memo.Memo) []memo.Head {
	out := slices.Clone(m.Deps)
	if m.Seq > 1 {
		out = append(out, memo.Head{Author: m.Author, Seq: m.Seq - 1, ID: m.Prev})
	}
	if p, ok := m.Body.(*memo.Ping); ok {
		out = append(out, p.Refs...)
	}
	return out
}

// note remembers all that m's links lead to.
func (w *world) note(m *memo.Memo) {
	if _, ok := w.index[m.ID()]; ok {
		return // two that run with one key wrote the same
	}
	past := new(big.Int)
	for _, l := range links(m) {
		i := w.index[l.ID]
		past.SetBit(past.Or(past, w.past[i]), i, 1)
	}
	w.index[m.ID()] = len(w.memos)
	w.memos, w.past = append(w.memos, m), append(w.past, past)
}

// before reports whether a is in b's past.
func (w *world) before(a, b *memo.Memo) bool {
	return w.past[w.index[b.ID()]].Bit(w.index[a.ID()]) == 1
}

// attach takes m in if its chain and its causes are here.
func (p *peer) attach(m *memo.Memo) bool {
	head, _ := p.heads.Get(m.Author)
	if m.Seq != head.Seq+1 || m.Prev != head.ID {
		return false
	}
	for _, d := range m.Deps {
		if !p.heads.Covers(d.Author, d.Seq) {
			return false
		}
	}
	p.heads.Set(memo.Mark{Head: m.Head(), Time: m.Time})
	p.attached = append(p.attached, m)
	p.held[m.ID()] = m
	p.time = max(p.time, m.Time)
	p.pings.Add(m)
	return true
}

// Links makes a peer a beacon.DAG.
func (p *peer) Links(h memo.Head) ([]memo.Head, memo.Time, bool) {
	m := p.held[h.ID]
	if m == nil {
		return nil, 0, false
	}
	return links(m), m.Time, true
}

// sync has p attach what another has: all of it, or some, in any order that it can.
func (w *world) sync(p, from *peer) {
	offered := from.attached
	if w.draw(2, "partly") == 1 {
		offered = slices.Clone(offered)
		for i := range offered {
			j := i + w.draw(len(offered)-i, "order")
			offered[i], offered[j] = offered[j], offered[i]
		}
		offered = offered[:w.draw(len(offered)+1, "offered")]
	}
	for progress := true; progress; {
		progress = false
		for _, m := range offered {
			progress = p.attach(m) || progress
		}
	}
}

// write has p write a memo: a ping, or a join with some of what it has as causes.
func (w *world) write(p *peer) *memo.Memo {
	head, _ := p.heads.Get(p.author)
	m := memo.Memo{
		Space: w.space, Author: p.author, Seq: head.Seq + 1, Prev: head.ID, Body: memo.Join{},
		Time: memo.Next(uint64(w.draw(4, "clock")), p.time),
	}
	if head.Seq == 0 {
		m.Deps = []memo.Head{w.memos[0].Head()}
	}
	if w.draw(w.pingOneOf, "ping") == 0 {
		m.Body = &memo.Ping{Refs: p.pings.Refs(p.author, float64(w.draw(100, "choice"))/100)}
	} else {
		for h := range p.heads.All() {
			if h.Author != p.author && h.Author != author(0xff) && w.draw(4, "cause") == 0 {
				m.Deps = append(m.Deps, h.Head)
			}
		}
		memo.SortDeps(m.Deps)
	}
	made := must(memo.New(m))
	w.note(made)
	p.attach(made)
	return made
}

// restart has a peer forget its index and begin another, as a node does.
func (w *world) restart(p *peer) {
	var latest []*memo.Memo
	for _, l := range p.pings.Latest() {
		latest = append(latest, p.held[l.ID])
	}
	p.pings = w.pings(p.heads, latest)
}

// adopt has a peer take the state of another: its memos are covered and not held.
func (p *peer) adopt(from *peer) {
	for m := range from.heads.All() {
		if !p.heads.Covers(m.Author, m.Seq) {
			p.heads.Set(m)
			p.time = max(p.time, m.Time)
			p.pings.Skip(m)
		}
	}
}

// live has the peers of w do something, some times.
func (w *world) live(steps int) {
	for range steps {
		p, from := w.peers[w.draw(len(w.peers), "who")], w.peers[w.draw(len(w.peers), "from")]
		switch what := w.draw(50, "what"); {
		case what < 20:
			w.write(p)
		case what < 48:
			w.sync(p, from)
		case what < 49:
			w.peers[0].adopt(from)
		default:
			w.restart(w.peers[0])
		}
	}
}
