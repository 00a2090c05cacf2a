package main

import (
	"fmt"
	"io"

	"lightcone/internal/compare/figure"
)

// printTable prints a line for each side. Ratios are how many times as many copies a
// processor second delivers as on the last side, PeerSim, if it takes part.
func printTable(w io.Writer, f flood, peers int, lines []line) {
	fmt.Fprintf(w, "\n%s, %s peers: %s; %.4f of them get it in theory\n", f.name, figure.Metric{Value: float64(peers)}, f.title, f.theory())
	out := [][]string{{
		"", "delivered", "links", "p50 ms", "p99 ms", "copies a peer", "events",
		"events/CPU-s", "copies/CPU-s", "ratio", "again", "ratio", "wall s", "RSS MB", "B a peer", "ratio",
	}}
	last := lines[len(lines)-1]
	for _, l := range lines {
		ratio := func(mine, theirs float64) string {
			if last.Side != peerSim || l.Side == peerSim || mine == 0 || theirs == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", mine/theirs)
		}
		number := func(v float64) string { return figure.Metric{Value: v}.String() }
		again := "none"
		if l.Again > 0 {
			again = rate(l.warm())
		}
		out = append(out, []string{
			l.Side, fmt.Sprintf("%.4f", l.Delivered), number(l.Hops), number(l.P50), number(l.P99), number(l.Copies / float64(peers)), number(l.Events),
			rate(l.Events / l.CPU), rate(l.Copies / l.CPU), ratio(l.Copies/l.CPU, last.Copies/last.CPU), again, ratio(l.warm(), last.warm()),
			number(l.Wall), number(l.RSS / 1e6), number(l.RSS / float64(peers)), ratio(last.RSS, l.RSS),
		})
	}
	figure.Align(w, out)
}

// warm is the copies that a processor second of a warm program delivers; 0: unknown.
func (l line) warm() float64 {
	if l.Again == 0 {
		return 0
	}
	return l.Copies / l.Again
}

// rate is a number a second, in millions.
func rate(v float64) string { return fmt.Sprintf("%.3f M", v/1e6) }
