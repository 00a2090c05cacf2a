package worlds

import (
	"math"
	"slices"

	"lightcone/simulations/engine"
	"lightcone/simulations/mesh"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a flood by rounds: anti-entropy of a single item, by push or by push and
// pull (Demers and others 1987). In each round a peer calls others that it draws anew,
// until the message is of some age (Karp and others 2000). Who gets it in a round passes
// it on, and answers, from the next.

// askBytes is a call of somebody who has nothing to tell: an RPC with a topic and an id.
const askBytes = 126

// rounder is what the peers of a shard keep for it.
type rounder struct {
	rounds
	s    *scenario.Scenario
	age  int     // rounds for which a message is passed on
	size int     // peers
	got  []uint8 // by message, of each peer: the round in which it got it
	// By message: how many got it in each round, from 0, and how many copies came.
	came, copies [][]int
}

func newRounder(sh *engine.Shard, s *scenario.Scenario) *rounder {
	r := &rounder{rounds: roundsOf(s), s: s, age: age(s), size: int(sh.Last - sh.First)}
	r.got = make([]uint8, r.size*s.Flood.Messages)
	for range s.Flood.Messages {
		r.came, r.copies = append(r.came, make([]int, r.age+1)), append(r.copies, make([]int, r.age+1))
	}
	return r
}

// round returns which is under way of a message, from 1.
func (r *rounder) round(now engine.Time, msg uint32) int {
	return min(r.age, int((now-floodAt(r.s, msg))/ticks(r.s.Flood.Round))+1)
}

// call has a peer make the calls of a round, and sets the timer of the next.
func (f *flooder) call(p *engine.Port, msg uint32) {
	has := f.Seen(p.Local(), msg)
	for range f.s.Flood.Fanout {
		to := engine.Peer(p.IntN(f.s.Peers - 1))
		if to >= p.Self() {
			to++
		}
		if has {
			p.Send(to, told, msg, 0, f.s.Flood.Size)
		} else {
			p.Send(to, asked, msg, 0, askBytes)
		}
	}
	f.callAfter(p, msg, f.round(p.Now(), msg))
}

// callAfter sets the timer of the calls after a round, if there is a next.
func (f *flooder) callAfter(p *engine.Port, msg uint32, round int) {
	if round < f.age {
		p.After(floodAt(f.s, msg)+ticks(f.s.Flood.Round)*engine.Time(round)-p.Now(), turn, msg)
	}
}

// answer tells somebody who asked, if it was known before this round.
func (f *flooder) answer(p *engine.Port, ev engine.Event) {
	i := p.Local()
	if f.Seen(i, ev.Arg) && int(f.got[int(ev.Arg)*f.size+i]) < f.round(p.Now(), ev.Arg) {
		p.Send(ev.From, told, ev.Arg, 0, f.s.Flood.Size)
	}
}

// tell has a peer get a message, in the round under way.
func (f *flooder) tell(p *engine.Port, msg uint32) {
	i, round := p.Local(), f.round(p.Now(), msg)
	p.Count(mesh.Copies, 1)
	f.copies[msg][round]++
	if !f.See(i, msg) {
		p.Count(mesh.Duplicates, 1)
		return
	}
	f.got[int(msg)*f.size+i] = uint8(round)
	f.came[msg][round]++
	f.take(p, msg, uint16(round))
	if !f.pull {
		f.callAfter(p, msg, round) // else it calls anyway
	}
}

// toldOf is what was told of one message.
type toldOf struct {
	lacks  []float64 // the share of the peers that lack it after each round, until all have it
	copies float64   // that came until then, a peer
}

func toldIn(e *engine.Engine, s *scenario.Scenario) (out []toldOf) {
	for m := range s.Flood.Messages {
		left, copies, x := s.Peers, 0, toldOf{}
		for round := 0; round <= age(s) && (left > 0 || round == 0); round++ {
			for p := range e.Protocols {
				f := p.(*flooder)
				left, copies = left-f.came[m][round], copies+f.copies[m][round]
			}
			x.lacks = append(x.lacks, float64(left)/float64(s.Peers))
		}
		x.copies = float64(copies) / float64(s.Peers)
		out = append(out, x)
	}
	return out
}

// rounds returns how many it took until all had it, NaN if somebody never did.
func (x toldOf) rounds() float64 {
	last := len(x.lacks) - 1
	if x.lacks[last] > 0 {
		return math.NaN()
	}
	return float64(last)
}

// first is the first round after which at most a share lacks it.
func (x toldOf) first(share float64) int {
	return max(0, slices.IndexFunc(x.lacks, func(p float64) bool { return p <= share }))
}

// reportRounds says how many rounds and copies a message takes.
func reportRounds(r *report.Result, e *engine.Engine, s *scenario.Scenario) {
	rule, n, all := roundsOf(s), float64(s.Peers), toldIn(e, s)
	var took, tail, tailTheory, copies []float64
	for _, x := range all {
		h := x.first(0.5)
		left, _ := rule.until(x.lacks[h], n)
		took, copies = append(took, x.rounds()), append(copies, x.copies)
		tail, tailTheory = append(tail, x.rounds()-float64(h)), append(tailTheory, left)
	}
	formula, source := rule.formula(n)
	_, sent := rule.until(1-1/n, n)
	r.Facts = append(r.Facts,
		fact("rounds until all have it", mean(took), "", formula, source),
		fact("rounds from half to all", mean(tail), "", mean(tailTheory), "p after a round is "+rule.name()),
		fact("copies a peer until all have it", mean(copies), "", sent, "calls and answers in the same rounds: O(log N) by push, O(log log N) by push and pull (Karp and others 2000)"))
	r.Charts = append(r.Charts, lackChart(rule, all[0], n), stepChart(rule, all, n))
}

// lackChart draws who lacks the first message.
func lackChart(rule rounds, x toldOf, n float64) report.Chart {
	const enough = 0.99 // where one of a hundred has it, calls are too many for chance
	measured, theory := report.Curve{Name: "measured"}, report.Curve{Name: rule.name(), Theory: true}
	for t, p := range x.lacks {
		measured.X, measured.Y = append(measured.X, float64(t)), append(measured.Y, p)
	}
	from := x.first(enough)
	for t, p := from, x.lacks[from]; p*n > 0.5; t, p = t+1, rule.next(p) {
		theory.X, theory.Y = append(theory.X, float64(t)), append(theory.Y, p)
	}
	return report.Chart{
		Name: "lacks", Title: "Who lacks the first message", X: report.Axis{Label: "rounds"}, Y: report.Axis{Label: "share that lacks it", Log: true},
		Curves: []report.Curve{measured, theory},
		Note:   "The theory begins where one peer of a hundred has it: before, few calls decide. A share of less than half a peer is not drawn.",
	}
}

// stepChart draws what each round of each message leaves.
func stepChart(rule rounds, all []toldOf, n float64) report.Chart {
	measured, theory := report.Curve{Name: "measured", Points: true}, report.Curve{Name: rule.name(), Theory: true}
	for _, x := range all {
		for t := 1; t < len(x.lacks); t++ {
			measured.X, measured.Y = append(measured.X, x.lacks[t-1]), append(measured.Y, x.lacks[t])
		}
	}
	for p := 1.0; n*rule.next(p) > 0.5; p *= 0.95 {
		theory.X, theory.Y = append(theory.X, p), append(theory.Y, rule.next(p))
	}
	return report.Chart{
		Name: "step", Title: "What one round leaves", X: report.Axis{Label: "share that lacks it before", Log: true},
		Y: report.Axis{Label: "share that lacks it after", Log: true}, Curves: []report.Curve{measured, theory},
		Note: "Every round of every message. To the left the slope is 1 where a round leaves a part of those who lack it, and 2 where it squares their share.",
	}
}
