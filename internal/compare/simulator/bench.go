package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"lightcone/internal/compare/figure"
)

// bench runs floods on sides and keeps what they cost.
type bench struct {
	options
	java  *javaSide // nil: PeerSim does not take part
	jvm   string
	lines []line
}

// line is what a flood cost a side: medians of the rounds.
type line struct {
	Flood string `json:"flood"`
	Peers int    `json:"peers"`
	Side  string `json:"side"`

	Delivered float64 `json:"delivered"` // share of the peers that got the message
	Theory    float64 `json:"theory"`
	Hops      float64 `json:"hops"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Copies    float64 `json:"copies"`
	Events    float64 `json:"events"`

	// Of a process that runs the flood once, its start and end included.
	Wall float64 `json:"wall_s"`
	CPU  float64 `json:"cpu_s"`
	RSS  float64 `json:"rss_bytes"`
	// Again is the processor seconds of a run after others in the same process: of a
	// warm program. 0: it was not run again.
	Again float64 `json:"again_cpu_s,omitempty"`
}

// all runs everything and prints a table for each flood and number of peers.
func (b *bench) all(ctx context.Context, w io.Writer) error {
	for _, f := range floods {
		if !figure.Selected(f.name, b.floods) {
			continue
		}
		for _, peers := range b.peers {
			lines, err := b.turns(ctx, f, peers)
			if err != nil {
				return err
			}
			printTables(w, f, peers, lines)
			b.lines = append(b.lines, lines...)
		}
	}
	if b.largest == 0 {
		return nil
	}
	return b.large(ctx, w)
}

// taking lists the sides that take part in a flood.
func (b *bench) taking(f flood) (out []side) {
	for _, sd := range sides {
		if figure.Selected(sd.name, b.sides) && (sd.run != nil || b.java != nil) && (f.fanout > 0 || !sd.pushOnly) {
			out = append(out, sd)
		}
	}
	return out
}

// turns has the sides take turns, and returns a line for each.
func (b *bench) turns(ctx context.Context, f flood, peers int) ([]line, error) {
	taking := b.taking(f)
	got := make([][]line, len(taking))
	for round := range b.rounds {
		for i := range taking {
			i := (i + round) % len(taking)
			fmt.Fprintf(os.Stderr, "%s, %d peers, round %d: %s …\n", f.name, peers, round+1, taking[i].name)
			l, err := b.once(ctx, taking[i], f, peers, uint64(round+1))
			if err != nil {
				return nil, err
			}
			got[i] = append(got[i], l)
		}
	}
	var out []line
	for _, lines := range got {
		out = append(out, middle(lines))
	}
	return out, alike(out)
}

// large is one try with as many peers as the flag says.
func (b *bench) large(ctx context.Context, w io.Writer) error {
	f := floods[0]
	var lines []line
	for _, sd := range b.taking(f) {
		if !sd.large {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s, %d peers: %s …\n", f.name, b.largest, sd.name)
		sd.onceOnly = true
		l, err := b.once(ctx, sd, f, b.largest, 1)
		if err != nil {
			return err
		}
		lines = append(lines, l)
	}
	printTables(w, f, b.largest, lines)
	b.lines = append(b.lines, lines...)
	return alike(lines)
}

// once runs a flood on a side: in a process for it alone, then, if the side is one for
// that, in one that runs it again and again.
func (b *bench) once(ctx context.Context, sd side, f flood, peers int, seed uint64) (line, error) {
	outs, u, err := process(ctx, sd, b.java, f, peers, seed, 1)
	if err != nil {
		return line{}, err
	}
	o := outs[0]
	if err := f.check(peers, o); err != nil {
		return line{}, fmt.Errorf("%s, flood %s, %d peers: %w", sd.name, f.name, peers, err)
	}
	if o.JVM != "" {
		b.jvm = o.JVM
	}
	l := line{
		Flood: f.name, Peers: peers, Side: sd.name, Delivered: float64(o.Firsts) / float64(peers), Theory: f.theory(), Hops: o.Hops,
		P50: o.P50 / ticksPerMs, P99: o.P99 / ticksPerMs, Copies: float64(o.Copies), Events: float64(o.Events),
		Wall: u.Wall, CPU: u.CPU, RSS: u.RSS,
	}
	if sd.onceOnly {
		return l, nil
	}
	l.Again, err = b.again(ctx, sd, f, peers, seed)
	return l, err
}

// again runs a flood several times in one process and returns the processor seconds of
// a run of a warm program.
func (b *bench) again(ctx context.Context, sd side, f flood, peers int, seed uint64) (float64, error) {
	const enough, most = 200_000, 50 // as many peers as make a program warm; runs
	runs := 2 * min(most, 1+enough/peers)
	outs, _, err := process(ctx, sd, b.java, f, peers, seed, runs)
	if err != nil {
		return 0, err
	}
	for _, o := range outs {
		if err := f.check(peers, o); err != nil {
			return 0, fmt.Errorf("%s, flood %s, %d peers, again: %w", sd.name, f.name, peers, err)
		}
	}
	return warm(outs), nil
}

// warm is the processor seconds of a run, a mean over the second half of them.
func warm(outs []outcome) float64 {
	n := len(outs) / 2
	return (outs[2*n-1].CPU - outs[n-1].CPU) / float64(n)
}

// middle is the median of each figure of some lines.
func middle(lines []line) line {
	m := lines[0]
	for _, at := range []func(*line) *float64{
		func(l *line) *float64 { return &l.Delivered },
		func(l *line) *float64 { return &l.Hops },
		func(l *line) *float64 { return &l.P50 },
		func(l *line) *float64 { return &l.P99 },
		func(l *line) *float64 { return &l.Copies },
		func(l *line) *float64 { return &l.Events },
		func(l *line) *float64 { return &l.Wall },
		func(l *line) *float64 { return &l.CPU },
		func(l *line) *float64 { return &l.RSS },
		func(l *line) *float64 { return &l.Again },
	} {
		var all []float64
		for i := range lines {
			all = append(all, *at(&lines[i]))
		}
		slices.Sort(all)
		*at(&m) = all[len(all)/2]
	}
	return m
}
