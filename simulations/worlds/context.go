package worlds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	causal "lightcone/context"
	"lightcone/internal/portable"
	"lightcone/memo"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is how query contexts grow with what they take in, and fold, each by a policy
// of its own. There is no network: memos come in the order in which they are written,
// the same for all.

// writers write the memos.
type writers struct {
	s       *scenario.Scenario
	genesis *memo.Memo
	authors []memo.Mark
	newest  memo.Mark
	draws   uint32
}

func growth(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	w, err := newWriters(s)
	if err != nil {
		return err
	}
	policies := []string{s.Growth.Policy}
	if s.Growth.Policy == "all" {
		policies = scenario.Policies
	}
	var all []*grown
	for _, p := range policies {
		all = append(all, newGrown(s, p, w.genesis))
	}
	every := max(1, s.Growth.Memos/400)
	for i := range s.Growth.Memos {
		m, err := w.write()
		if err == nil {
			err = ctx.Err()
		}
		for _, g := range all {
			if err == nil {
				err = g.take(i, m)
			}
			if i%every == 0 {
				g.note(i + 1)
			}
		}
		if err != nil {
			return err
		}
		if i%every == 0 && o.Progress != nil {
			share := float64(i+1) / float64(s.Growth.Memos)
			o.Progress(Progress{Now: engine.Time(share * float64(ticks(s.Until))), Until: ticks(s.Until), Events: uint64((i + 1) * len(all))})
		}
	}
	return reportGrowth(r, s, all)
}

func newWriters(s *scenario.Scenario) (*writers, error) {
	w := &writers{s: s}
	for i := range s.Peers {
		w.authors = append(w.authors, memo.Mark{Head: memo.Head{Author: keyOf(s.Seed, engine.Peer(i))}})
	}
	m, err := genesis(w.authors[0].Author)
	if err != nil {
		return nil, err
	}
	w.genesis, w.newest = m, memo.Mark{Head: m.Head(), Time: m.Time}
	w.authors[0] = w.newest
	return w, nil
}

// draw returns a number of [0, n).
func (w *writers) draw(n int) int {
	w.draws++
	return int(engine.Draw(w.s.Seed, 0, w.draws) >> 32 * uint64(n) >> 32)
}

// write makes the next memo: of any author, to any row.
func (w *writers) write() (*memo.Memo, error) {
	p, a := w.s.Growth, &w.authors[w.draw(len(w.authors))]
	var deps []memo.Head
	at := a.Time
	if a.Seq == 0 {
		deps = []memo.Head{w.genesis.Head()}
	}
	if w.newest.Author != a.Author && a.Seq > 0 && float64(w.draw(1<<20)) < p.See*(1<<20) {
		deps, at = []memo.Head{w.newest.Head}, max(at, w.newest.Time)
	}
	m, err := memo.New(memo.Memo{
		Space: w.genesis.SpaceID(), Author: a.Author, Seq: a.Seq + 1, Prev: a.ID, Deps: deps, Time: memo.Next(uint64(w.draws), at),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
			Row:    memo.Bytes(fmt.Sprintf("%06d", w.draw(p.Rows))),
			Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: memo.Blob(make([]byte, p.Size))}}},
		}}}}},
	})
	if err == nil {
		*a = memo.Mark{Head: m.Head(), Time: m.Time}
		w.newest = *a
	}
	return m, err
}

// heads is how many authors have written after so many memos, of so many who write in
// turn at random: the loose heads of who folds nothing.
func heads(authors, memos float64) float64 {
	return float64(authors * (1 - portable.Pow(1-1/authors, memos)))
}

// memosFor is after how many memos so many authors have written: the inverse of heads.
func memosFor(authors, heads float64) float64 {
	return portable.Log(1-heads/authors) / portable.Log(1-1/authors)
}

// reportGrowth says what became of the contexts.
func reportGrowth(r *report.Result, s *scenario.Scenario, all []*grown) error {
	roots := map[memo.ID]bool{}
	sum := sha256.New()
	for _, g := range all {
		name := ""
		if len(all) > 1 {
			name = g.name + ": "
		}
		g.report(r, name)
		root, err := g.end()
		if err != nil {
			return err
		}
		roots[root] = true
		sum.Write(g.hash[:])
	}
	r.Facts = append(r.Facts, fact("different roots after a last fold", float64(len(roots)), "", 1, "a fold changes how a context is written, never what it holds"))
	drawGrowth(r, s, all)
	n := uint64(s.Growth.Memos * len(all))
	r.Steps = append(r.Steps,
		report.Steps{Package: "context", What: "Context.With, Policy.Due, Context.Fold and FoldPart, Token.String", Events: n},
		report.Steps{Package: "simulations/worlds", What: "who writes what", Events: uint64(s.Growth.Memos), Model: true})
	r.Model = "Runs no protocol of p2p/gossip: nothing is sent here. What is the product's own is package context."
	r.Hash, r.Cost.Events = hex.EncodeToString(sum.Sum(nil)), n
	return nil
}

// drawGrowth draws all contexts over each other.
func drawGrowth(r *report.Result, s *scenario.Scenario, all []*grown) {
	x := report.Axis{Label: "memos taken in"}
	loose := report.Chart{
		Name: "loose", Title: "Loose heads of the context", X: x, Y: report.Axis{Label: "heads"},
		Note: "Authors drawn: N(1 − (1 − 1/N)^n) of N have written after n memos. So a context grows until it is folded.",
	}
	token := report.Chart{
		Name: "token", Title: "The context written down", X: x, Y: report.Axis{Label: "text of the token", Unit: "B"},
		Note: fmt.Sprintf("As package context encodes it, were there no limit. Above %d heads a node writes join memos first, or folds.", causal.MaxTokenHeads),
	}
	tail := report.Chart{Name: "tail", Title: "What a reader of the context has to join", X: x, Y: report.Axis{Label: "tail", Unit: "kB"}}
	blocks := report.Chart{Name: "blocks", Title: "Blocks written by folds", X: x, Y: report.Axis{Label: "so far"}, Note: "What a short context costs."}
	at := all[0].x
	for _, g := range all {
		loose.Curves = append(loose.Curves, report.Curve{Name: g.name, X: at, Y: g.loose})
		token.Curves = append(token.Curves, report.Curve{Name: g.name, X: at, Y: g.token})
		tail.Curves = append(tail.Curves, report.Curve{Name: g.name, X: at, Y: g.kept})
		blocks.Curves = append(blocks.Curves, report.Curve{Name: g.name, X: at, Y: g.made})
	}
	drawn := report.Curve{Name: "authors drawn", X: at, Theory: true}
	for _, n := range at {
		drawn.Y = append(drawn.Y, heads(float64(s.Peers), n))
	}
	loose.Curves = append(loose.Curves, drawn)
	if p := s.Growth.Policy; p == "all" || p == "threshold" || p == "partial" {
		loose.Curves = append(loose.Curves, report.Curve{Name: "threshold of the policy", X: at, Y: level(len(at), float64(s.Growth.Loose)), Theory: true})
	}
	token.Curves = append(token.Curves, report.Curve{Name: "limit of a token", X: at, Y: level(len(at), causal.MaxTokenBytes), Theory: true})
	r.Charts = append(r.Charts, loose, token, tail, blocks)
}
