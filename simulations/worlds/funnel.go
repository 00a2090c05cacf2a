package worlds

import (
	"context"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is Figure 12: many write to a hot topic, each a row of its own, and roots
// that few are behind become roots that many are behind. It runs what hot.go runs.

// generation is the announced roots that are equally many merges deep, or of one span.
type generation struct{ roots, writers, memos float64 }

func (g *generation) add(authors, memos int) {
	g.roots++
	g.writers += float64(authors)
	g.memos += float64(memos)
}

// generations counts the announced roots, by what tells them apart.
func (t *hotTopic) generations(by func(announcement) int) (out []generation) {
	for a := range t.board.each {
		k := by(a)
		for len(out) <= k {
			out = append(out, generation{})
		}
		out[k].add(t.roots.Authors(a.root), t.roots.Size(a.root))
	}
	return out
}

// curves are the means of writers and memos behind the roots of each generation, and how
// many there are; width is that of a generation on the axis.
func curves(gs []generation, width float64) (writers, memos, count report.Curve) {
	writers.Name, memos.Name, count.Name = "writers", "memos", "roots"
	for i, g := range gs {
		if g.roots == 0 {
			continue
		}
		for c, y := range map[*report.Curve]float64{&writers: g.writers / g.roots, &memos: g.memos / g.roots, &count: g.roots} {
			c.X, c.Y = append(c.X, float64(i)*width), append(c.Y, y)
		}
	}
	return writers, memos, count
}

// reportFunnel fills in what is behind roots.
func reportFunnel(t *hotTopic, r *report.Result) {
	deep, second := report.Axis{Label: "merges deep"}, report.Axis{Label: "time", Unit: "s"}
	writers, memos, count := curves(t.generations(func(a announcement) int { return int(a.depth) }), 1)
	then, written, said := curves(t.generations(func(a announcement) int { return int(a.at.Seconds()) }), 1)
	if n := len(writers.Y); n > 0 {
		r.Facts = append(r.Facts,
			report.Fact{Name: "writers behind a root that is not merged", Value: writers.Y[0]},
			report.Fact{Name: "writers behind a root of the last generation", Value: writers.Y[n-1]},
			report.Fact{Name: "merges deep, the last generation", Value: writers.X[n-1]})
	}
	chart := func(name, title string, x report.Axis, y string, c report.Curve) {
		r.Charts = append(r.Charts, report.Chart{Name: name, Title: title, X: x, Y: report.Axis{Label: y}, Curves: []report.Curve{c}})
	}
	chart("writers-by-generation", "Writers behind an announced root, by how many merges deep it is", deep, "writers", writers)
	chart("memos-by-generation", "Memos behind an announced root, by how many merges deep it is", deep, "memos", memos)
	chart("roots-by-generation", "Announced roots, by how many merges deep they are", deep, "roots", count)
	chart("writers-over-time", "Writers behind an announced root, over time", second, "writers", then)
	chart("memos-over-time", "Memos behind an announced root, over time", second, "memos", written)
	chart("announced-over-time", "Roots announced in a second, by all peers", second, "roots", said)
}

func funnel(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	t, err := runTopic(ctx, s, &s.Funnel.Topic, o, r)
	if err == nil {
		reportFunnel(t, r)
	}
	return err
}
