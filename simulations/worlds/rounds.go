package worlds

import (
	"fmt"
	"math"

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
	came [][]int // by message: how many got it in each round, from 0
}

func newRounder(sh *engine.Shard, s *scenario.Scenario) *rounder {
	r := &rounder{rounds: roundsOf(s), s: s, age: age(s), size: int(sh.Last - sh.First)}
	r.got = make([]uint8, r.size*s.Flood.Messages)
	for range s.Flood.Messages {
		r.came = append(r.came, make([]int, r.age+1))
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

// lacking returns the share of the peers that lack each message after each round, until all
// have it.
func lacking(e *engine.Engine, s *scenario.Scenario) (out [][]float64) {
	for m := range s.Flood.Messages {
		left, share := s.Peers, []float64(nil)
		for round := 0; round <= age(s) && (left > 0 || round == 0); round++ {
			for p := range e.Protocols {
				left -= p.(*flooder).came[m][round]
			}
			share = append(share, float64(left)/float64(s.Peers))
		}
		out = append(out, share)
	}
	return out
}

// half is the first round after which at most half of the peers lack a message.
func half(share []float64) int {
	for t, p := range share {
		if p <= 0.5 {
			return t
		}
	}
	return len(share) - 1
}

// reportRounds says how many rounds a message takes.
func reportRounds(r *report.Result, e *engine.Engine, s *scenario.Scenario) {
	rule, n := roundsOf(s), float64(s.Peers)
	var all, tails, tailsTheory []float64
	longest := 0
	steps := report.Curve{Name: "measured", Points: true}
	lacks := lacking(e, s)
	for _, share := range lacks {
		last, h := float64(len(share)-1), half(share)
		if share[len(share)-1] > 0 {
			last = math.NaN() // somebody lacks it to the end
		}
		all, tails = append(all, last), append(tails, last-float64(h))
		tailsTheory = append(tailsTheory, rule.until(share[h], n))
		longest = max(longest, len(share))
		for t := 1; t < len(share); t++ {
			steps.X, steps.Y = append(steps.X, share[t-1]), append(steps.Y, share[t])
		}
	}
	formula, source := rule.formula(n)
	r.Facts = append(r.Facts,
		fact("rounds until all have it", mean(all), "", formula, source),
		fact("rounds from half to all", mean(tails), "", mean(tailsTheory), rule.name()+", iterated"))
	measured, theory := report.Curve{Name: "measured"}, report.Curve{Name: rule.name(), Theory: true}
	p := 1 - 1/n
	for t := range longest {
		x := 0.0
		for _, share := range lacks {
			x += share[min(t, len(share)-1)] / float64(len(lacks))
		}
		measured.X, measured.Y = append(measured.X, float64(t)), append(measured.Y, x)
		theory.X, theory.Y = append(theory.X, float64(t)), append(theory.Y, p)
		p = rule.next(p)
	}
	line := report.Curve{Name: rule.name(), Theory: true}
	for p := 1.0; p > 0.5/n; p *= 0.95 {
		line.X, line.Y = append(line.X, p), append(line.Y, rule.next(p))
	}
	share := func(when string) report.Axis { return report.Axis{Label: "share that lacks it " + when, Log: true} }
	r.Charts = append(r.Charts,
		report.Chart{
			Name: "lacks", Title: "Who lacks it", X: report.Axis{Label: "rounds"}, Y: share("then"), Curves: []report.Curve{measured, theory},
			Note: "Mean of the messages; the theory begins with one peer that has it.",
		},
		report.Chart{
			Name: "step", Title: "What one round leaves", X: share("before"), Y: share("after"), Curves: []report.Curve{steps, line},
			Note: "Every round of every message. The steeper towards the left, the shorter the tail: slope 1 leaves a part of those each time, slope 2 squares the share.",
		})
}

// name is the formula of next.
func (r rounds) name() string {
	if r.pull {
		return fmt.Sprintf("p' = p^%v e^(-%v(1-p))", 1+r.calls, r.calls)
	}
	return fmt.Sprintf("p' = p e^(-%v(1-p))", r.calls)
}
