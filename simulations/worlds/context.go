package worlds

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is how a query context grows with what it takes in, and folds. There is no
// network: memos come in the order in which they are written.

// grown is one context and what it cost.
type grown struct {
	s       *scenario.Scenario
	trees   causal.Trees
	policy  causal.Policy
	space   memo.SpaceID
	qc      causal.Context
	authors []chain
	draws   uint32
	genesis memo.Head
	newest  memo.Mark
	tail    []*memo.Memo
	bytes   int // of the tail
	hash    [32]byte

	folds, folded, blocks int
	tooLong               int // samples of more heads than a token names
	// By sample: memos taken in, loose heads, bytes of the token, kB of the tail.
	x, loose, token, kept []float64
}

// chain is an author's.
type chain struct {
	id   memo.Author
	head memo.Head
	at   memo.Time
}

// blockMap keeps the blocks of roots, and counts those put.
type blockMap struct {
	m   map[memo.ID][]byte
	put *int
}

func (b blockMap) Block(id memo.ID) ([]byte, error) {
	if data, ok := b.m[id]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
}

func (b blockMap) PutBlock(id memo.ID, data []byte) error {
	b.m[id] = data
	*b.put++
	return nil
}

func growth(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	g, err := newGrown(s)
	if err != nil {
		return err
	}
	every := max(1, s.Growth.Memos/400)
	for i := range s.Growth.Memos {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := g.take(i); err != nil {
			return err
		}
		if i%every == 0 {
			g.note(i + 1)
		}
	}
	if o.Progress != nil {
		o.Progress(Progress{Now: ticks(s.Until), Until: ticks(s.Until), Events: uint64(s.Growth.Memos)})
	}
	g.report(r)
	return nil
}

func newGrown(s *scenario.Scenario) (*grown, error) {
	g := &grown{s: s}
	switch p := s.Growth; p.Policy {
	case "threshold":
		g.policy = causal.Policy{Loose: p.Loose}
	case "idle":
		g.policy = causal.Policy{Idle: true}
	case "partial":
		g.policy = causal.Policy{Loose: p.Loose, Part: causal.Budget{Memos: p.Part}}
	}
	for i := range s.Peers {
		var seed [ed25519.SeedSize]byte
		binary.BigEndian.PutUint64(seed[:], engine.Draw(s.Seed^0x6b6579, engine.Peer(i), 0))
		g.authors = append(g.authors, chain{id: memo.Author(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))})
	}
	return g, g.found()
}

// found makes the space: its first author's first memo, which the context has.
func (g *grown) found() error {
	first := &g.authors[0]
	m, err := memo.New(memo.Memo{Author: first.id, Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "simulation", RootKeys: []memo.Author{first.id}, W: 16, M: 128, D: 3, Rho: memo.DefaultRho,
	}})
	if err != nil {
		return err
	}
	g.space, first.head, first.at = m.SpaceID(), m.Head(), m.Time
	g.genesis, g.newest = m.Head(), memo.Mark{Head: m.Head(), Time: m.Time}
	b := blockMap{map[memo.ID][]byte{}, &g.blocks}
	g.trees = causal.Trees{Params: merge.DefaultParams(g.space), Get: b, Put: b}
	g.qc, g.tail = causal.Context{Space: g.space}.With(m.Head()), []*memo.Memo{m}
	return nil
}

// draw returns a number of [0, n).
func (g *grown) draw(n int) int {
	g.draws++
	return int(engine.Draw(g.s.Seed, 0, g.draws) >> 32 * uint64(n) >> 32)
}

// write makes the next memo: of any author, to any row.
func (g *grown) write() (*memo.Memo, error) {
	p, a := g.s.Growth, &g.authors[g.draw(len(g.authors))]
	var deps []memo.Head
	at := a.at
	if a.head.Seq == 0 {
		deps = []memo.Head{g.genesis}
	}
	if g.newest.Author != a.id && a.head.Seq > 0 && float64(g.draw(1<<20)) < p.See*(1<<20) {
		deps, at = []memo.Head{g.newest.Head}, max(at, g.newest.Time)
	}
	m, err := memo.New(memo.Memo{
		Space: g.space, Author: a.id, Seq: a.head.Seq + 1, Prev: a.head.ID, Deps: deps, Time: memo.Next(uint64(g.draws), at),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
			Row:    memo.Bytes(fmt.Sprintf("%06d", g.draw(p.Rows))),
			Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: memo.Blob(make([]byte, p.Size))}}},
		}}}}},
	})
	if err == nil {
		a.head, a.at = m.Head(), m.Time
		g.newest = memo.Mark{Head: m.Head(), Time: m.Time}
	}
	return m, err
}

// take has the context take in one more memo, and fold if that is due.
func (g *grown) take(i int) error {
	m, err := g.write()
	if err != nil {
		return err
	}
	g.qc = g.qc.With(m.Head())
	g.tail = append(g.tail, m)
	g.bytes += m.BodySize()
	if err := g.fold(causal.Grown); err != nil || (i+1)%g.s.Growth.Rest != 0 {
		return err
	}
	return g.fold(causal.Idle)
}

// fold folds as often as the policy says that it is due, and something is folded.
func (g *grown) fold(on causal.Occasion) error {
	for {
		budget, due := g.policy.Due(on, len(g.qc.Loose), g.bytes)
		if !due {
			return nil
		}
		var err error
		before := g.folded
		if budget.IsZero() {
			g.qc, err = g.qc.Fold(g.trees, g.tail)
		} else {
			g.qc, err = g.qc.FoldPart(g.trees, g.tail, budget)
		}
		if err != nil {
			return err
		}
		if g.cut(); g.folded == before {
			return nil
		}
	}
}

// cut drops what was folded from the tail.
func (g *grown) cut() {
	left := g.tail[:0:0]
	g.bytes = 0
	for _, m := range g.tail {
		if !g.qc.Below.Covers(m.Author, m.Seq) {
			left = append(left, m)
			g.bytes += m.BodySize()
		}
	}
	g.folds++
	g.folded += len(g.tail) - len(left)
	g.tail = left
	g.hash = sha256.Sum256(append(g.hash[:], g.qc.Root[:]...))
}

// note samples the sizes.
func (g *grown) note(n int) {
	size := 0
	if t, err := g.qc.Token(g.authors[0].id); err == nil {
		size = len(t.String())
	} else {
		g.tooLong++
	}
	g.x, g.loose = append(g.x, float64(n)), append(g.loose, float64(len(g.qc.Loose)))
	g.token, g.kept = append(g.token, float64(size)), append(g.kept, float64(g.bytes)/1e3)
	sizes := binary.BigEndian.AppendUint64(g.newest.ID[:], uint64(len(g.qc.Loose))<<32|uint64(size))
	g.hash = sha256.Sum256(append(g.hash[:], sizes...))
}

// peak is the greatest value.
func peak(x []float64) (m float64) {
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// bound is how many loose heads a policy lets a context have.
func (g *grown) bound() (float64, string) {
	n := float64(min(len(g.authors), causal.MaxLoose))
	switch p := g.s.Growth; p.Policy {
	case "threshold", "partial":
		return min(n, float64(p.Loose)), "the policy's threshold, or the authors, if those are fewer"
	case "idle":
		a := float64(len(g.authors))
		return min(n, a*(1-power(1-1/a, p.Rest))), "N(1 − (1 − 1/N)^r): the authors drawn between two rests"
	}
	return n, "one an author, at most context.MaxLoose"
}

func power(x float64, n int) float64 {
	y := 1.0
	for range n {
		y *= x
	}
	return y
}

func (g *grown) report(r *report.Result) {
	bound, source := g.bound()
	n := float64(g.s.Growth.Memos)
	r.Facts = append(r.Facts,
		fact("loose heads, most", peak(g.loose), "", bound, source),
		report.Fact{Name: "loose heads, mean", Value: mean(g.loose)},
		report.Fact{Name: "token, longest", Value: peak(g.token), Unit: "B"},
		report.Fact{Name: "no token because of too many heads", Value: 100 * float64(g.tooLong) / float64(len(g.x)), Unit: "%"},
		report.Fact{Name: "tail, most", Value: peak(g.kept), Unit: "kB"},
		report.Fact{Name: "folds", Value: float64(g.folds)},
		report.Fact{Name: "memos of a fold", Value: float64(g.folded) / max(1, float64(g.folds))},
		report.Fact{Name: "blocks written a memo", Value: float64(g.blocks) / n})
	x := report.Axis{Label: "memos taken in"}
	r.Charts = append(r.Charts,
		report.Chart{
			Name: "loose", Title: "Loose heads of the context", X: x, Y: report.Axis{Label: "heads"},
			Curves: []report.Curve{{Name: g.s.Growth.Policy, X: g.x, Y: g.loose}, {Name: "bound", X: g.x, Y: level(len(g.x), bound), Theory: true}},
		},
		report.Chart{
			Name: "token", Title: "Token of the context", X: x, Y: report.Axis{Label: "text", Unit: "B"},
			Curves: []report.Curve{{Name: g.s.Growth.Policy, X: g.x, Y: g.token}, {Name: "limit", X: g.x, Y: level(len(g.x), causal.MaxTokenBytes), Theory: true}},
			Note:   fmt.Sprintf("0 where there are more than %d heads: then a node writes join memos first.", causal.MaxTokenHeads),
		},
		report.Chart{
			Name: "tail", Title: "What a reader of the context has to join", X: x, Y: report.Axis{Label: "tail", Unit: "kB"},
			Curves: []report.Curve{{Name: g.s.Growth.Policy, X: g.x, Y: g.kept}},
		})
	r.Steps = append(r.Steps, report.Steps{Package: "context", What: "Context.With, Policy.Due, Context.Fold and FoldPart", Events: uint64(g.s.Growth.Memos)})
	r.Model = "Runs no protocol of p2p/gossip: nothing is sent here. What is the product's own is package context."
	r.Hash, r.Cost.Events = hex.EncodeToString(g.hash[:]), uint64(g.s.Growth.Memos)
}
