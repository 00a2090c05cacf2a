package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	"lightcone/internal/compare/figure"
)

// Sizes that no flag changes.
const (
	batchSize   = 100
	visibleTime = 10 * time.Second
	lateKeys    = 50_000
	// lateKeysSlow is what go-ds-crdt's late peer gets: about what comes in a
	// minute. The rest is extrapolated.
	lateKeysSlow = 2_000
)

var rates = []int{5, 100, 500}

// sides in the order of the table's columns: ratios are the first to the last.
var sides = []side{
	{name: "lightcone", start: startLightcone(relaxed), late: lateKeys, lateBatch: 1},
	{name: "lightcone-durable", start: startLightcone(durable)},
	{name: "go-ds-crdt", start: startDSCRDT, late: lateKeysSlow, lateBatch: batchSize},
}

// options of the command replication.
type options struct {
	peers, writes                 int
	limit                         time.Duration
	cases, sides, json, dir, prof string
}

// report is what --json writes.
type report struct {
	Go       string          `json:"go"`
	Against  string          `json:"against"`
	CPUs     int             `json:"cpus"`
	Peers    int             `json:"peers"`
	Writes   int             `json:"writes"`
	Cap      time.Duration   `json:"cap_ns"`
	Bare     figure.BareCost `json:"bare"`
	Finished time.Time       `json:"finished"`
	Results  []result        `json:"results"`
}

func main() { figure.Main("compare", run) }

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "replication":
		return runReplication(ctx, args[1:])
	case len(args) > 0 && slices.Contains(programs, args[0]):
		return runProgram(ctx, args[0], args[1:])
	}
	return errors.New("say what to compare: go run . followed by replication, wal, index, context or simulator, and flags")
}

// programs are the other commands of this module: wal because etcd and pubsub both
// register a protobuf file rpc.proto, which no program may do twice, the others because
// they need nothing of either.
var programs = []string{"wal", "index", "context", "simulator"}

// runProgram runs one of programs.
func runProgram(ctx context.Context, name string, args []string) error {
	c := exec.CommandContext(ctx, "go", append([]string{"run", "lightcone/internal/compare/" + name}, args...)...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}

func runReplication(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("replication", flag.ContinueOnError)
	f.IntVar(&o.peers, "peers", 3, "replicas of each side, at least 2")
	f.IntVar(&o.writes, "writes", 10_000, "keys of the cases single and batch")
	f.DurationVar(&o.limit, "cap", time.Minute, "the time a case may take a side, but for the writes before a late peer")
	f.StringVar(&o.cases, "cases", "", "only cases that start with one of these, with commas: single,batch,visible,state,late")
	f.StringVar(&o.sides, "sides", "", "only sides whose names start with one of these, with commas")
	f.StringVar(&o.json, "json", "", "write the results to this file, too")
	f.StringVar(&o.dir, "dir", os.TempDir(), "where the databases are, in temporary folders")
	f.StringVar(&o.prof, "profiles", "", "write a CPU profile of each case and side into this folder")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.peers < 2 || o.writes < 1 || o.limit <= 0 || f.NArg() > 0 {
		return errors.New("--peers must be 2 or more, --writes and --cap more than 0, and nothing else is taken")
	}
	if err := figure.MakeFolder(o.prof); err != nil {
		return err
	}
	return replication(ctx, o)
}

// jobs lists the cases of o.
func jobs(o options) (out []job) {
	add := func(name, title string, peers int, on func(side) work) {
		if figure.Selected(name, o.cases) {
			out = append(out, job{name: name, title: title, peers: peers, on: on})
		}
	}
	all := func(w work) func(side) work { return func(side) work { return w } }
	add("single", fmt.Sprintf("%d keys, one at a time, %d peers", o.writes, o.peers), o.peers,
		all(bulk(o.writes, 1, o.limit)))
	add("batch", fmt.Sprintf("%d keys, %d at a time, %d peers", o.writes, batchSize, o.peers), o.peers,
		all(bulk(o.writes, batchSize, o.limit)))
	for _, rate := range rates {
		add(fmt.Sprintf("visible %d/s", rate), fmt.Sprintf("%v of single writes at that rate, %d peers", visibleTime, o.peers), o.peers,
			all(visible(rate, visibleTime)))
	}
	add("state", fmt.Sprintf("a peer joins another one that rests, with %d rows", lateKeys), 1,
		func(sd side) work {
			if sd.lateBatch == 0 {
				return nil
			}
			return lateState(lateKeys, sd.lateBatch, o.limit)
		})
	add("late", fmt.Sprintf("a peer joins another one after %d single writes", lateKeys), 1,
		func(sd side) work {
			if sd.late == 0 {
				return nil
			}
			return late(sd.late, lateKeys, o.limit)
		})
	return out
}

func replication(ctx context.Context, o options) error {
	rep := report{
		Go: runtime.Version(), Against: "go-ds-crdt " + figure.Version("github.com/ipfs/go-ds-crdt"),
		CPUs: runtime.NumCPU(), Peers: o.peers, Writes: o.writes, Cap: o.limit,
	}
	var err error
	if rep.Bare, err = figure.MeasureBare(o.dir, valueSize); err != nil {
		return err
	}
	fmt.Printf("%s, %s, %d CPUs; values of %d bytes; all peers in one process, TCP on loopback\n",
		rep.Against, rep.Go, rep.CPUs, valueSize)
	fmt.Printf("bare: write(2) of %d bytes %.1f µs, fdatasync(2) %.0f µs\n", valueSize, rep.Bare.Write, rep.Bare.Datasync)
	for _, j := range jobs(o) {
		var results []result
		for _, sd := range sides {
			if !figure.Selected(sd.name, o.sides) || j.on(sd) == nil {
				continue
			}
			fmt.Fprintf(os.Stderr, "%s: %s …\n", j.name, sd.name)
			r, err := do(ctx, j, sd, o.dir, o.prof)
			if err != nil {
				return err
			}
			results = append(results, r)
		}
		if len(results) > 0 {
			printCase(os.Stdout, j, results)
		}
		rep.Results = append(rep.Results, results...)
	}
	rep.Finished = time.Now().UTC().Truncate(time.Second)
	return figure.WriteReport(o.json, rep)
}
