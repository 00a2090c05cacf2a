package worlds

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is one context, the policy by which it folds, and what it costs.

// grown is a context with its tail.
type grown struct {
	s      *scenario.Scenario
	name   string // of the policy
	policy causal.Policy
	trees  causal.Trees
	qc     causal.Context
	origin memo.Author
	tail   []*memo.Memo
	bytes  int // of the tail
	stored blockMap
	hash   [32]byte

	folds, folded int
	tooLong       int // samples of more heads than a token names
	// By sample: memos taken in, loose heads, bytes of the token, kB of the tail, blocks.
	x, loose, token, kept, made []float64
}

// blockMap keeps the blocks of roots, and counts those put.
type blockMap struct {
	m           map[memo.ID][]byte
	puts, bytes int
}

// Block is a merge.BlockGetter's.
func (b *blockMap) Block(id memo.ID) ([]byte, error) {
	if data, ok := b.m[id]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
}

// PutBlock is a merge.BlockPutter's.
func (b *blockMap) PutBlock(id memo.ID, data []byte) error {
	b.m[id] = data
	b.puts++
	b.bytes += len(data)
	return nil
}

func newGrown(s *scenario.Scenario, policy string, first *memo.Memo) *grown {
	g := &grown{s: s, name: policy, origin: first.Author, stored: blockMap{m: map[memo.ID][]byte{}}}
	switch p := s.Growth; policy {
	case "threshold":
		g.policy = causal.Policy{Loose: p.Loose}
	case "idle":
		g.policy = causal.Policy{Idle: true}
	case "partial":
		g.policy = causal.Policy{Loose: p.Loose, Part: causal.Budget{Memos: p.Part}}
	case "probabilistic":
		g.policy = causal.Policy{Part: causal.Budget{Memos: p.Part}}
	}
	g.trees = causal.Trees{Params: merge.DefaultParams(first.SpaceID()), Get: &g.stored, Put: &g.stored}
	g.qc, g.tail = causal.Context{Space: first.SpaceID()}.With(first.Head()), []*memo.Memo{first}
	return g
}

// take has the context take in the i-th memo, and fold if that is due.
func (g *grown) take(i int, m *memo.Memo) error {
	g.qc = g.qc.With(m.Head())
	g.tail = append(g.tail, m)
	g.bytes += m.BodySize()
	for _, on := range g.occasions(i) {
		if err := g.fold(on); err != nil {
			return err
		}
	}
	return nil
}

// occasions are why it may fold behind the i-th memo.
func (g *grown) occasions(i int) []causal.Occasion {
	p := g.s.Growth
	switch {
	case g.name == "always", g.name == "probabilistic" && (&dice{seed: g.s.Seed ^ 0xf01d, n: uint32(i)}).float() < p.Chance:
		return []causal.Occasion{causal.Grown, causal.Asked}
	case (i+1)%p.Rest == 0:
		return []causal.Occasion{causal.Grown, causal.Idle}
	}
	return []causal.Occasion{causal.Grown}
}

// fold folds as often as the policy says that it is due, and something is folded; once
// if somebody asks.
func (g *grown) fold(on causal.Occasion) error {
	for {
		budget, due := g.policy.Due(on, len(g.qc.Loose), g.bytes)
		if !due {
			return nil
		}
		next, err := g.qc.FoldPart(g.trees, g.tail, budget)
		if err != nil {
			return err
		}
		before := g.folded
		g.qc = next
		if g.cut(); g.folded == before || on == causal.Asked {
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

// end folds what is left, apart from what was counted, and returns the root.
func (g *grown) end() (memo.ID, error) {
	qc, err := g.qc.Fold(g.trees, g.tail)
	return qc.Root, err
}

// tokenLength is the length of the token that names a context, however many heads it has.
func tokenLength(qc causal.Context, origin memo.Author) int {
	all := causal.Token{}
	for rest := qc.Loose; ; {
		part := qc
		part.Loose = rest[:min(len(rest), causal.MaxTokenHeads)]
		rest = rest[len(part.Loose):]
		t, err := part.Token(origin)
		if err != nil {
			panic(err) // so many heads a token has
		}
		t.Heads = append(all.Heads, t.Heads...)
		if all = t; len(rest) == 0 {
			return len(all.String())
		}
	}
}

// note samples the sizes.
func (g *grown) note(n int) {
	if len(g.qc.Loose) > causal.MaxTokenHeads {
		g.tooLong++
	}
	g.x, g.loose = append(g.x, float64(n)), append(g.loose, float64(len(g.qc.Loose)))
	token := tokenLength(g.qc, g.origin)
	g.token, g.kept = append(g.token, float64(token)), append(g.kept, float64(g.bytes)/1e3)
	g.made = append(g.made, float64(g.stored.puts))
	sizes := binary.BigEndian.AppendUint64(nil, uint64(len(g.qc.Loose))<<32|uint64(token))
	g.hash = sha256.Sum256(append(g.hash[:], sizes...))
}

// peak is the greatest value.
func peak(x []float64) (m float64) {
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// bound is how many loose heads the policy lets a context have, at most or, where the
// source says so, in the mean of its longest.
func (g *grown) bound() (float64, string) {
	n := float64(min(g.s.Peers, causal.MaxLoose))
	switch p := g.s.Growth; g.name {
	case "always":
		return 0, "every memo is folded at once"
	case "threshold", "partial":
		return min(n, float64(p.Loose)), "the policy's threshold, or the authors, if those are fewer"
	case "idle":
		return min(n, heads(float64(g.s.Peers), float64(p.Rest))), "N(1 − (1 − 1/N)^r): the authors drawn between two rests, in the mean"
	}
	return n, "one an author, at most context.MaxLoose"
}

// average is how many loose heads there are in the mean, by the authors drawn since
// the last fold; NaN where nothing says so.
func (g *grown) average() (float64, string) {
	n, p := float64(g.s.Peers), g.s.Growth
	every, source := float64(p.Memos), "authors drawn, N(1 − (1 − 1/N)^n), in the mean since the last fold"
	switch {
	case g.name == "always":
		return 0, source
	case g.name == "partial", g.s.Peers > causal.MaxLoose:
		return math.NaN(), ""
	case g.name == "probabilistic":
		q, c := 1-1/n, p.Chance
		return n * (1 - c/(1-float64(q*(1-c)))), "N(1 − c / (1 − (1−c)(1−1/N))): authors drawn since a fold that takes all; one that takes a part leaves more"
	case g.name == "idle":
		every = min(every, float64(p.Rest))
	case g.name == "threshold" && float64(p.Loose) < n-1:
		every = min(every, memosFor(n, float64(p.Loose)+1))
	}
	sum := 0.0
	for i := range int(every) {
		sum += heads(n, float64(i))
	}
	return sum / math.Floor(every), source
}

func (g *grown) report(r *report.Result, name string) {
	bound, source := g.bound()
	n := float64(g.s.Growth.Memos)
	middle := report.Fact{Name: name + "loose heads, mean", Value: mean(g.loose)}
	if v, source := g.average(); !math.IsNaN(v) {
		middle.Theory, middle.Source = &v, source
	}
	r.Facts = append(r.Facts,
		fact(name+"loose heads, most", peak(g.loose), "", bound, source), middle,
		report.Fact{Name: name + "token, mean", Value: mean(g.token), Unit: "B"},
		report.Fact{Name: name + "token, longest", Value: peak(g.token), Unit: "B"},
		report.Fact{Name: name + "no token because of too many heads", Value: 100 * float64(g.tooLong) / float64(len(g.x)), Unit: "%"},
		report.Fact{Name: name + "tail, most", Value: peak(g.kept), Unit: "kB"},
		report.Fact{Name: name + "folds", Value: float64(g.folds)},
		report.Fact{Name: name + "memos of a fold", Value: float64(g.folded) / max(1, float64(g.folds))},
		report.Fact{Name: name + "blocks written a memo", Value: float64(g.stored.puts) / n},
		report.Fact{Name: name + "bytes written a memo", Value: float64(g.stored.bytes) / n, Unit: "B"})
}
