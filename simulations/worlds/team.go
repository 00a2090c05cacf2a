package worlds

import (
	"cmp"
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"time"

	causal "lightcone/context"
	"lightcone/internal/portable"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// This file is a team: devices that share one space, and what passes between them.
// Teams know nothing of each other, so each has its own time.

// What happens in a team.
const (
	actNow       = iota
	memoComes    // a memo
	contextComes // a context
)

// happening is one of it.
type happening struct {
	at   time.Duration
	n    int // in the order in which it was planned
	kind int
	who  *device
	act  act
	m    *memo.Memo
	qc   causal.Context
}

// happenings is a heap.
type happenings []happening

// Len is heap.Interface's, as all below.
func (h happenings) Len() int { return len(h) }

func (h happenings) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].at, h[j].at), cmp.Compare(h[i].n, h[j].n)) < 0
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }

func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = happening{}
	*h = (*h)[:last]
	return x
}

// known is what is told of a memo.
type known struct {
	n  int // among those of the team
	at time.Duration
}

// seen is what a team saw, or all teams of a behaviour.
type seen struct {
	devices, memos, edits, editBytes int
	blind, wrong                     int // memos written without knowing of another of the row; of these, those that an earlier one beats
	conflicts, values                int // times that somebody came to see concurrent values; the most at once
	merges                           int // joins of a row with what was not in its past
	folds, blocks, blockBytes        int
	met, adopted                     int // contexts taken in; of these, those whose root was the better one
	heads, token                     float64
	mostHeads, mostToken, samples    int
	took                             engine.Histogram // ticks to others
	hourly, clashes, headsAt         []float64
	roots, unequal                   int // of teams at the end, of devices
}

// team is one.
type team struct {
	s       *scenario.Scenario
	d       dice
	what    int
	region  []int
	devices []*device
	origin  *memo.Memo
	chains  map[memo.Author][]*memo.Memo // all that was written
	facts   map[memo.ID]known
	touched map[int][]*memo.Memo // of each row, those that somebody may not have
	blocks  blockMap             // of all devices: what is the same is stored once
	todo    happenings
	planned int
	ear     ears
	now     time.Duration
	seen    seen
	hash    [32]byte
}

func newTeam(s *scenario.Scenario, i, first, size, what int) (*team, error) {
	hours := int(time.Duration(s.Until).Hours()) + 1
	t := &team{
		s: s, d: dice{seed: engine.Draw(s.Seed^0xed17, engine.Peer(i), 0)}, what: what, chains: map[memo.Author][]*memo.Memo{},
		facts: map[memo.ID]known{}, touched: map[int][]*memo.Memo{}, blocks: blockMap{m: map[memo.ID][]byte{}}, ear: ears{of: make([]gossip.Ear, size)},
		seen: seen{devices: size, hourly: make([]float64, hours), clashes: make([]float64, hours), headsAt: make([]float64, hours)},
	}
	var err error
	for n := range size {
		d := &device{t: t, n: n, id: keyOf(s.Seed, engine.Peer(first+n)), skew: s.Network.Drift * (float64(2*t.d.float()) - 1), rows: map[string]merge.Row{}}
		if n == 0 {
			if t.origin, err = genesis(d.id); err != nil {
				return nil, err
			}
			t.wrote(t.origin, 0)
		}
		d.qc = causal.Context{Space: t.origin.SpaceID()}
		d.vec.Set(memo.Mark{Head: t.origin.Head(), Time: t.origin.Time})
		d.qc = d.qc.With(t.origin.Head())
		t.devices, t.region = append(t.devices, d), append(t.region, t.place(s.Network.Regions))
	}
	for _, a := range acts(s, what, t.region, &t.d) {
		t.plan(happening{at: a.at, kind: actNow, who: t.devices[a.who], act: a})
	}
	return t, nil
}

func (t *team) trees() causal.Trees {
	return causal.Trees{Params: merge.DefaultParams(t.origin.SpaceID()), Get: &t.blocks, Put: &t.blocks}
}

func (t *team) plan(h happening) {
	t.planned++
	h.n = t.planned
	heap.Push(&t.todo, h)
}

// wrote notes a new memo.
func (t *team) wrote(m *memo.Memo, at time.Duration) {
	t.facts[m.ID()] = known{len(t.facts), at}
	t.chains[m.Author] = append(t.chains[m.Author], m)
	t.mix(m.ID(), uint64(m.Time))
}

// mix folds what happens into the hash.
func (t *team) mix(id memo.ID, x uint64) {
	of := append(t.hash[:], id[:]...)
	t.hash = sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(of, uint64(t.now)), x))
}

// run lets all of it happen, and then has all meet.
func (t *team) run() error {
	for len(t.todo) > 0 {
		h := heap.Pop(&t.todo).(happening)
		t.now = h.at
		if h.kind != actNow && h.at < h.who.away {
			h.at = h.who.away
			t.plan(h)
			continue
		}
		err := h.who.rest(h.at)
		switch {
		case err != nil:
		case h.kind == actNow:
			err = t.edit(h.who, h.act)
		case h.kind == memoComes:
			now := h.who.clock(h.at)
			heard := t.ear.hear(h.who.n, now, h.m.Author, h.m.Seq)
			if t.mix(h.m.ID(), t.ear.digest(h.who.n)); heard {
				err = h.who.take(h.m, h.at)
			}
		default:
			err = h.who.meet(h.qc, h.at)
		}
		if err != nil {
			return err
		}
	}
	return t.end()
}

// edit has a device write, and tell the others; where that was the last of what
// somebody does who sat down, the device hands its context to one of them.
func (t *team) edit(d *device, a act) error {
	if a.away > 0 {
		d.away = max(d.away, t.now+a.away)
	}
	out := max(t.now, d.away) // when it leaves the device
	m, err := d.write(a, t.now)
	if err != nil {
		return err
	}
	t.watch(d, a, m)
	t.wrote(m, t.now)
	if err := d.take(m, t.now); err != nil {
		return err
	}
	for _, to := range t.devices {
		if wait := t.delay(d.n, to.n); to != d && t.d.float() >= t.s.Network.Loss {
			t.plan(happening{at: out + wait, kind: memoComes, who: to, m: m})
		}
	}
	if a.last {
		to := (d.n + 1 + t.d.below(len(t.devices)-1)) % len(t.devices)
		t.plan(happening{at: out + t.delay(d.n, to), kind: contextComes, who: t.devices[to], qc: d.qc})
	}
	return nil
}

// delay draws how long something takes from one to another.
func (t *team) delay(from, to int) time.Duration {
	d := engine.DefaultLatency
	if l := t.s.Network.Latency; l != nil {
		d = time.Duration(l[t.region[from]][t.region[to]])
	}
	wait := func(mean scenario.Duration) time.Duration {
		return time.Duration(-portable.Log(1-t.d.float()) * float64(mean))
	}
	return d + wait(t.s.Network.Jitter) + wait(t.s.Editing.Reach)
}

// place draws a region by the shares of all.
func (t *team) place(shares []float64) int {
	sum := 0.0
	for _, x := range shares {
		sum += x
	}
	at := float64(t.d.float() * sum)
	for i, x := range shares {
		if at -= x; at < 0 {
			return i
		}
	}
	return max(0, len(shares)-1)
}
