package gossip

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// hotPeer is a replica of a hotWorld: a core and an owner who takes in units as the
// core's budget lets it.
type hotPeer struct {
	*author
	grove // of no forks
	w     *hotWorld
	index int
	core  *Core
	eff   Effects

	vec    memo.Vector // what it covers
	rows   map[string]merge.Row
	dirty  map[string]bool // rows changed since the newest root
	fresh  int             // memos attached since then
	runs   map[Peer][]*memo.Run
	seals  map[memo.Head]memo.Seal
	blocks map[memo.ID][]byte
	roots  []hotRoot // newest last

	streams map[SessionID]*hotStream
	odd     SessionID

	cands    []hotRoot          // heard of, the last of each peer, newest last
	fetching bool               // a root is being fetched
	foreign  map[memo.ID][]byte // blocks that came for it
	ready    *hotState          // the next to be merged, while another one is
	state    *hotState          // one is being merged
	owed     int                // units until it is
	perTick  map[int]int        // units spent, by tick
	stat     hotStats
}

// hotState is a root whose blocks are here.
type hotState struct {
	Fetched
	blocks map[memo.ID][]byte
	rows   []merge.KeyedRow // that are not here
}

type hotRoot struct {
	Folded
	from   Peer // who announced it
	chosen bool // by the funnel
	at     time.Duration
}

// hotStats counts units by what they were spent on.
type hotStats struct{ own, heard, recon, blocks, rows, merges int }

func (s *hotStats) add(o hotStats) {
	s.own, s.heard, s.recon = s.own+o.own, s.heard+o.heard, s.recon+o.recon
	s.blocks, s.rows, s.merges = s.blocks+o.blocks, s.rows+o.rows, s.merges+o.merges
}

// spend charges units to this tick.
func (p *hotPeer) spend(n int, what *int) {
	p.perTick[int(p.w.now/TickEvery)] += n
	*what += n
}

func (p *hotPeer) Vector(memo.SpaceID) memo.Vector { return p.vec }

func (p *hotPeer) VecRoot(memo.SpaceID) (memo.ID, error) {
	if last := p.newest(); sameCut(last.Vector, p.vec) {
		return last.Root.Vector, nil
	}
	h := p.vec.Hint() // only equality counts, and it is equal nowhere else
	return memo.Sum([]byte(fmt.Sprint(h))), nil
}

func (p *hotPeer) Had(id memo.SpaceID) memo.Vector { return p.Vector(id) }

func (p *hotPeer) HadRoot(id memo.SpaceID) (memo.ID, error) { return p.VecRoot(id) }

// HadTree is not asked for: the authors are few, so that their heads are listed.
func (p *hotPeer) HadTree(memo.SpaceID) (merge.BlockGetter, error) { return nil, errNoRun }

func sameCut(a, b memo.Vector) bool { return a.CoversAll(b) && b.CoversAll(a) }

func (p *hotPeer) newest() *hotRoot { return &p.roots[len(p.roots)-1] }

func (p *hotPeer) NextRun(_ memo.SpaceID, a memo.Author, after uint64) (order, last uint64, ok bool, err error) {
	runs := p.runs[a]
	i, _ := slices.BinarySearchFunc(runs, after+1, func(r *memo.Run, seq uint64) int {
		if r.Head().Seq < seq {
			return -1
		}
		return 1
	})
	if i == len(runs) || runs[i].FirstSeq() > after+1 {
		return 0, 0, false, nil
	}
	return uint64(runs[i].Memos[0].Time), runs[i].Head().Seq, true, nil
}

func (p *hotPeer) Run(_ memo.SpaceID, a memo.Author, last uint64) ([]byte, error) {
	for _, r := range p.runs[a] {
		if r.Head().Seq == last {
			return r.Encode()
		}
	}
	return nil, errNoRun
}

func (p *hotPeer) Params(memo.SpaceID) (merge.Params, bool) { return p.w.params, true }

func (p *hotPeer) Adopts(memo.SpaceID) bool { return true }

func (p *hotPeer) Root(memo.SpaceID) (memo.ID, merge.Root, bool) {
	return p.newest().ID, p.newest().Root, true
}

func (p *hotPeer) Block(_ memo.SpaceID, id memo.ID) ([]byte, error) {
	return p.getter(p.foreign).Block(id)
}

func (p *hotPeer) getter(also map[memo.ID][]byte) getter {
	return func(id memo.ID) ([]byte, error) {
		if data, ok := p.blocks[id]; ok {
			return data, nil
		}
		if data, ok := also[id]; ok {
			return data, nil
		}
		return nil, merge.ErrNoBlock
	}
}

func (p *hotPeer) PutBlock(id memo.ID, data []byte) error {
	p.blocks[id] = data
	return nil
}

func (p *hotPeer) Seal(_ memo.SpaceID, a memo.Author, seq uint64) (memo.Seal, bool, error) {
	m, ok := p.vec.Get(a)
	if !ok || m.Seq != seq {
		// an older head: of a root that was announced
		for _, r := range slices.Backward(p.roots) {
			if m, ok = r.Vector.Get(a); ok && m.Seq == seq {
				break
			}
		}
	}
	s, held := p.seals[m.Head]
	return s, held && m.Seq == seq, nil
}

// step runs the core on one input and the owner on its effects.
func (p *hotPeer) step(in Input) {
	p.core.Step(p.w.time(), in, &p.eff)
	e := p.eff
	p.eff = Effects{}
	for _, d := range e.Deliver {
		p.step(p.attach(d))
	}
	for _, k := range e.Keep {
		p.spend(len(k.Blocks), &p.stat.blocks)
		for _, b := range k.Blocks {
			p.foreign[b.ID] = b.Data
		}
	}
	for _, f := range e.Fetched {
		p.fetched(f)
	}
	for range e.Fold {
		p.step(Folded{Space: p.w.space, Err: errors.New("not now")})
	}
	for _, a := range e.Heard {
		p.announced(a)
	}
	p.network(&e)
	if e.Again {
		p.step(Turn{})
	}
}

// attach takes the runs that continue what is here; each memo is charged, useful or not.
func (p *hotPeer) attach(d Deliver) *Attached {
	out := &Attached{Space: d.Space, From: d.From, Session: d.Session, Bytes: d.Bytes}
	what := &p.stat.heard
	if d.Session != 0 {
		what = &p.stat.recon
	}
	for _, r := range d.Runs {
		p.spend(len(r.Memos), what)
		own, _ := p.vec.Get(r.Author())
		switch {
		case r.Head().Seq <= own.Seq:
		case r.FirstSeq() == own.Seq+1:
			p.put(r)
			out.Fresh += len(r.Memos)
		default:
			out.Orphans = true
		}
	}
	return out
}

// put takes in one run.
func (p *hotPeer) put(r *memo.Run) {
	v := p.vec.Clone()
	v.Set(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
	p.vec = v
	p.runs[r.Author()] = append(p.runs[r.Author()], r)
	p.seals[r.Head()] = r.Seal
	for _, m := range r.Memos {
		for key, edit := range merge.RowEdits(m) {
			delta, err := merge.Delta(merge.StampOf(m), edit)
			if err != nil {
				p.w.t.Fatal(err)
			}
			p.rows[key] = merge.Join(p.rows[key], delta)
			p.dirty[key] = true
		}
	}
	p.fresh += len(r.Memos)
}

// fold makes the root of what is here. Its rows were charged.
func (p *hotPeer) fold() {
	w, last := p.w, p.newest()
	var batch []merge.Change
	for _, key := range slices.Sorted(maps.Keys(p.dirty)) {
		state, err := p.rows[key].Encode()
		if err != nil {
			w.t.Fatal(err)
		}
		batch = append(batch, merge.Change{Key: key, Value: state})
	}
	must := func(id memo.ID, err error) memo.ID {
		if err != nil {
			w.t.Fatal(err)
		}
		return id
	}
	root := merge.Root{Params: w.params}
	root.State = must(merge.Apply(w.params, p.getter(nil), last.Root.State, batch, p))
	root.Vector = must(merge.BuildVector(w.params, p.vec, p))
	data, err := root.Encode()
	id := must(memo.Sum(data), err)
	p.blocks[id] = data
	f := Folded{Space: w.space, ID: id, Root: root, Vector: p.vec}
	p.roots = append(p.roots, hotRoot{Folded: f, at: w.now})
	clear(p.dirty)
	p.fresh = 0
	p.step(f)
}

// collect drops the blocks that no root needs which was newest within hotKeep. It runs
// while nothing is fetched: what a walk found held must stay.
func (p *hotPeer) collect() {
	for len(p.roots) > 1 && p.roots[1].at <= p.w.now-hotKeep {
		p.roots = p.roots[1:]
	}
	live := make(map[memo.ID][]byte, len(p.blocks)/2)
	for _, r := range p.roots {
		live[r.ID] = p.blocks[r.ID]
		p.mark(r.Root.Vector, merge.Place{}, live)
		p.mark(r.Root.State, merge.Place{}, live)
	}
	p.blocks = live
}

// mark keeps a node and what is below it. Leaves are not looked at: rows are in them.
func (p *hotPeer) mark(id memo.ID, at merge.Place, live map[memo.ID][]byte) {
	if live[id] != nil {
		return
	}
	live[id] = p.blocks[id]
	if at != (merge.Place{}) && at.Level == 0 {
		return
	}
	n, err := merge.DecodeNode(p.w.params, p.blocks[id], at)
	if err != nil {
		p.w.t.Fatal(err)
	}
	for i := range n.Items {
		if n.Level > 0 {
			p.mark(n.Items[i].Child, at.Below(n, i), live)
		}
	}
}
