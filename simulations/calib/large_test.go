package calib

import (
	"os"
	"strings"
	"testing"
	"time"

	"lightcone/simulations/report"
)

// large are the cases of docs/simulations/calibration.md.
func large() (all []Case) {
	base := small
	base.Writers, base.Messages = 20, 60
	for _, peers := range []int{100, 500} {
		c := base
		c.Peers = peers
		c.Dials = 20
		if peers > 100 {
			c.Dials = 6 // more handshakes than that take minutes
		}
		all = append(all, c)
		c.Loss = 0.01
		all = append(all, c)
		if peers == 100 {
			c.Loss = 0.1
			all = append(all, c)
			c.Loss, c.Size = 0, 2000
			all = append(all, c)
			c.Size, c.Whole = 400, true
			all = append(all, c)
		}
	}
	return all
}

// TestCalibration compares more hosts, and writes the report to where CALIBRATE says. With
// CALIBRATE_CASE it takes those cases alone whose words have that in them.
func TestCalibration(t *testing.T) {
	dir := os.Getenv("CALIBRATE")
	if dir == "" {
		t.Skip("hundreds of hosts take minutes; CALIBRATE=DIR runs them")
	}
	began := time.Now()
	r := newReport(small.Seed)
	only := os.Getenv("CALIBRATE_CASE")
	for _, c := range large() {
		if !strings.Contains(c.String(), only) {
			continue
		}
		now := time.Now()
		run := real
		if c.Whole {
			run = whole
		}
		a := run(t, c)
		took := time.Since(now)
		b, err := models(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("real hosts took %v, the model %v%s", took, time.Since(now)-took, table(c, &a, &b))
		add(r, c, &a, &b)
		r.Cost.Wall = time.Since(began)
		if err := report.Write(dir, r); err != nil {
			t.Fatal(err)
		}
	}
}
