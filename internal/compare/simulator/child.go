package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"lightcone/internal/compare/figure"
	"lightcone/simulations"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// outcome is what one run showed: a line of JSON that a child prints. PeerSim's side
// prints the same (java/flood/Tally.java).
type outcome struct {
	Events uint64  `json:"events"` // all that the simulator handled
	Copies uint64  `json:"copies"` // messages that arrived
	Firsts uint64  `json:"firsts"` // peers that got the message, its writer included
	Hops   float64 `json:"hops"`   // mean links of a first copy
	P50    float64 `json:"p50"`    // ticks until half of those that get it have it
	P99    float64 `json:"p99"`
	CPU    float64 `json:"cpu"` // seconds of the process until the run's end, its start included
	JVM    string  `json:"jvm,omitempty"`
}

// child runs a side of this program in this process: its name, a flood's, and how many
// peers, the seed and how many runs.
func child(ctx context.Context, w io.Writer, args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("a child takes side, flood, peers, seed and runs, not %q", args)
	}
	f, err := floodNamed(args[1])
	if err != nil {
		return err
	}
	var n [3]int
	for i, text := range args[2:] {
		if n[i], err = strconv.Atoi(text); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(sides, func(s side) bool { return s.name == args[0] && s.run != nil })
	if i < 0 {
		return fmt.Errorf("no side %q runs in this program", args[0])
	}
	for run := range n[2] {
		out, err := sides[i].run(ctx, f, n[0], uint64(n[1]+run))
		if err != nil {
			return err
		}
		out.CPU = figure.CPUTime().Seconds()
		if err := json.NewEncoder(w).Encode(out); err != nil {
			return err
		}
	}
	return nil
}

// runLightcone returns the run of the side lightcone with so many workers: what
// `lightcone sim run` does, but for writing the report.
func runLightcone(workers int) func(context.Context, flood, int, uint64) (outcome, error) {
	return func(ctx context.Context, f flood, peers int, seed uint64) (outcome, error) {
		s, err := scenario.Parse([]byte(f.scenario(peers, seed)))
		if err != nil {
			return outcome{}, err
		}
		r, err := simulations.Run(ctx, s, "", worlds.Options{Workers: workers})
		if err != nil {
			return outcome{}, err
		}
		return told(r)
	}
}

// told reads an outcome out of a result.
func told(r *report.Result) (out outcome, err error) {
	facts := map[string]float64{}
	for _, f := range r.Facts {
		facts[f.Name] = f.Value
	}
	for _, name := range []string{"delivery ratio", "copies of a message", "latency p50", "latency p99"} {
		if _, ok := facts[name]; !ok {
			return out, fmt.Errorf("the world flood no longer tells its %s", name)
		}
	}
	got := facts["delivery ratio"] * float64(r.Peers)
	out.Events, out.Firsts = r.Cost.Events, uint64(got+0.5)
	out.Copies = uint64(facts["copies of a message"]*got + 0.5)
	out.P50, out.P99 = facts["latency p50"]*ticksPerMs, facts["latency p99"]*ticksPerMs
	for _, c := range r.Charts {
		if c.Name == "hops" {
			for i, x := range c.Curves[0].X {
				out.Hops += x * c.Curves[0].Y[i]
			}
		}
	}
	return out, nil
}
