package beacon

import (
	"math"
	"time"

	"lightcone/internal/portable"
)

// Tick is τ, how often an Emitter makes up its mind.
const Tick = time.Second

const (
	// rateWindow is the time constant of r̂, the measured rate of pings: long enough to
	// see a few of them, short enough to follow peers that come and go.
	rateWindow = 10 * time.Second
	// gain and maxChange bound how fast the chance follows the measure: in each tick
	// by (ρ/r̂)^gain, and by no more than maxChange of itself. All peers turn at once,
	// so more would swing.
	gain, maxChange = 0.1, 0.05
	// minIdle is the least time between two pings of one beacon without news.
	minIdle = time.Minute
)

// Observed is what an Emitter is told at each step.
type Observed struct {
	News    bool    // a memo that is no ping attached since the beacon's last ping
	Pings   int     // pings that attached since the last step, own ones included
	Authors float64 // N̂, the estimated number of beacons in the space; at least 1
	Random  float64 // in [0,1), drawn anew for each step
}

// Emitter decides when one beacon pings, so that all of a space together ping
// about ρ times a second while there is news, whatever their number. It knows its
// neighbours only by their pings: a busy neighbourhood lowers its chance, a quiet
// one raises it (DESIGN.md §6, Fig. 13). A space at rest stays at rest: without news
// a beacon pings once in IdleFloor, or less often.
type Emitter struct {
	rho    float64
	chance float64 // p, per tick; 0 before the first
	rate   float64 // r̂, pings a second
	pings  int     // since the last tick
	last   time.Time
	idle   time.Time // when to ping although there is no news
}

// NewEmitter returns an emitter for a space whose target is rho pings a second, more
// than 0.
func NewEmitter(rho float64) *Emitter { return &Emitter{rho: rho, rate: rho} }

// Chance returns the probability of a ping in the next tick, given news.
func (e *Emitter) Chance() float64 { return e.chance }

// Rate returns the measured rate of pings per second, Target the wanted one.
func (e *Emitter) Rate() float64 { return e.rate }

// Target returns ρ.
func (e *Emitter) Target() float64 { return e.rho }

// IdleFloor is the least time between two pings of one beacon without news when
// there are n beacons: even those pings stay below half the target.
func (e *Emitter) IdleFloor(n float64) time.Duration {
	return max(minIdle, seconds(2*n/e.rho))
}

// seconds is s, at most a year.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, 365*24*3600) * float64(time.Second))
}

// Step tells the emitter what happened and returns whether to write a ping now. It
// may be called as often as one likes; it decides once a Tick.
func (e *Emitter) Step(now time.Time, o Observed) (emit bool) {
	n := max(1, o.Authors)
	start := math.Min(1, e.rho*Tick.Seconds()/n) // p₀
	if e.last.IsZero() || now.Before(e.last) {   // or the clock was set back
		if e.chance == 0 {
			e.chance = start
		}
		e.last, e.pings = now, e.pings+o.Pings
		e.rest(now, n, o.Random)
		return false
	}
	e.pings += o.Pings
	passed := now.Sub(e.last)
	if passed < Tick {
		return false
	}
	e.measure(passed)
	e.adapt(start, o.News)
	e.last, e.pings = now, 0
	switch {
	case o.News && o.Random < e.chance:
		e.rest(now, n, o.Random/e.chance) // uniform again
		return true
	case !o.News && !now.Before(e.idle):
		e.rest(now, n, o.Random)
		return true
	}
	return false
}

// measure takes the pings of the time that passed into r̂.
func (e *Emitter) measure(passed time.Duration) {
	weight := 1 - portable.Exp(-passed.Seconds()/rateWindow.Seconds())
	e.rate += float64(weight * (float64(e.pings)/passed.Seconds() - e.rate))
}

// adapt moves the chance by one tick: with news towards what makes r̂ meet the
// target. Without news nobody pings, so r̂ says nothing about the chance, which then
// returns to where it starts, lest all shout at once at the next news.
func (e *Emitter) adapt(start float64, news bool) {
	want := start
	if news {
		want = e.chance * portable.Pow(e.rho/e.rate, gain)
	}
	e.chance = math.Min(1, math.Max(e.chance*(1-maxChange), math.Min(e.chance*(1+maxChange), want)))
}

// rest puts the next ping without news off, to a random time between one and two
// floors from now, so that idle beacons do not ping together.
func (e *Emitter) rest(now time.Time, n, random float64) {
	e.idle = now.Add(time.Duration((1 + random) * float64(e.IdleFloor(n))))
}
