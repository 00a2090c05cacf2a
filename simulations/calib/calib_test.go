package calib

import (
	"math"
	"testing"
	"time"
)

// small is the case that every run of the tests has.
var small = Case{
	Peers: 24, Dials: 6, Writers: 2, Messages: 20, Size: 400, Apart: 170 * time.Millisecond,
	Latency: 20 * time.Millisecond, Tail: 5 * time.Millisecond, Seed: 1,
}

func show(t *testing.T, name string, c Case, o *Outcome) {
	t.Helper()
	t.Logf("%-5s delivery %.4f copies %.2f hops %.2f degree %.2f %v p50 %v p90 %v p99 %v told %d asked %d unwanted %d", name, o.Delivery(c), o.Copies(), o.MeanHops(),
		o.MeanDegree(), o.Degrees, o.Quantile(0.5), o.Quantile(0.9), o.Quantile(0.99), o.Told, o.Asked, o.Unwanted)
}

// What the model may be off by in the small case, where chance weighs: 24 peers and 20
// messages.
const (
	deliveryOff = 0.005
	copiesOff   = 0.20 // of the real number, and so on
	hopsOff     = 0.20
	latencyOff  = 0.25
	toldOff     = 0.10
)

// TestModel: the model does what gossipsub does on real hosts.
func TestModel(t *testing.T) {
	a := real(t, small)
	b, err := model(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}
	show(t, "real", small, &a)
	show(t, "model", small, &b)
	if d := b.Delivery(small) - a.Delivery(small); math.Abs(d) > deliveryOff {
		t.Errorf("delivery is off by %v", d)
	}
	for _, x := range []struct {
		name       string
		real, not  float64
		mayBeOffBy float64
	}{
		{"copies", a.Copies(), b.Copies(), copiesOff},
		{"hops", a.MeanHops(), b.MeanHops(), hopsOff},
		{"median latency", a.Quantile(0.5).Seconds(), b.Quantile(0.5).Seconds(), latencyOff},
		{"p99 of latency", a.Quantile(0.99).Seconds(), b.Quantile(0.99).Seconds(), latencyOff},
		{"ids told", float64(a.Told), float64(b.Told), toldOff},
	} {
		if off := x.not/x.real - 1; !(math.Abs(off) <= x.mayBeOffBy) {
			t.Errorf("%s: %v on real hosts, %v on the model, %+.0f %%", x.name, x.real, x.not, 100*off)
		}
	}
}
