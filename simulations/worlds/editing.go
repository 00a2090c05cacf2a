package worlds

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a day of editing. Devices are in teams that share a space, and each team
// does one thing all day. What they write, attach, merge, fold and hand to each other is
// real; who does what, and how fast others have it, is a model.

func editing(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	size := s.Editing.Team
	n := max(1, s.Peers/size)
	teams := make([]*team, n)
	errs := make([]error, n)
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next, done atomic.Int64
	var wait sync.WaitGroup
	var telling sync.Mutex
	for range min(workers, n) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if errs[i] = ctx.Err(); errs[i] != nil {
					return
				}
				first, last := i*s.Peers/n, (i+1)*s.Peers/n
				if teams[i], errs[i] = newTeam(s, i, first, last-first, behaviourOf(s.Editing, i, n)); errs[i] == nil {
					errs[i] = teams[i].run()
				}
				if o.Progress != nil {
					telling.Lock()
					share := float64(done.Add(1)) / float64(n)
					o.Progress(Progress{Now: engine.Time(share * float64(ticks(s.Until))), Until: ticks(s.Until), Events: uint64(done.Load())})
					telling.Unlock()
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	reportEditing(r, s, teams)
	return nil
}

// reportEditing says what the day was like, for each behaviour.
func reportEditing(r *report.Result, s *scenario.Scenario, teams []*team) {
	var by [behaviours]seen
	var all seen
	sum, events := sha256.New(), 0
	for _, t := range teams {
		by[t.what].add(&t.seen)
		all.add(&t.seen)
		events += t.planned
		sum.Write(t.hash[:])
	}
	r.Facts = append(r.Facts, all.facts("", len(teams))...)
	for b := range by {
		if by[b].devices > 0 {
			count := 0
			for _, t := range teams {
				if t.what == b {
					count++
				}
			}
			r.Facts = append(r.Facts, by[b].facts(behaviourNames[b]+": ", count)...)
		}
	}
	drawEditing(r, s, &by)
	r.Steps = append(r.Steps,
		report.Steps{Package: "memo", What: "New: every memo is made; Next: its time", Events: uint64(all.memos)},
		report.Steps{Package: "p2p/gossip", What: "Ear.Tick, Ear.Hear: every memo that comes is heard", Events: 2 * all.took.Count()},
		report.Steps{Package: "merge", What: "Writer.Put, Delta, Join: the rows of every device", Events: uint64(all.samples)},
		report.Steps{Package: "context", What: "Context.With, FoldPart, Trees.Join of every device", Events: uint64(all.samples + all.folds + all.met)},
		report.Steps{Package: "simulations/worlds", What: "who edits what and when, and how fast others have it", Events: uint64(events), Model: true})
	r.Hash, r.Cost.Events = hex.EncodeToString(sum.Sum(nil)), uint64(events)
}

// facts are those of a behaviour, or of all, by teams of that number.
func (x *seen) facts(name string, teams int) []report.Fact {
	share := func(a, b int) float64 { return float64(a) / max(1, float64(b)) }
	out := []report.Fact{
		{Name: name + "edits of rows", Value: float64(x.edits)},
		{Name: name + "memos", Value: float64(x.memos)},
		{Name: name + "written without knowing of another of the row", Value: 100 * share(x.blind, x.memos), Unit: "%"},
		{Name: name + "of these, a register would keep the earlier one", Value: 100 * share(x.wrong, x.blind), Unit: "%"},
		{Name: name + "concurrent values seen, times a memo", Value: share(x.conflicts, x.memos)},
		{Name: name + "concurrent values of a row, most", Value: float64(x.values)},
		{Name: name + "merges with what was concurrent, a memo", Value: share(x.merges, x.memos)},
		{Name: name + "contexts taken in", Value: float64(x.met)},
		{Name: name + "of these, for their root", Value: 100 * share(x.adopted, x.met), Unit: "%"},
		{Name: name + "folds", Value: float64(x.folds)},
		{Name: name + "blocks written a memo and device", Value: share(x.blocks, x.memos) * share(teams, x.devices)},
		{Name: name + "bytes of blocks a byte of edits and device", Value: share(x.blockBytes, x.editBytes) * share(teams, x.devices)},
		{Name: name + "loose heads, mean", Value: x.heads / max(1, float64(x.samples))},
		{Name: name + "loose heads, most", Value: float64(x.mostHeads)},
		{Name: name + "token, mean", Value: x.token / max(1, float64(x.samples)), Unit: "B"},
		{Name: name + "token, longest", Value: float64(x.mostToken), Unit: "B"},
	}
	if x.took.Count() > 0 {
		at := func(q float64) float64 { return engine.Time(x.took.Quantile(q)).Seconds() }
		out = append(out,
			report.Fact{Name: name + "to another device p50", Value: at(0.5), Unit: "s"},
			report.Fact{Name: name + "to another device p99", Value: at(0.99), Unit: "s"})
	}
	if name == "" {
		out = append(out,
			fact("different roots of a team at the end", share(x.roots, teams), "", 1, "who has met holds the same, whatever was merged and folded in which order"),
			fact("devices that lack something at the end", float64(x.unequal), "", 0, "contexts are infectious"))
	}
	return out
}

// drawEditing draws the hours of the day.
func drawEditing(r *report.Result, s *scenario.Scenario, by *[behaviours]seen) {
	memos := report.Chart{Name: "memos", Title: "A day of editing", Y: report.Axis{Label: "memos an hour"}}
	blind := report.Chart{Name: "concurrent", Title: "Memos written without knowing of another one of the row", Y: report.Axis{Label: "memos an hour"}}
	heads := report.Chart{Name: "heads", Title: "The longest context", Y: report.Axis{Label: "loose heads in the hour"}}
	late := report.Chart{
		Name: "latency", Title: "From an edit to another device", X: report.Axis{Label: "time", Unit: "s", Log: true},
		Y:    report.Axis{Label: "share that took less"},
		Note: "The long ones are of devices that were cut off.",
	}
	n := int((time.Duration(s.Until) + time.Hour - 1) / time.Hour)
	hours := make([]float64, n)
	for i := range hours {
		hours[i] = float64(i)
	}
	for _, c := range []*report.Chart{&memos, &blind, &heads} {
		c.X = report.Axis{Label: "time", Unit: "h UTC"}
	}
	for b := range by {
		if by[b].devices == 0 {
			continue
		}
		curve := func(y []float64) report.Curve { return report.Curve{Name: behaviourNames[b], X: hours, Y: y[:n]} }
		memos.Curves = append(memos.Curves, curve(by[b].hourly))
		blind.Curves = append(blind.Curves, curve(by[b].clashes))
		heads.Curves = append(heads.Curves, curve(by[b].headsAt))
		c := cumulative("latency", "", "s", engine.Resolution.Seconds(), &by[b].took).Curves[0]
		c.Name = behaviourNames[b]
		late.Curves = append(late.Curves, c)
	}
	r.Charts = append(r.Charts, memos, blind, heads, late)
}
