package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"lightcone/internal/compare/figure"
)

// bareSize is the bytes of the bare calls that are printed.
const bareSize = 128

// options are the flags of the command wal.
type options struct {
	seconds, segment              float64
	rounds, records               int
	cases, sides, json, dir, prof string
}

// plan is how much the cases of the command wal do.
type plan struct {
	sizes, writers []int // of the appends
	seconds        float64
	rounds         int
	segment        int64 // bytes; 0: what each side takes by itself
	reads          int   // records that are read
	opens          []int // records in the logs that are opened
	tails          []int // readers that follow
	tailRate       int   // records per second that they follow
}

var fullPlan = plan{
	sizes: []int{128, 1 << 10, 4 << 10}, writers: []int{1, 16, 64, 256},
	reads: 100_000, opens: []int{100_000, 1_000_000}, tails: []int{1, 100, 1000}, tailRate: 1000,
}

// report is what --json writes.
type report struct {
	Go       string            `json:"go"`
	Against  map[string]string `json:"against"`
	CPUs     int               `json:"cpus"`
	Load     string            `json:"load"`
	Segment  int64             `json:"segment_bytes"`
	Seconds  float64           `json:"seconds"`
	Rounds   int               `json:"rounds"`
	Bare     figure.BareCost   `json:"bare"`
	Finished time.Time         `json:"finished"`
	Figures  []line            `json:"figures"`
}

// line is one metric of one case on one side: the median of its rounds.
type line struct {
	Group  string    `json:"group"`
	Cell   string    `json:"cell"`
	Side   string    `json:"side"`
	Rounds []float64 `json:"rounds"`
	figure.Metric
}

func main() {
	err := run(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "compare wal:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	f := flag.NewFlagSet("wal", flag.ContinueOnError)
	f.Float64Var(&o.seconds, "seconds", 0.5, "how long lightcone takes for a cell of the appends; others at most three times that")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in each of which all sides take turns; figures are medians")
	f.Float64Var(&o.segment, "segment", 64, "MiB of a segment on all sides; 0: each side's own default")
	f.IntVar(&o.records, "records", fullPlan.reads, "records that are read")
	f.StringVar(&o.cases, "cases", "", "only cases that start with one of these, with commas: append-none,append-synced 4096 B,reads,tails,open")
	f.StringVar(&o.sides, "sides", "", "only sides whose names start with one of these, with commas")
	f.StringVar(&o.json, "json", "", "write the results to this file, too")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where the logs are, in temporary folders")
	f.StringVar(&o.prof, "profiles", "", "write CPU profiles of the first round of each case and side into this folder")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.seconds <= 0 || o.rounds < 1 || o.records < 1 || o.segment < 0 || f.NArg() > 0 {
		return errors.New("--seconds, --rounds and --records must be more than 0, --segment not less, and nothing else is taken")
	}
	if err := figure.MakeFolder(o.prof); err != nil {
		return err
	}
	p := fullPlan
	p.seconds, p.rounds, p.reads, p.segment = o.seconds, o.rounds, o.records, int64(o.segment*(1<<20))
	return compareLogs(o, p)
}

func compareLogs(o options, p plan) error {
	rep := report{
		Go: runtime.Version(), CPUs: runtime.NumCPU(), Load: figure.Load(),
		Segment: p.segment, Seconds: p.seconds, Rounds: p.rounds,
		Against: map[string]string{
			"etcd":     figure.Version("go.etcd.io/etcd/server/v3"),
			"raft-wal": figure.Version("github.com/hashicorp/raft-wal"),
			"pebble":   figure.Version("github.com/cockroachdb/pebble/v2"),
		},
	}
	var err error
	if rep.Bare, err = figure.MeasureBare(o.dir, bareSize); err != nil {
		return err
	}
	fmt.Printf("etcd wal %s, raft-wal %s, pebble record %s, %s, %d CPUs, load before %s\n", rep.Against["etcd"],
		rep.Against["raft-wal"], rep.Against["pebble"], rep.Go, rep.CPUs, rep.Load)
	fmt.Printf("bare: write(2) of %d bytes %.1f µs, fdatasync(2) %.0f µs after one that grows the file\n",
		bareSize, rep.Bare.Write, rep.Bare.Datasync)
	var group []line
	all := cases(p)
	for i, c := range all {
		if figure.Selected(c.group+" "+c.cell, o.cases) {
			figures, err := c.compare(p, o)
			if err != nil {
				return err
			}
			rep.Figures, group = append(rep.Figures, figures...), append(group, figures...)
		}
		if i+1 == len(all) || all[i+1].group != c.group {
			printGroup(os.Stdout, group)
			group = nil
		}
	}
	rep.Finished = time.Now().UTC().Truncate(time.Second)
	return figure.WriteReport(o.json, rep)
}

// cases lists all cases of a plan, those of a group together.
func cases(p plan) (out []*workload) {
	for _, synced := range []bool{false, true} {
		for _, size := range p.sizes {
			for _, writers := range p.writers {
				out = append(out, appendCase(p, synced, size, writers))
			}
		}
	}
	out = append(out, readCase(p))
	for _, readers := range p.tails {
		out = append(out, tailCase(p, readers))
	}
	for _, n := range p.opens {
		out = append(out, openCase(p, n))
	}
	return out
}

// workload is one line of the comparison.
type workload struct {
	group, cell string
	// has reports whether a side takes part.
	has func(s side) bool
	// prepare does, once for each side, what is not measured. dir is the side's
	// own and lasts as long as the case.
	prepare func(s side, dir string) error
	// measure is one round of one side.
	measure func(s side, dir string, w watch) ([]figure.Metric, error)
}

// compare runs the rounds of a case; in each the sides take turns, another first.
func (c *workload) compare(p plan, o options) ([]line, error) {
	root, err := os.MkdirTemp(o.dir, "compare-wal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	var taking []side
	for _, s := range sides {
		if figure.Selected(s.name, o.sides) && c.has(s) {
			taking = append(taking, s)
		}
	}
	fmt.Fprintf(os.Stderr, "%s %s …\n", c.group, c.cell)
	for _, s := range taking {
		dir := filepath.Join(root, s.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		if err := c.prepare(s, dir); err != nil {
			return nil, fmt.Errorf("%s %s, %s: %w", c.group, c.cell, s.name, err)
		}
	}
	var out []line
	for round := range p.rounds {
		for i := range taking {
			s := taking[(i+round)%len(taking)] // nobody always comes after the same one
			w := watch{}
			if o.prof != "" && round == 0 {
				w.profile = filepath.Join(o.prof, fileName(c.group, c.cell, s.name))
			}
			metrics, err := c.measure(s, filepath.Join(root, s.name), w)
			if err != nil {
				return nil, fmt.Errorf("%s %s, %s: %w", c.group, c.cell, s.name, err)
			}
			out = c.note(out, s, metrics)
		}
	}
	for i, f := range out {
		sorted := slices.Sorted(slices.Values(f.Rounds))
		out[i].Value = sorted[len(sorted)/2]
	}
	return out, nil
}

// fileName makes a name without spaces of words.
func fileName(words ...string) string {
	return strings.NewReplacer(" ", "-", "/", "-per-").Replace(strings.Join(words, "-"))
}

// note adds what a round measured.
func (c *workload) note(out []line, s side, metrics []figure.Metric) []line {
	for _, m := range metrics {
		i := slices.IndexFunc(out, func(f line) bool { return f.Side == s.name && f.Name == m.Name })
		if i < 0 {
			i = len(out)
			out = append(out, line{Group: c.group, Cell: c.cell, Side: s.name, Metric: m})
		}
		out[i].Rounds = append(out[i].Rounds, m.Value)
	}
	return out
}
