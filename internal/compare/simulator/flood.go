package main

import (
	"fmt"
	"math"
	"strings"
)

// The network of all floods: a latency and an exponential delay on top, of this mean.
// PeerSim counts in whole numbers, whose unit is the tick of Lightcone's engine.
const (
	latencyTicks, jitterTicks = 200, 50 // 20 ms and 5 ms
	ticksPerMs                = 10
	untilTicks                = 30_000 // 3 s: all floods end well before
)

// flood is what is simulated: one message, which one peer drawn at random publishes.
type flood struct {
	name, title string
	// fanout is to how many peers, drawn anew, whoever gets the message first sends it;
	// 0: to all links but the one that it came by.
	fanout int
}

// floods are those of the table.
var floods = []flood{
	{"push", "whoever gets it first sends it to 3 peers drawn anew", 3},
	{"links", "whoever gets it first sends it over its links, which never change, but the one it came by", 0},
}

// floodNamed finds one of floods.
func floodNamed(name string) (flood, error) {
	for _, f := range floods {
		if f.name == name {
			return f, nil
		}
	}
	return flood{}, fmt.Errorf("there is no flood %q", name)
}

// theory is the share of the peers that get the message: the final size of an epidemic
// in which each infects fanout others, x = 1 − e^(−fx); all, where links connect them.
func (f flood) theory() float64 {
	x := 1.0
	for range 1000 {
		x = 1 - math.Exp(-float64(f.fanout)*x)
	}
	if f.fanout == 0 {
		return 1
	}
	return x
}

// scenario is the flood as a file of Lightcone's simulator. Links are made at the start
// as the model of the mesh makes them; no heartbeat comes that would change them.
func (f flood) scenario(peers int, seed uint64) string {
	spread := fmt.Sprintf("spread = \"push\"\nfanout = %d\n", f.fanout)
	if f.fanout == 0 {
		spread = "spread = \"mesh\"\n\n[mesh]\ndegree = 3\nlow = 2\nhigh = 12\nheartbeat = \"24h\"\n"
	}
	return fmt.Sprintf("world = \"flood\"\npeers = %d\nseed = %d\nuntil = \"%dms\"\n\n"+
		"[network]\nlatency = [[\"%dms\"]]\njitter = \"%dms\"\n\n[flood]\n%s",
		peers, seed, untilTicks/ticksPerMs, latencyTicks/ticksPerMs, jitterTicks/ticksPerMs, spread)
}

// config is the flood as a file of PeerSim's, run several times in one process. Links are
// those of its WireKOut: each peer makes 2, so it has 4 on average, and 2 at least.
func (f flood) config(peers int, seed uint64, runs int) string {
	lines := []string{
		fmt.Sprintf("random.seed %d", seed), fmt.Sprintf("simulation.experiments %d", runs),
		fmt.Sprintf("simulation.endtime %d", untilTicks), fmt.Sprintf("network.size %d", peers),
	}
	if f.fanout == 0 {
		lines = append(lines, "protocol.links peersim.core.IdleProtocol", "protocol.links.capacity 4",
			"init.wire peersim.dynamics.WireKOut", "init.wire.protocol links", "init.wire.k 2", "init.wire.undir", "init.wire.pack",
			"include.init wire start", "protocol.flood.linkable links")
	}
	lines = append(lines, "protocol.flood flood.Flood", fmt.Sprintf("protocol.flood.fanout %d", f.fanout),
		fmt.Sprintf("protocol.flood.latency %d", latencyTicks), fmt.Sprintf("protocol.flood.jitter %d", jitterTicks),
		"init.start flood.Start", "init.start.protocol flood",
		"control.tally flood.Tally", fmt.Sprintf("control.tally.at %d", untilTicks), "control.tally.FINAL")
	return strings.Join(lines, "\n") + "\n"
}
