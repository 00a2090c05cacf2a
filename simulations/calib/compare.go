package calib

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"lightcone/simulations/report"
)

// number is something that both sides measured.
type number struct {
	name, unit string
	of         func(o *Outcome, c Case) float64
	inside     bool // only bare hosts show it
}

// numbers are what is compared.
var numbers = []number{
	{name: "delivery ratio", of: (*Outcome).Delivery},
	{name: "latency p50", unit: "ms", of: quantile(0.5)},
	{name: "latency p90", unit: "ms", of: quantile(0.9)},
	{name: "latency p99", unit: "ms", of: quantile(0.99)},
	{name: "copies of a message at a peer", of: func(o *Outcome, _ Case) float64 { return o.Copies() }},
	{name: "links a first copy came by", of: func(o *Outcome, _ Case) float64 { return o.MeanHops() }, inside: true},
	{name: "links of a peer", of: func(o *Outcome, _ Case) float64 { return o.MeanDegree() }, inside: true},
	{name: "ids told (IHAVE) a message and peer", of: func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Told) / float64(c.Peers) }, inside: true},
	{name: "ids asked for (IWANT) a message and peer", of: func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Asked) / float64(c.Peers) }, inside: true},
	{name: "ids refused (IDONTWANT) a message and peer", of: func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Unwanted) / float64(c.Peers) }, inside: true},
}

func quantile(q float64) func(*Outcome, Case) float64 {
	return func(o *Outcome, _ Case) float64 { return o.Quantile(q).Seconds() * 1e3 }
}

// String says what a case is in a few words.
func (c Case) String() string {
	what := "hosts"
	if c.Whole {
		what = "whole nodes"
	}
	return fmt.Sprintf("%d %s, %v %% loss, %d B", c.Peers, what, 100*c.Loss, c.Size)
}

// table puts both sides next to each other.
func table(c Case, real, model *Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %v | real | model | off by |\n|---|---|---|---|\n", c)
	for _, n := range compared(c) {
		r, m := n.of(real, c), n.of(model, c)
		off := "–"
		if r != 0 {
			off = fmt.Sprintf("%+.1f %%", 100*(m/r-1))
		}
		with := func(v float64) string { return strings.TrimSpace(report.Short(v) + " " + n.unit) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", n.name, with(r), with(m), off)
	}
	fmt.Fprintf(&b, "\nResult hash of the model: `%s`\n", model.Hash)
	return b.String()
}

// compared are the numbers of a case.
func compared(c Case) (out []number) {
	for _, n := range numbers {
		if !c.Whole || !n.inside {
			out = append(out, n)
		}
	}
	return out
}

// add puts a case into a report.
func add(r *report.Result, c Case, real, model *Outcome) {
	for _, n := range compared(c) {
		m := n.of(model, c)
		r.Facts = append(r.Facts, report.Fact{
			Name: n.name + ": " + c.String(), Value: n.of(real, c), Unit: n.unit,
			Theory: &m, Source: fmt.Sprintf("%d meshes, result hash %.8s…", model.Runs, model.Hash),
		})
	}
	chart := report.Chart{
		Name: fmt.Sprintf("latency-%d-%d", len(r.Charts), c.Peers), Title: "Who has it: " + c.String(),
		X: report.Axis{Label: "since publication", Unit: "ms"}, Y: report.Axis{Label: "share of the first copies"},
	}
	for _, k := range []struct {
		name string
		o    *Outcome
	}{{"real", real}, {"model", model}} {
		curve := report.Curve{Name: k.name, Theory: k.o == model}
		for i := range quantiles + 1 {
			q := float64(i) / quantiles
			curve.X, curve.Y = append(curve.X, k.o.Quantile(q).Seconds()*1e3), append(curve.Y, q)
		}
		chart.Curves = append(chart.Curves, curve)
	}
	r.Charts = append(r.Charts, chart)
	sum := sha256.Sum256([]byte(r.Hash + model.Hash))
	r.Hash = hex.EncodeToString(sum[:]) // of the model: real hosts are not the same twice
	r.Until = max(r.Until, settle+c.at(c.Messages)+drain)
	r.Peers = max(r.Peers, c.Peers)
	r.Cost.Events += uint64(real.Delivered + real.Duplicates)
}

// quantiles are the points of a curve.
const quantiles = 100

// newReport begins a report.
func newReport(seed uint64) *report.Result {
	return &report.Result{
		Name: "calibration", World: "calibration", Seed: seed, Version: "of the test", Against: "model",
		About: "The same messages on real go-libp2p hosts with go-libp2p-pubsub, in virtual time, and on the model of simulations/mesh.",
	}
}
