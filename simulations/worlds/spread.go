package worlds

import (
	"time"

	"lightcone/internal/portable"
	"lightcone/simulations/engine"
	"lightcone/simulations/scenario"
)

// spread is how long a message takes over a mesh to a peer that is drawn, without
// simulating the mesh: a model, of a random graph in which each has as many links. It
// knows nothing of losses, partitions and churn.
type spread struct {
	within []float64 // share of the peers that are at most so many links away
	link   float64   // s, the mean latency
	jitter float64   // s
}

// newSpread follows the edges: y is the share of edges whose far end is not within h
// links, and a graph without short circles has y(h+1) = y(h)^(D−1) (Newman, Strogatz,
// Watts 2001).
func newSpread(s *scenario.Scenario) spread {
	n, d := float64(s.Peers), float64(max(2, s.Mesh.Degree))
	out := spread{link: meanLatency(s.Network).Seconds(), jitter: time.Duration(s.Network.Jitter).Seconds()}
	other := 1 - 1/n
	for y, x := other, 0.0; x < 1-0.5/n && len(out.within) < s.Peers; y = float64(other * portable.Pow(y, d-1)) {
		x = 1 - float64(other*portable.Pow(y, d))
		out.within = append(out.within, x)
	}
	out.within[len(out.within)-1] = 1
	return out
}

// draw draws how long one takes.
func (x spread) draw(d *dice) time.Duration {
	u, h := d.float(), 0
	for x.within[h] < u {
		h++
	}
	sum := float64(float64(h+1) * x.link)
	for range h + 1 {
		sum -= float64(portable.Log(1-d.float()) * x.jitter)
	}
	return time.Duration(sum * float64(time.Second))
}

// by is the share that has it after so many seconds, were there no jitter but its mean.
func (x spread) by(s float64) float64 {
	h := int(s / (x.link + x.jitter))
	switch {
	case h < 1:
		return 0
	case h > len(x.within):
		return 1
	}
	return x.within[h-1]
}

// mean is how many seconds it takes on average.
func (x spread) mean() float64 {
	hops, before := 0.0, 0.0
	for h, share := range x.within {
		hops, before = hops+float64(float64(h+1)*(share-before)), share
	}
	return hops * (x.link + x.jitter)
}

// meanLatency is that between two peers that are drawn.
func meanLatency(n scenario.Network) time.Duration {
	if n.Latency == nil {
		return engine.DefaultLatency
	}
	share := func(i int) float64 {
		if len(n.Regions) == 0 {
			return 1
		}
		return n.Regions[i]
	}
	sum, all := 0.0, 0.0
	for i, row := range n.Latency {
		for j, l := range row {
			w := float64(share(i) * share(j))
			sum, all = sum+float64(w*float64(l)), all+w
		}
	}
	return time.Duration(sum / all)
}
