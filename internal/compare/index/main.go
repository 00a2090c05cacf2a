package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"lightcone/internal/compare/figure"
)

// options are the flags of the command index.
type options struct {
	keys, rounds                         int
	data, key, cases, sides, json, profs string
}

// report is what --json writes.
type report struct {
	Go       string    `json:"go"`
	Against  string    `json:"against"`
	CPUs     int       `json:"cpus"`
	Load     [2]string `json:"load"` // before and after
	Keys     int       `json:"keys"`
	Rows     string    `json:"rows"`
	RowBytes float64   `json:"row_bytes"`
	Rounds   int       `json:"rounds"`
	Finished time.Time `json:"finished"`
	Figures  []line    `json:"figures"`
}

func main() {
	err := run(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "compare index:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var o options
	f := flag.NewFlagSet("index", flag.ContinueOnError)
	f.IntVar(&o.keys, "keys", 100_000, "keys of the trees; the aims are for 1000000")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in each of which all sides take turns, after one that does not count; figures are medians")
	f.StringVar(&o.data, "data", "", "a CSV file whose lines are the rows; without it, made ones of measured sizes")
	f.StringVar(&o.key, "key", "iata", "the column of --data that keys begin with")
	f.StringVar(&o.cases, "cases", "", "only cases that start with one of these, with commas: build,update 10000,insert,shape,reads,proofs,diff,merge,ground")
	f.StringVar(&o.sides, "sides", "", "only sides whose names start with one of these, with commas")
	f.StringVar(&o.json, "json", "", "write the results to this file, too")
	f.StringVar(&o.profs, "profiles", "", "write CPU profiles of the first round of each case and side into this folder")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.keys < leastKeys || o.rounds < 1 || f.NArg() > 0 {
		return fmt.Errorf("--keys must be %d or more, --rounds 1 or more, and nothing else is taken", leastKeys)
	}
	if err := figure.MakeFolder(o.profs); err != nil {
		return err
	}
	return compareIndexes(o, fullPlan)
}

func compareIndexes(o options, p plan) error {
	l, err := makeLines(), error(nil)
	if o.data != "" {
		l, err = readLines(o.data, o.key)
	}
	if err != nil {
		return err
	}
	rep := report{
		Go: runtime.Version(), Against: "indigo " + figure.Version("github.com/bluesky-social/indigo"),
		CPUs: runtime.NumCPU(), Load: [2]string{figure.Load()}, Keys: o.keys, Rows: l.about, Rounds: o.rounds,
	}
	b, err := newBench(o, p, l)
	if err != nil {
		return err
	}
	all := b.data.entries()
	rep.RowBytes = float64(b.data.size(all)) / float64(len(all))
	fmt.Printf("%s, %s, %d CPUs, load before %s\n", rep.Against, rep.Go, rep.CPUs, rep.Load[0])
	fmt.Printf("%d keys of %d bytes, such as %s; rows: %s, %.0f bytes a row state, a block of its own on all sides\n",
		len(all), len(all[0].key), all[0].key, rep.Rows, rep.RowBytes)
	if err := b.run(os.Stdout); err != nil {
		return err
	}
	rep.Load[1], rep.Figures = figure.Load(), b.figures
	fmt.Printf("\nload after %s\n", rep.Load[1])
	rep.Finished = time.Now().UTC().Truncate(time.Second)
	return figure.WriteReport(o.json, rep)
}
