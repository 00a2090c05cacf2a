package worlds

import (
	"cmp"
	"math"
	"slices"
	"time"

	"lightcone/internal/portable"
	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// This file is how people edit: a model throughout. The behaviours have their names from
// elsewhere and are nowhere defined; what they are here is assumed:
//
//   - daily rhythm: people make single edits, when they sit down, by the hour of where
//     they are. The others sit down by it, too.
//   - indecision: somebody sets one row to and fro, every few seconds.
//   - swoop and tweak: somebody changes many rows with one memo, and then puts single
//     ones of them right.
//   - back to back: two answer each other in one row.
//
// Some sit at a device that is cut off for a while, and what they wrote comes late.
const (
	daily = iota
	indecision
	swoop
	backToBack
	behaviours
)

var behaviourNames = [behaviours]string{"daily rhythm", "indecision", "swoop and tweak", "back to back"}

// act is one memo that somebody is going to write.
type act struct {
	at   time.Duration
	who  int
	rows []int
	last bool          // of what somebody does who sat down
	away time.Duration // so long the device is cut off from then on, if it is
}

// dice draws numbers for a day.
type dice struct {
	seed uint64
	n    uint32
}

func (d *dice) float() float64 {
	d.n++
	return engine.Unit(engine.Draw(d.seed, 0, d.n))
}
func (d *dice) below(n int) int { return int(d.float() * float64(n)) }
func (d *dice) seconds(from, to float64) time.Duration {
	return time.Duration((from + float64((to-from)*d.float())) * float64(time.Second))
}

// zone is how far a region's clock is ahead: they lie evenly around the world.
func zone(region, regions int) time.Duration {
	return time.Duration(region) * 24 * time.Hour / time.Duration(regions)
}

// activity is how likely people sit down at a local time, up to 1: most at 15 h,
// least at 3 h.
func activity(local time.Duration, rhythm float64) float64 {
	return (1 - rhythm) + float64(rhythm*(1+portable.Cos(2*math.Pi*(local.Hours()-15)/24))/2)
}

// behaviourOf is what the i-th of n teams does: each as many as its share says.
func behaviourOf(e *scenario.Editing, i, n int) int {
	shares := [behaviours]float64{e.Single, e.Indecision, e.Swoop, e.BackToBack}
	at := (float64(i) + 0.5) / float64(n) * (shares[0] + shares[1] + shares[2] + shares[3])
	for b, x := range shares {
		if at -= x; at < 0 {
			return b
		}
	}
	return daily
}

// acts draws what the members of a team do, in the order of time.
func acts(s *scenario.Scenario, what int, region []int, d *dice) []act {
	e, until := s.Editing, time.Duration(s.Until)
	regions := max(1, len(s.Network.Regions))
	var all []act
	for range int(float64(float64(e.Bouts*len(region))*until.Hours()/24) + d.float()) {
		who, at := d.below(len(region)), time.Duration(d.float()*float64(until))
		for d.float() >= activity(at+zone(region[who], regions), *e.Rhythm) {
			who, at = d.below(len(region)), time.Duration(d.float()*float64(until))
		}
		b := bout(e, d, what, len(region), who, at)
		b[len(b)-1].last = true
		if d.float() < *e.Offline && what != backToBack {
			b[0].away = time.Duration(-portable.Log(1-d.float()) * float64(e.Away))
		}
		all = append(all, b...)
	}
	all = slices.DeleteFunc(all, func(a act) bool { return a.at >= until })
	slices.SortStableFunc(all, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	return all
}

// bout draws what somebody does who sits down.
func bout(e *scenario.Editing, d *dice, what, peers, who int, at time.Duration) (out []act) {
	one := func(who int, rows ...int) { out = append(out, act{at: at, who: who, rows: rows}) }
	x := d.float()
	row := int(x * x * float64(e.Rows)) // some rows are edited more than others
	switch what {
	case indecision:
		for range 2 + d.below(5) {
			one(who, row)
			at += d.seconds(1, 5)
		}
	case swoop:
		var rows []int
		for k := range 4 + d.below(5) {
			rows = append(rows, (row+k)%e.Rows)
		}
		slices.Sort(rows)
		one(who, rows...)
		for range 2 + d.below(6) {
			at += d.seconds(3, 20)
			one(who, rows[d.below(len(rows))])
		}
	case backToBack:
		other := (who + 1 + d.below(peers-1)) % peers
		for k := range 4 + d.below(7) {
			one([]int{who, other}[k%2], row)
			at += d.seconds(0.1, 3)
		}
	default:
		one(who, row)
	}
	return out
}
