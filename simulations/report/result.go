package report

import (
	"math"
	"time"
)

// Result is what a run of a scenario showed.
type Result struct {
	Name     string // of the scenario
	World    string // what kind it is
	About    string // what is simulated, in a sentence or two
	Version  string // of the program
	Seed     uint64
	Peers    int
	Until    time.Duration // virtual
	Scenario string        // the whole scenario as TOML, defaults filled in: it replays
	Model    string        // what is the product here, where p2p/gossip does not run; "": it does
	Hash     string        // of all that happened, in hexadecimal
	Settings []Setting     // what is particular to this run of a sweep, by key

	// Against is what the facts' Theory is, if that is no theory: "model".
	Against string `json:",omitempty"`
	// Command makes the report again, where its scenario does not.
	Command string `json:",omitempty"`

	Facts  []Fact
	Charts []Chart
	Steps  []Steps
	Runs   []Run  `json:",omitempty"` // those of a sweep, or that are compared
	Sample *Table // of single peers, messages or moments; nil: none
	Cost   Cost
}

// Run is one of several that a report is about.
type Run struct {
	Settings []Setting // what is particular to it, the same keys in all
	Facts    []Fact
	Hash     string
}

// Setting is a parameter of a sweep and its value.
type Setting struct {
	Key    string
	Value  string
	Number *float64 // nil: it is no number
	Unit   string   `json:",omitempty"` // of Number; durations are in seconds
}

// Fact is a number that the run showed.
type Fact struct {
	Name  string // unique in a Result: words, "delivery ratio"
	Value float64
	Unit  string // "", "%", "ms", "B", "1/s", …
	// Theory is what a formula says it should be, and Source which; nil: none does.
	Theory *float64
	Source string
}

// Chart is a picture: curves over common axes.
type Chart struct {
	Name   string // of its CSV file: small letters, digits and hyphens; others become hyphens
	Title  string
	X, Y   Axis
	Curves []Curve
	Note   string // what to see, or what the theory is
}

// Axis is one of a chart.
type Axis struct {
	Label string
	Unit  string
	Log   bool
}

// Curve is a line, or points.
type Curve struct {
	Name   string
	X, Y   []float64 // of equal length
	Theory bool      // drawn dashed: a formula, not a measurement
	Points bool      // not joined by a line
}

// Steps says how many events a package's own code handled, so that a reader knows what
// was the product and what a model.
type Steps struct {
	Package string // "p2p/gossip", "beacon", "simulations/mesh"
	What    string // the function, and what for
	Events  uint64
	Model   bool
}

// Table is rows of numbers for further analysis, kept as Parquet.
type Table struct {
	Name    string
	Columns []string // names with units: "latency_ms"
	Rows    [][]float64
}

// Cost is what the run took. It differs from run to run.
type Cost struct {
	Wall, CPU    time.Duration
	Events       uint64
	Workers      int
	BytesPerPeer float64 // of the heap, at its greatest; of a sweep, in the run of the most peers
}

// Rate is the events per processor second, NaN where nothing ran.
func (c Cost) Rate() float64 {
	if c.CPU <= 0 {
		return math.NaN()
	}
	return float64(c.Events) / c.CPU.Seconds()
}
