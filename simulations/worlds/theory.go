package worlds

import (
	"fmt"
	"math"
	"time"

	"lightcone/internal/portable"
	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// This file is what theory says of a flood among peers that are drawn evenly, in the mean
// and of many: what stands next to the measurements.

// arrives is the share of messages that come.
func arrives(s *scenario.Scenario) float64 {
	if s.Network.Resend > 0 {
		return 1
	}
	return 1 - s.Network.Loss
}

// finalSize solves x = 1 − e^(−fx) for its greatest x.
func finalSize(f float64) float64 {
	x := 1.0
	for range 1000 {
		x = 1 - portable.Exp(-f*x)
	}
	return x
}

// pushes is a message that each who gets it pushes to so many others, once, of which it
// comes to that many (f), over ways of one latency and a mean jitter behind it.
type pushes struct{ f, peers, latency, jitter float64 } // seconds

func pushesOf(s *scenario.Scenario) pushes {
	return pushes{float64(s.Flood.Fanout) * s.Flood.Relay * arrives(s), float64(s.Peers), firstLatency(s).Seconds(), time.Duration(s.Network.Jitter).Seconds()}
}

// over returns the share at each time of a run, if all ways are alike and all messages are
// published at once.
func (u pushes) over(s *scenario.Scenario, times []float64) ([]float64, bool) {
	n := s.Network
	if len(n.Regions) > 1 || n.Uplink > 0 || n.Resend > 0 || len(n.Partitions) > 0 || n.Churn != nil || s.Flood.Apart > 0 && s.Flood.Messages > 1 {
		return nil, false
	}
	at := make([]float64, len(times))
	for i, t := range times {
		at[i] = t - floodBegins.Seconds()
	}
	return u.covered(at), true
}

// covered returns the share x of the peers that have the message at each of some times
// since its publication, ascending: x(t) = 1 − e^(−f·b(t)), where b is the share whose
// copies are there, those who got it a way before.
func (u pushes) covered(at []float64) []float64 {
	const most = 1 << 20 // steps: what is later is as the last
	step := engine.Resolution.Seconds()
	lag := int(u.latency / step)
	mix := 1.0
	if u.jitter > 0 {
		mix = 1 - portable.Exp(-step/u.jitter)
	}
	x, b, out := []float64{1 / u.peers}, 0.0, make([]float64, 0, len(at))
	for _, t := range at {
		if t < 0 {
			out = append(out, 0)
			continue
		}
		for want := min(most, int(t/step)); len(x) <= want; {
			if k := len(x) - 1 - lag; k >= 0 {
				b += float64((x[k] - b) * mix)
			}
			x = append(x, 1-float64((1-1/u.peers)*portable.Exp(-u.f*b)))
		}
		out = append(out, x[min(most, int(t/step))])
	}
	return out
}

// rounds is a message that spreads by rounds, in each of which a peer calls some others.
type rounds struct {
	calls   float64 // a peer and round
	arrives float64 // the share of messages that do
	pull    bool    // who lacks it calls too, and is told
}

func roundsOf(s *scenario.Scenario) rounds {
	return rounds{float64(s.Flood.Fanout), arrives(s), s.Flood.Spread == "push-pull"}
}

// next returns the share that lacks it a round after a share p did: those whom no call
// tells, e^(−f(1−p)) of them, and, with pull, whose own calls find nobody that has it, p^f.
func (r rounds) next(p float64) float64 {
	q := p * portable.Exp(-r.calls*r.arrives*(1-p))
	if r.pull {
		q *= portable.Pow(1-float64(r.arrives*r.arrives*(1-p)), r.calls)
	}
	return q
}

// until returns how many rounds pass until nobody of n peers lacks it, when a share p does,
// and the copies a peer that come in them, in the mean: after each round the number that
// lacks it is Poisson's.
func (r rounds) until(p, n float64) (took, copies float64) {
	for range scenario.MaxAge {
		goesOn := -portable.Expm1(-n * p)
		if goesOn < 1e-9 {
			break
		}
		sent := float64(r.calls * r.arrives * (1 - p))
		if r.pull {
			sent += float64(sent * r.arrives * p) // answers
		}
		took, copies, p = took+goesOn, copies+float64(goesOn*sent), r.next(p)
	}
	return took, copies
}

// name is the formula of next.
func (r rounds) name() string {
	switch {
	case !r.pull && r.arrives == 1:
		return fmt.Sprintf("p·e^(−f(1−p)), f = %v", r.calls)
	case !r.pull:
		return fmt.Sprintf("p·e^(−fs(1−p)), f = %v, s = %.3g", r.calls, r.arrives)
	case r.arrives == 1:
		return fmt.Sprintf("p^(1+f)·e^(−f(1−p)), f = %v", r.calls)
	}
	return fmt.Sprintf("p·(1−s²(1−p))^f·e^(−fs(1−p)), f = %v, s = %.3g", r.calls, r.arrives)
}

// formula returns the rounds until all of n have it, but for O(1), and whose it is.
func (r rounds) formula(n float64) (float64, string) {
	log := func(x, base float64) float64 { return portable.Log(x) / portable.Log(base) }
	f := float64(r.calls * r.arrives)
	switch {
	case !r.pull:
		return log(n, 1+f) + portable.Log(n)/f, "log₂N + ln N + O(1) (Pittel 1987); with f calls that arrive ln N/ln(1+f) + (ln N)/f"
	case r.arrives == 1:
		return log(n, 1+float64(2*f)) + log(max(math.E, portable.Log(n)), 1+f), "log₃N + O(log log N) (Karp, Schindelhauer, Shenker, Vöcking 2000), here log₂ ln N"
	}
	tail := f - float64(r.calls*portable.Log1p(-r.arrives*r.arrives))
	return log(n, 1+f+float64(f*r.arrives)) + portable.Log(n)/tail, "log N by growth and tail: who lacks it is told of a share of its calls alone"
}

// age is for how many rounds a message is passed on.
func age(s *scenario.Scenario) int {
	const pushBeyond, pullBeyond = 10, 6 // rounds: pushing to one a round, one message in 20,000 needs more
	if s.Flood.Age > 0 {
		return s.Flood.Age
	}
	n, beyond := float64(s.Peers), pushBeyond
	if s.Flood.Spread == "push-pull" {
		beyond = pullBeyond
	}
	took, _ := roundsOf(s).until(1-1/n, n)
	return min(scenario.MaxAge, int(math.Ceil(took))+beyond)
}
