package worlds

import (
	"math"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
)

// This file is what is told of a hot topic.

// reportHot fills in facts and charts of a hot topic.
func reportHot(t *hotTopic, e *engine.Engine, r *report.Result, f *flow) {
	s, at, share, offered, inRoots := t.s, f.at, f.share, f.offered, f.inRoots
	ends := hotBegins.Seconds() + time.Duration(t.of.Write).Seconds()
	peers, secs := float64(s.Peers), at[len(at)-1]
	total := func(c engine.Counter) float64 { return float64(e.Total(c)) }
	all := total(written)
	firsts := total(mesh.Copies) - total(mesh.Duplicates)
	budget := float64(t.of.Budget)
	rate := t.of.Offered / budget
	r.Facts = append(r.Facts,
		report.Fact{Name: "effects in roots at the end", Value: 100 * share[len(share)-1], Unit: "%"},
		report.Fact{
			Name: "aggregate rate over one budget", Value: until(at, inRoots, ends) / (ends - hotBegins.Seconds()) / budget,
			Theory: &rate, Source: "what is offered by what one peer can take in: reached where roots do not lag behind the end of writing",
		},
		report.Fact{Name: "aggregate rate over one budget, second half", Value: steady(at, inRoots, ends) / budget},
		report.Fact{Name: "memos written", Value: all},
		report.Fact{Name: "heard one by one", Value: 100 * total(attached) / math.Max(1, firsts), Unit: "%"},
		report.Fact{Name: "passed by: the coin", Value: 100 * total(byCoin) / math.Max(1, firsts), Unit: "%"},
		report.Fact{Name: "passed by: a gap", Value: 100 * total(byGap) / math.Max(1, firsts), Unit: "%"},
		report.Fact{Name: "passed by: no budget", Value: 100 * total(byBudget) / math.Max(1, firsts), Unit: "%"},
		report.Fact{Name: "roots announced", Value: total(rootsSaid)},
		report.Fact{Name: "roots not announced: no room for more", Value: total(rootsLost)},
		report.Fact{Name: "roots announced a peer", Value: total(rootsSaid) / peers},
		report.Fact{Name: "roots not announced a peer: one as good was heard", Value: total(rootsKept) / peers},
		report.Fact{Name: "roots not announced a peer: many were news", Value: total(rootsHeld) / peers},
		report.Fact{Name: "roots merged a peer", Value: total(merged) / peers},
		report.Fact{Name: "roots passed by a peer", Value: total(rootsPast) / peers},
		report.Fact{Name: "write amplification", Value: total(units) / math.Max(1, total(effects)), Unit: "units a memo"},
		report.Fact{Name: "units a peer", Value: total(units) / peers / secs, Unit: "1/s"},
		report.Fact{Name: "ticks over budget, of those who do not write", Value: total(over)},
		report.Fact{Name: "messages sent a peer", Value: total(engine.Sent) / peers},
		report.Fact{Name: "bytes sent a peer", Value: total(engine.SentBytes) / peers, Unit: "B"})
	st, merges := t.roots.Stats(), math.Max(1, total(merged))
	r.Facts = append(r.Facts,
		report.Fact{Name: "blocks a merge takes", Value: total(blocksIn) / merges},
		report.Fact{Name: "rows a merge takes", Value: total(rowsIn) / merges},
		report.Fact{Name: "blocks read a merge", Value: total(blocksRead) / merges},
		report.Fact{Name: "blocks put a merge", Value: total(blocksPut) / merges},
		report.Fact{Name: "different roots", Value: float64(st.Trees)},
		report.Fact{Name: "different cuts", Value: float64(st.Cuts)},
		report.Fact{Name: "different merges", Value: float64(st.Merges)},
		report.Fact{Name: "different blocks", Value: float64(st.Blocks)})
	x := report.Axis{Label: "time", Unit: "s"}
	r.Charts = append(r.Charts,
		report.Chart{
			Name: "effects", Title: "Memos in the mean peer's root", X: x, Y: report.Axis{Label: "memos"},
			Curves: []report.Curve{
				{Name: "in roots", X: at, Y: inRoots},
				{Name: "written", X: at, Y: offered, Theory: true},
				{Name: "one budget", X: at, Y: oneBudget(at, budget), Theory: true},
			},
		},
		report.Chart{
			Name: "share", Title: "Effects that are in roots", X: x, Y: report.Axis{Label: "share of what was written"},
			Curves: []report.Curve{{Name: "in roots", X: at, Y: share}},
		})
	ear := "Ear and Budget: hearing, merging, announcing"
	if t.of.Hearing == "off" {
		ear = "Ear and Budget: merging and announcing; hearing is off"
	}
	r.Steps = append(r.Steps,
		report.Steps{Package: "p2p/gossip", What: ear, Events: e.Total(earSteps)},
		report.Steps{Package: "simulations/mesh", What: "Mesh.Step: relaying, a model of gossipsub", Events: e.Total(mesh.Copies), Model: true},
		report.Steps{Package: "simulations/worlds", What: "blocks come as soon as there is budget for them", Events: e.Total(blocksIn), Model: true},
		report.Steps{Package: "merge", What: "MergeRoot, ApplyState, ApplyVector: roots, each once", Events: uint64(t.roots.Stats().Merges + t.roots.Stats().Trees)})
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
	from := (hotBegins.Seconds() + end) / 2
	return (until(at, y, end) - until(at, y, from)) / (end - from)
}
