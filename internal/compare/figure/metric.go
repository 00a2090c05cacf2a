package figure

import (
	"fmt"
	"math"
	"strings"
)

// What a metric's Value stands for when it is not simply measured.
const (
	Exactly      = ""
	MoreThan     = ">" // the cap came first
	Extrapolated = "~"
)

// What is better of a metric. Metrics that are neither have no ratio.
const (
	Lower  = -1
	Higher = 1
)

// Metric is one figure of a case.
type Metric struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Value  float64 `json:"value"`
	Bound  string  `json:"bound,omitempty"`
	Better int     `json:"better,omitempty"`
}

// AtLeast is the bound of what a cap cut off.
func AtLeast(capped bool) string {
	if capped {
		return MoreThan
	}
	return Exactly
}

// String formats a value with three or more significant digits.
func (m Metric) String() string {
	digits := 0
	if v := math.Abs(m.Value); v < 100 && v != math.Trunc(v) {
		digits = 2 - max(0, int(math.Floor(math.Log10(v))))
	}
	return m.Bound + thousands(fmt.Sprintf("%.*f", digits, m.Value))
}

func thousands(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		return whole + "." + rest
	}
	return whole
}

// Ratio says how many times better a is than b.
func Ratio(a, b Metric) string {
	v := a.Value / b.Value
	if a.Better == Lower {
		v = b.Value / a.Value
	}
	if a.Better == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return b.Bound + Metric{Value: v}.String() + "×"
}
