package worlds

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"lightcone/memo"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// Options is how a scenario is run; nothing of it shows in what comes out, but Cost.
type Options struct {
	Workers int // that run at the same time; 0: one a processor
	// Progress, if not nil, is told now and then how far the run is.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Now, Until engine.Time
	Events     uint64
}

// world runs a scenario and fills in Facts, Charts, Steps, Sample, Hash and
// Cost.Events of a result.
type world func(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error

// worlds are those that scenario knows, by their names.
var worlds = map[string]world{
	"flood":   flood,
	"beacons": beacons,
	"churn":   churn,
	"editing": editing,
	"hot":     hot,
	"funnel":  funnel,

	"partition": partition,
	"late":      late,
	"liars":     liars,
	"context":   growth,

	"consolidation": consolidation,
}

// Run runs a scenario.
func Run(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	w := worlds[s.World]
	if w == nil {
		return fmt.Errorf("there is no world %q", s.World)
	}
	return w(ctx, s, o, r)
}

// config is what the engine needs to know of a scenario.
func config(s *scenario.Scenario, o Options) engine.Config {
	return engine.Config{
		Peers: s.Peers, Seed: s.Seed, Until: ticks(s.Until), Network: s.Network.Engine(), Workers: o.Workers,
		SampleEvery: ticks(s.Every),
	}
}

// tell reports how far a run is.
func (o Options) tell(e *engine.Engine) {
	if o.Progress != nil {
		o.Progress(Progress{Now: e.Now(), Until: e.Until(), Events: e.Total(engine.Events)})
	}
}

// finish fills in what every world has.
func finish(r *report.Result, e *engine.Engine) {
	sum := e.Hash()
	r.Hash = hex.EncodeToString(sum[:])
	r.Cost.Events = e.Total(engine.Events)
}

func ticks(d scenario.Duration) engine.Time { return engine.Ticks(time.Duration(d)) }

// authorOf is the key that a peer writes with, where nobody looks at seals.
func authorOf(seed uint64, p engine.Peer) (a memo.Author) {
	for i := range len(a) / 8 {
		binary.BigEndian.PutUint64(a[8*i:], engine.Draw(seed^0xa07408, p, uint32(i)))
	}
	return a
}
