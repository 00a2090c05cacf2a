package worlds

import (
	"math"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
)

// This file is what is told of a hot topic.

// reportTopic fills in the facts, charts and steps of a topic on which more is offered than
// peers can take in.
func reportTopic(t *hotTopic, e *engine.Engine, r *report.Result, f *flow) {
	r.Facts = append(r.Facts, memoFacts(t, e, f)...)
	r.Facts = append(r.Facts, rootFacts(t, e)...)
	x, budget := report.Axis{Label: "time", Unit: "s"}, float64(t.of.Budget)
	r.Charts = append(r.Charts,
		report.Chart{
			Name: "effects", Title: "Memos in the mean peer's root", X: x, Y: report.Axis{Label: "memos"},
			Curves: []report.Curve{
				{Name: "in roots", X: f.at, Y: f.inRoots},
				{Name: "written", X: f.at, Y: f.offered, Theory: true},
				{Name: "one budget", X: f.at, Y: oneBudget(f.at, budget), Theory: true},
			},
		},
		report.Chart{
			Name: "share", Title: "Effects that are in roots", X: x, Y: report.Axis{Label: "share of what was written"},
			Curves: []report.Curve{{Name: "in roots", X: f.at, Y: f.share}},
		})
	ear := "Ear and Budget: hearing, merging, announcing"
	if t.of.Hearing == "off" {
		ear = "Ear and Budget: merging and announcing; hearing is off"
	}
	st := t.roots.Stats()
	r.Steps = append(r.Steps,
		report.Steps{Package: "p2p/gossip", What: ear, Events: e.Total(earSteps)},
		report.Steps{Package: "merge", What: "ApplyState, ApplyVector, MergeRoot: each root made once, each pair merged once", Events: uint64(st.Trees + st.Merges)},
		report.Steps{Package: "simulations/mesh", What: "Mesh.Step: relaying, a model of gossipsub", Events: e.Total(mesh.Copies), Model: true},
		report.Steps{Package: "simulations/worlds", What: "which root is fetched when; its blocks come as soon as there is budget", Events: e.Total(merged), Model: true})
}

// memoFacts are those of memos and what became of them.
func memoFacts(t *hotTopic, e *engine.Engine, f *flow) []report.Fact {
	total := func(c engine.Counter) float64 { return float64(e.Total(c)) }
	ends := hotBegins.Seconds() + time.Duration(t.of.Write).Seconds()
	peers, secs, budget := float64(t.s.Peers), f.at[len(f.at)-1], float64(t.of.Budget)
	rate := t.of.Offered / budget
	offers := math.Max(1, total(attached)+total(byCoin)+total(byGap)+total(byBudget))
	return []report.Fact{
		{Name: "effects in roots at the end", Value: 100 * f.share[len(f.share)-1], Unit: "%"},
		{
			Name: "aggregate rate over one budget", Value: until(f.at, f.inRoots, ends) / (ends - hotBegins.Seconds()) / budget,
			Theory: &rate, Source: "what is offered by what one peer can take in: reached where roots do not lag behind the end of writing",
		},
		{Name: "the same, second half of writing", Value: steady(f.at, f.inRoots, ends) / budget},
		{Name: "memos written", Value: total(written)},
		{Name: "heard one by one", Value: 100 * total(attached) / offers, Unit: "%"},
		{Name: "passed by: the coin", Value: 100 * total(byCoin) / offers, Unit: "%"},
		{Name: "passed by: a gap", Value: 100 * total(byGap) / offers, Unit: "%"},
		{Name: "passed by: no budget", Value: 100 * total(byBudget) / offers, Unit: "%"},
		{Name: "units a peer", Value: total(units) / peers / secs, Unit: "1/s"},
		{Name: "ticks over budget, of those who do not write", Value: total(over)},
		{Name: "messages sent a peer", Value: total(engine.Sent) / peers},
		{Name: "bytes sent a peer", Value: total(engine.SentBytes) / peers, Unit: "B"},
	}
}

// rootFacts are those of announcements and merges.
func rootFacts(t *hotTopic, e *engine.Engine) []report.Fact {
	total := func(c engine.Counter) float64 { return float64(e.Total(c)) }
	peers, st := float64(t.s.Peers), t.roots.Stats()
	merges, memos := math.Max(1, total(merged)), math.Max(1, total(effects))
	return []report.Fact{
		{Name: "roots announced", Value: total(rootsSaid)},
		{Name: "roots announced a peer", Value: total(rootsSaid) / peers},
		{Name: "roots not announced: no room for more", Value: total(rootsLost)},
		{Name: "announcements a peer that came too fast", Value: float64(t.paced(e)) / peers},
		{Name: "roots not announced a peer: one as good was heard", Value: total(rootsKept) / peers},
		{Name: "roots not announced a peer: many were news", Value: total(rootsHeld) / peers},
		{Name: "roots merged a peer", Value: total(merged) / peers},
		{Name: "roots passed by a peer", Value: total(rootsPast) / peers},
		{Name: "write amplification", Value: total(units) / memos, Unit: "units a memo"},
		{Name: "blocks fetched a memo", Value: total(blocksIn) / memos},
		{Name: "rows merged a memo", Value: total(rowsIn) / memos},
		{Name: "blocks put a memo", Value: total(blocksPut) / memos},
		{Name: "blocks fetched a merge", Value: total(blocksIn) / merges},
		{Name: "rows merged a merge", Value: total(rowsIn) / merges},
		{Name: "blocks read a merge", Value: total(blocksRead) / merges},
		{Name: "different roots", Value: float64(st.Trees)},
		{Name: "different merges", Value: float64(st.Merges)},
	}
}

// oneBudget is what one peer can take in that hears without a pause.
func oneBudget(at []float64, budget float64) []float64 {
	out := make([]float64, len(at))
	for i, t := range at {
		out[i] = budget * math.Max(0, t-hotBegins.Seconds())
	}
	return out
}

// until returns the last sample not after a moment.
func until(at, y []float64, end float64) (v float64) {
	for i, t := range at {
		if t <= end+1e-9 {
			v = y[i]
		}
	}
	return v
}

// steady is the rate of the second half of writing.
func steady(at, y []float64, end float64) float64 {
	from := float64((hotBegins.Seconds() + end) / 2)
	return (until(at, y, end) - until(at, y, from)) / (end - from)
}
