package calib

import (
	"math"
	"testing"
	"time"
)

// small is the case that every run of the tests has.
var small = Case{
	Peers: 24, Dials: 12, Writers: 24, Messages: 24, Size: 400, Apart: 170 * time.Millisecond,
	Latency: 20 * time.Millisecond, Tail: 5 * time.Millisecond, Seed: 1,
}

// What the model may be off by in the small case, where chance weighs: one mesh of
// 24 real hosts against the mean of many of the model.
const (
	deliveryOff = 0.001
	copiesOff   = 0.20 // of the real number, and so on
	hopsOff     = 0.20
	latencyOff  = 0.30
	toldOff     = 0.10
)

// TestModel: the model does what gossipsub does on real hosts.
func TestModel(t *testing.T) {
	a := real(t, small)
	b, err := models(t.Context(), small)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(table(small, &a, &b))
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
		{"ids told", a.PerMessage(small, a.Told), b.PerMessage(small, b.Told), toldOff},
	} {
		if off := x.not/x.real - 1; !(math.Abs(off) <= x.mayBeOffBy) {
			t.Errorf("%s: %v on real hosts, %v on the model, %+.0f %%", x.name, x.real, x.not, 100*off)
		}
	}
}
