package worlds

import (
	"math"
	"slices"
	"time"

	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// This file is how people edit: a model throughout. The behaviours:
//
//   - indecision: one person sets one row to and fro, every few seconds.
//   - swoop and tweak: a person changes many rows with one memo, and then puts single
//     ones of them right.
//   - back to back: two people answer each other in one row.
//   - daily rhythms: when they sit down, by the hour of where they are.
const (
	single = iota
	indecision
	swoop
	backToBack
	behaviours
)

var behaviourNames = [behaviours]string{"single", "indecision", "swoop and tweak", "back to back"}

// act is one memo that somebody is going to write.
type act struct {
	at   time.Duration
	who  int
	what int
	rows []int
}

// dice draws numbers for a day.
type dice struct {
	seed uint64
	n    uint32
}

func (d *dice) float() float64 {
	d.n++
	return float64(engine.Draw(d.seed, 0, d.n)>>11) / (1 << 53)
}
func (d *dice) below(n int) int { return int(d.float() * float64(n)) }
func (d *dice) seconds(from, to float64) time.Duration {
	return time.Duration((from + (to-from)*d.float()) * float64(time.Second))
}

// zone is how far a region's clock is ahead: they lie evenly around the world.
func zone(region, regions int) time.Duration {
	return time.Duration(region) * 24 * time.Hour / time.Duration(regions)
}

// activity is how likely people sit down at a local time, up to 1: most at 15 h,
// least at 3 h.
func activity(local time.Duration, rhythm float64) float64 {
	return (1 - rhythm) + rhythm*(1+math.Cos(2*math.Pi*(local.Hours()-15)/24))/2
}

// acts draws what all do, in the order of time.
func acts(s *scenario.Scenario, region []int, d *dice) []act {
	e, until := s.Editing, time.Duration(s.Until)
	regions := max(1, len(s.Network.Regions))
	var all []act
	bouts := int(float64(e.Bouts*s.Peers) * until.Hours() / 24)
	for len(all) == 0 || bouts > 0 {
		who, at := d.below(s.Peers), time.Duration(d.float()*float64(until))
		if d.float() >= activity(at+zone(region[who], regions), *e.Rhythm) {
			continue
		}
		bouts--
		all = append(all, bout(e, d, s.Peers, who, at)...)
	}
	all = slices.DeleteFunc(all, func(a act) bool { return a.at >= until })
	slices.SortStableFunc(all, func(a, b act) int { return int(a.at - b.at) })
	return all
}

// bout draws what somebody does who sits down.
func bout(e *scenario.Editing, d *dice, peers, who int, at time.Duration) (out []act) {
	row := d.below(e.Rows)
	switch x := d.float() * (e.Indecision + e.Swoop + e.BackToBack + e.Single); {
	case x < e.Indecision:
		for range 2 + d.below(5) {
			out = append(out, act{at, who, indecision, []int{row}})
			at += d.seconds(1, 5)
		}
	case x < e.Indecision+e.Swoop:
		var rows []int
		for k := range 4 + d.below(5) {
			rows = append(rows, (row+k)%e.Rows)
		}
		out = append(out, act{at, who, swoop, rows})
		for range 2 + d.below(6) {
			at += d.seconds(3, 20)
			out = append(out, act{at, who, swoop, []int{rows[d.below(len(rows))]}})
		}
	case x < e.Indecision+e.Swoop+e.BackToBack:
		other := (who + 1 + d.below(peers-1)) % peers
		for k := range 4 + d.below(7) {
			out = append(out, act{at, []int{who, other}[k%2], backToBack, []int{row}})
			at += d.seconds(0.1, 3)
		}
	default:
		out = append(out, act{at, who, single, []int{row}})
	}
	return out
}
