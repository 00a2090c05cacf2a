package calib

import (
	"fmt"
	"strings"

	"lightcone/simulations/report"
)

// number is something that both sides measured.
type number struct {
	name, unit string
	of         func(o *Outcome, c Case) float64
}

// numbers are what is compared.
var numbers = []number{
	{"delivery ratio", "", (*Outcome).Delivery},
	{"latency p50", "ms", quantile(0.5)},
	{"latency p90", "ms", quantile(0.9)},
	{"latency p99", "ms", quantile(0.99)},
	{"links a first copy came by", "", func(o *Outcome, _ Case) float64 { return o.MeanHops() }},
	{"copies of a message at a peer", "", func(o *Outcome, _ Case) float64 { return o.Copies() }},
	{"links of a peer", "", func(o *Outcome, _ Case) float64 { return o.MeanDegree() }},
	{"ids told (IHAVE) a message and peer", "", func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Told) / float64(c.Peers) }},
	{"ids asked for (IWANT) a message and peer", "", func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Asked) / float64(c.Peers) }},
	{"ids refused (IDONTWANT) a message and peer", "", func(o *Outcome, c Case) float64 { return o.PerMessage(c, o.Unwanted) / float64(c.Peers) }},
}

func quantile(q float64) func(*Outcome, Case) float64 {
	return func(o *Outcome, _ Case) float64 { return o.Quantile(q).Seconds() * 1e3 }
}

// String says what a case is in a few words.
func (c Case) String() string {
	return fmt.Sprintf("%d hosts, %v %% loss, %d B", c.Peers, 100*c.Loss, c.Size)
}

// table puts both sides next to each other.
func table(c Case, real, model *Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %v | real | model | off by |\n|---|---|---|---|\n", c)
	for _, n := range numbers {
		r, m := n.of(real, c), n.of(model, c)
		off := "–"
		if r != 0 {
			off = fmt.Sprintf("%+.1f %%", 100*(m/r-1))
		}
		fmt.Fprintf(&b, "| %s | %s %s | %s %s | %s |\n", n.name, report.Short(r), n.unit, report.Short(m), n.unit, off)
	}
	return b.String()
}

// add puts a case into a report.
func add(r *report.Result, c Case, real, model *Outcome) {
	for _, n := range numbers {
		m := n.of(model, c)
		r.Facts = append(r.Facts, report.Fact{
			Name: n.name + ": " + c.String(), Value: n.of(real, c), Unit: n.unit,
			Theory: &m, Source: fmt.Sprintf("the model, %d meshes", model.Runs),
		})
	}
	chart := report.Chart{
		Name: fmt.Sprintf("latency-%d-%d", len(r.Charts), c.Peers), Title: "Who has it: " + c.String(),
		X: report.Axis{Label: "since publication", Unit: "ms"}, Y: report.Axis{Label: "share of the first copies"},
	}
	for _, k := range []struct {
		name string
		o    *Outcome
	}{{"real hosts", real}, {"model", model}} {
		curve := report.Curve{Name: k.name, Theory: k.o == model}
		for i := range quantiles + 1 {
			q := float64(i) / quantiles
			curve.X, curve.Y = append(curve.X, k.o.Quantile(q).Seconds()*1e3), append(curve.Y, q)
		}
		chart.Curves = append(chart.Curves, curve)
	}
	r.Charts = append(r.Charts, chart)
	r.Until = max(r.Until, settle+c.at(c.Messages)+drain)
	r.Peers = max(r.Peers, c.Peers)
	r.Cost.Events += uint64(real.Delivered + real.Duplicates)
}

// quantiles are the points of a curve.
const quantiles = 100

// newReport begins a report.
func newReport() *report.Result {
	return &report.Result{
		Name: "calibration", World: "calibration", Seed: 1,
		About: "The same messages on real go-libp2p hosts with go-libp2p-pubsub, in virtual time, and on the model of simulations/mesh.",
	}
}
