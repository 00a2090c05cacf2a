package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"lightcone/internal/compare/figure"
)

// options are the flags of the command simulator.
type options struct {
	peers                           []int
	rounds, largest                 int
	floods, sides, java, json, list string
}

// findings are what --json writes.
type findings struct {
	Go       string    `json:"go"`
	JVM      string    `json:"jvm"`
	Java     string    `json:"java_flags"`
	CPUs     int       `json:"cpus"`
	Load     [2]string `json:"load"` // before and after
	Rounds   int       `json:"rounds"`
	Finished time.Time `json:"finished"`
	Lines    []line    `json:"lines"`
}

func main() { figure.Main("compare simulator", run) }

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == childCommand {
		return child(ctx, os.Stdout, args[1:])
	}
	var o options
	f := flag.NewFlagSet("simulator", flag.ContinueOnError)
	f.StringVar(&o.list, "peers", "1000,10000,100000,1000000", "how many peers, with commas")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in each of which all sides take turns, another first; figures are medians")
	f.IntVar(&o.largest, "largest", 0, "then one try of lightcone-2, engine and peersim with so many peers; 0: none")
	f.StringVar(&o.floods, "floods", "", "only floods that start with one of these, with commas: push,links")
	f.StringVar(&o.sides, "sides", "", "only sides that start with one of these, with commas: lightcone,engine,heap,peersim")
	f.StringVar(&o.java, "java", "-XX:+UseSerialGC -Xmx18g", "flags of the Java virtual machine")
	f.StringVar(&o.json, "json", "", "write the results to this file, too")
	if err := f.Parse(args); err != nil {
		return err
	}
	for text := range strings.SplitSeq(o.list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < leastPeers {
			return fmt.Errorf("--peers %s: give numbers of %d or more, with commas", o.list, leastPeers)
		}
		o.peers = append(o.peers, n)
	}
	if o.rounds < 1 || o.largest < 0 || o.largest > 0 && o.largest < leastPeers || f.NArg() > 0 {
		return errors.New("--rounds must be 1 or more, --largest 0 or enough peers, and nothing else is taken")
	}
	return compareSimulators(ctx, o)
}

// leastPeers is how many a flood needs to be none of chance alone.
const leastPeers = 500

func compareSimulators(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "compare-simulator-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{options: o}
	b.java, err = newJavaSide(ctx, dir, flagsOf(o.java))
	if err != nil && !errors.Is(err, errNoPeerSim) {
		return err
	}
	rep := findings{Go: runtime.Version(), Java: o.java, CPUs: runtime.NumCPU(), Load: [2]string{figure.Load()}, Rounds: o.rounds}
	fmt.Printf("%s, %d CPUs, load before %s; latency %d ms and an exponential delay of %d ms on average\n",
		rep.Go, rep.CPUs, rep.Load[0], latencyTicks/ticksPerMs, jitterTicks/ticksPerMs)
	if err != nil {
		fmt.Println(err)
	}
	if err := b.all(ctx, os.Stdout); err != nil {
		return err
	}
	rep.Load[1], rep.Lines, rep.JVM = figure.Load(), b.lines, b.jvm
	if rep.JVM != "" {
		fmt.Printf("\n%s with %s", rep.JVM, rep.Java)
	}
	fmt.Printf("\nload after %s\n", rep.Load[1])
	rep.Finished = time.Now().UTC().Truncate(time.Second)
	return figure.WriteReport(o.json, rep)
}
