package main

import (
	"fmt"
	"io"

	"lightcone/internal/compare/figure"
)

// printTables prints what a flood showed, and what it cost, a line for each side.
func printTables(w io.Writer, f flood, peers int, lines []line) {
	fmt.Fprintf(w, "\n%s, %s peers: %s\n", f.name, number(float64(peers)), f.title)
	showed := [][]string{{"showed", "delivered", "in theory", "links", "p50 ms", "p99 ms", "copies a peer", "events"}}
	cost := [][]string{{
		"cost", "events/CPU-s", "copies/CPU-s", "÷ peersim", "warm copies/CPU-s", "÷ peersim",
		"CPU s", "wall s", "RSS MB", "RSS B a peer", "peersim's ÷",
	}}
	other := peerSimOf(lines)
	for _, l := range lines {
		showed = append(showed, []string{
			l.Side, fmt.Sprintf("%.4f", l.Delivered), fmt.Sprintf("%.4f", l.Theory), number(l.Hops), number(l.P50), number(l.P99),
			number(l.Copies / float64(peers)), number(l.Events),
		})
		cost = append(cost, []string{
			l.Side, rate(l.Events / l.CPU), rate(l.rate()), ratio(l.rate(), other.rate()), rate(l.warm()), ratio(l.warm(), other.warm()),
			number(l.CPU), number(l.Wall), number(l.RSS / 1e6), number(l.RSS / float64(peers)), ratio(other.RSS, l.RSS),
		})
	}
	figure.Align(w, showed)
	figure.Align(w, cost)
}

// peerSimOf finds the line of PeerSim; without it ratios are none.
func peerSimOf(lines []line) line {
	for _, l := range lines {
		if l.Side == peerSim {
			return l
		}
	}
	return line{}
}

// rate is the copies that a processor second of a whole process delivers, its start and
// end included, warm of a program that ran before; 0: not known.
func (l line) rate() float64 { return perSecond(l.Copies, l.CPU) }
func (l line) warm() float64 { return perSecond(l.Copies, l.Again) }

func perSecond(n, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return n / seconds
}

func number(v float64) string { return figure.Metric{Value: v}.String() }

// rate is a number a second, in millions.
func rate(v float64) string {
	if v == 0 {
		return "none"
	}
	return fmt.Sprintf("%.3f M", v/1e6)
}

// ratio is a ÷ b, where both are known.
func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}
