package simulations

import (
	"context"
	"runtime"
	"runtime/metrics"
	"time"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// Run runs one scenario, without its sweep. version is that of the program.
func Run(ctx context.Context, s *scenario.Scenario, version string, o worlds.Options) (*report.Result, error) {
	text, err := s.Encode()
	if err != nil {
		return nil, err
	}
	r := &report.Result{
		Name: s.Name, World: s.World, About: s.About, Version: version, Seed: s.Seed, Peers: s.Peers,
		Until: time.Duration(s.Until), Scenario: string(text),
	}
	heap, stop := watchHeap()
	wall, cpu := time.Now(), cpuTime()
	err = worlds.Run(ctx, s, o, r)
	r.Cost.Wall, r.Cost.CPU = time.Since(wall), cpuTime()-cpu
	stop()
	r.Cost.Workers = o.Workers
	if o.Workers == 0 {
		r.Cost.Workers = runtime.GOMAXPROCS(0)
	}
	if err != nil {
		return nil, err
	}
	r.Cost.BytesPerPeer = float64(*heap) / float64(s.Peers)
	return r, nil
}

// watchHeap looks ten times a second how much memory is used, until stop is called,
// and tells the most by which it grew.
func watchHeap() (most *uint64, stop func()) {
	most = new(uint64)
	runtime.GC()
	before := heapBytes()
	grown := func() {
		now := heapBytes()
		*most = max(*most, now-min(before, now))
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			grown()
			select {
			case <-done:
				grown() // a run may be shorter than a tick
				return
			case <-tick.C:
			}
		}
	}()
	return most, func() { close(done); <-ended }
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
