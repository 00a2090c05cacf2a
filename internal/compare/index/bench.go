package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

// plan is how much the cases do.
type plan struct {
	batches  []size // of updates
	inserts  int    // new keys in a batch
	diffs    []size // keys that differ
	merges   size   // keys changed on each side
	reads    int    // keys that are read
	proofs   int
	ordinary int // keys around the ground ones
	layer    int // keys ground against indigo's rule; more than 8,192 and it fails
	ground   int // keys ground against the first of Lightcone's rules
	deep     int // keys ground against all of them
	amid     int // keys inserted between ground ones, one at a time
}

// size is how many keys a case is about and how often a round does it.
type size struct{ keys, times int }

// leastKeys is the least size of the trees: with fewer keys there would be no room
// for the batches.
const leastKeys = 2000

var fullPlan = plan{
	batches: []size{{1, 500}, {100, 20}, {10_000, 2}}, inserts: 10_000,
	diffs: []size{{1, 200}, {100, 10}, {1000, 3}}, merges: size{1000, 3},
	reads: 20_000, proofs: 2_000, ordinary: 20_000, layer: 8_000, ground: 20_000, deep: 2_000, amid: 100,
}

// line is one metric of one case on one side: the median of its rounds.
type line struct {
	Case   string    `json:"case"`
	Side   string    `json:"side"`
	Rounds []float64 `json:"rounds"`
	figure.Metric
}

// contestant is a side with its trees.
type contestant struct {
	side
	tree
	blocks *blocks
	root   memo.ID // of the tree that all cases change, one after the other
}

// bench runs cases on all sides.
type bench struct {
	o       options
	p       plan
	data    *dataset
	sides   []*contestant
	figures []line
}

func newBench(o options, p plan, l lines) (*bench, error) {
	data, err := newDataset(l, o.keys)
	if err != nil {
		return nil, err
	}
	b := &bench{o: o, p: p, data: data}
	for _, s := range sides {
		if figure.Selected(s.name, o.sides) {
			store := newBlocks(data.blocks)
			b.sides = append(b.sides, &contestant{side: s, blocks: store, tree: s.open(store)})
		}
	}
	return b, nil
}

// workload is one case of the comparison.
type workload struct {
	name, title string
	has         func(t tree) bool
	// prepare does, before each round, what is not measured, the same for all.
	prepare func(taking []*contestant) error
	// measure is one round of one side.
	measure func(c *contestant, w watch) ([]figure.Metric, error)
	// once tells that a round is as good as many: nothing is timed.
	once bool
}

// Which sides a case is for.
func everyTree(tree) bool    { return true }
func storedTree(t tree) bool { _, ok := t.(stored); return ok }

// run runs all cases, in order, and prints each. What a tree that is not in the
// store has is dropped when the others go on without it.
func (b *bench) run(w io.Writer) error {
	if err := b.buildAll(); err != nil {
		return err
	}
	if err := b.runCases(w, b.changing()); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	b.sides = slices.DeleteFunc(slices.Clone(b.sides), func(c *contestant) bool { return !storedTree(c.tree) })
	return b.runCases(w, b.looking())
}

func (b *bench) runCases(w io.Writer, cases []*workload) error {
	for _, c := range cases {
		if !figure.Selected(c.name, b.o.cases) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", c.name)
		figures, err := b.compare(c)
		if err != nil {
			return err
		}
		b.figures = append(b.figures, figures...)
		printCase(w, c, figures, b.o.keys)
	}
	return nil
}

// changing lists the cases that change the trees, one after the other.
func (b *bench) changing() (out []*workload) {
	out = append(out, b.buildCase())
	for _, n := range b.p.batches {
		for _, clustered := range []bool{false, true} {
			out = append(out, b.batchCase(n, clustered, false))
		}
	}
	for _, clustered := range []bool{false, true} {
		out = append(out, b.batchCase(size{b.p.inserts, 1}, clustered, true))
	}
	return out
}

// looking lists the cases that leave the trees as they are.
func (b *bench) looking() (out []*workload) {
	out = append(out, b.joinCase(), b.shapeCase(), b.readCase(), b.proofCase())
	for _, n := range b.p.diffs {
		out = append(out, b.diffCase(n))
	}
	return append(append(out, b.mergeCase()), b.groundCases()...)
}

// compare runs the rounds of a case; in each the sides take turns, another first.
// The round before them warms up and does not count.
func (b *bench) compare(c *workload) (out []line, err error) {
	var taking []*contestant
	for _, s := range b.sides {
		if c.has(s.tree) {
			taking = append(taking, s)
		}
	}
	rounds := b.o.rounds
	if c.once {
		rounds = 0
	}
	for round := range rounds + 1 {
		if c.prepare != nil {
			if err := c.prepare(taking); err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
		}
		for i := range taking {
			s := taking[(i+round)%len(taking)] // nobody always comes after the same one
			w := watch{}
			if b.o.profs != "" && round == 1 {
				w.profile = filepath.Join(b.o.profs, fileName(c.name, s.name)+".pprof")
			}
			metrics, err := c.measure(s, w)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.name, s.name, err)
			}
			if round > 0 || c.once {
				out = c.note(out, s, metrics)
			}
		}
	}
	for i, f := range out {
		out[i].Value = median(f.Rounds)
	}
	return out, nil
}

// median returns the value in the middle; of an even number the mean of two.
func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// fileName makes a name without spaces of words.
func fileName(words ...string) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(strings.Join(words, "-"))
}

// note adds what a round measured.
func (c *workload) note(out []line, s *contestant, metrics []figure.Metric) []line {
	for _, m := range metrics {
		i := slices.IndexFunc(out, func(f line) bool { return f.Side == s.name && f.Name == m.Name })
		if i < 0 {
			i = len(out)
			out = append(out, line{Case: c.name, Side: s.name, Metric: m})
		}
		out[i].Rounds = append(out[i].Rounds, m.Value)
	}
	return out
}

// check compares what every side holds with what it was given.
func (b *bench) check() error {
	want := b.data.entries()
	for _, c := range b.sides {
		if err := c.holds(want); err != nil {
			return fmt.Errorf("%s, after the batches: %w", c.name, err)
		}
	}
	return nil
}

// holds returns errUnequal unless the side's tree has just these entries.
func (c *contestant) holds(want []entry) error {
	i := 0
	err := c.scan(c.root, func(e entry) error {
		if i == len(want) || e.key != want[i].key || e.row != want[i].row {
			return fmt.Errorf("%w: entry %d is %q, row %s", errUnequal, i, e.key, e.row)
		}
		i++
		return nil
	})
	if err == nil && i != len(want) {
		err = fmt.Errorf("%w: %d of %d entries", errUnequal, i, len(want))
	}
	return err
}
