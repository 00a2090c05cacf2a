package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/simulations"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

func (a *app) newSimCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate gossip among up to a million peers, in virtual time",
		Long: "Simulate gossip among up to a million peers on this machine, in virtual time, as a scenario says: a TOML file, or one\n" +
			"of those that come along. The same scenario and seed give the same result hash on every machine.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("sim does nothing by itself; add run, new, compare, merge or replay")
		},
	}
	cmd.AddCommand(a.newSimRunCommand(), a.newSimNewCommand(), a.newSimCompareCommand(), a.newSimMergeCommand(), a.newSimReplayCommand())
	return cmd
}

// simOptions are the flags of sim run.
type simOptions struct {
	peers, workers int
	seed           uint64
	until          time.Duration
	set            []string
	out, shard     string
	replace        bool
}

func (a *app) newSimRunCommand() *cobra.Command {
	var o simOptions
	cmd := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Run a scenario and write its report",
		Long: "Run a scenario and write its report into a directory: report.html for people, summary.json, a CSV file a chart,\n" +
			"Parquet of samples, and the scenario with all its defaults, which replays it.",
		Example: "  lightcone sim run flood --peers 1000000 --out flood\n  lightcone sim run mine.toml --set flood.fanout=4",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.scenario(args[0], cmd.Flags().Changed)
			if err != nil {
				return err
			}
			if len(s.Sweep) > 0 {
				return a.simSweep(cmd.Context(), s, o)
			}
			if o.shard != "" {
				return usagef("--shard %s of a scenario without a [sweep]; there is nothing to share", o.shard)
			}
			return a.simRun(cmd.Context(), s, o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.peers, "peers", 0, "how many peers, instead of what the scenario says")
	f.Uint64Var(&o.seed, "seed", 0, "the seed, instead of the scenario's")
	f.DurationVar(&o.until, "until", 0, "virtual time, instead of the scenario's")
	f.StringArrayVar(&o.set, "set", nil, "set another parameter, as in the file: --set network.loss=0.1")
	f.IntVar(&o.workers, "workers", 0, "processors to use; 0: all. They change no result")
	f.StringVar(&o.shard, "shard", "", "run a part of a sweep: I/N, or N where JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID tells I")
	f.StringVar(&o.out, "out", "", "directory of the report (default: a new one named after the scenario)")
	f.BoolVar(&o.replace, "replace", false, replaceHelp)
	return cmd
}

// replaceHelp is the help of --replace.
const replaceHelp = "write over what is in the directory, also what is of another report"

// scenario reads a file, or one that comes along, and sets what flags say.
func (o simOptions) scenario(name string, changed func(flag string) bool) (*scenario.Scenario, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		var known bool
		if data, known = simulations.Named(name); !known {
			return nil, fmt.Errorf("%w, and no scenario comes along under that name; name a file, or one of %s",
				err, strings.Join(slices.Collect(simulations.Library), ", "))
		}
	}
	s, err := scenario.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var set []scenario.Setting
	for _, x := range o.set {
		one, err := scenario.ParseSetting(x)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--set: %w", err)}
		}
		set = append(set, one)
	}
	for flag, value := range map[string]any{"peers": o.peers, "seed": o.seed, "until": o.until.String()} {
		if changed(flag) {
			set = append(set, scenario.Setting{Key: flag, Value: value})
		}
	}
	if len(set) > 0 {
		if s, err = s.With(set...); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if _, err := s.Runs(); err != nil { // better now than after some of them
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// claim makes the directory of a report, a new one if none is named. What it returns
// takes it away again if nothing came into it.
func (o *simOptions) claim(s *scenario.Scenario) (drop func(), err error) {
	if o.out == "" {
		o.out = freeName(fileName(s.Name))
	}
	if _, err := os.Stat(o.out); errors.Is(err, fs.ErrNotExist) {
		drop = func() { _ = os.Remove(o.out) } // it fails where there is something
	} else {
		drop = func() {}
	}
	return drop, simulations.Claim(o.out, s, version(), o.replace)
}

// stopped says of a run that somebody stopped what to do next.
func stopped(err error, next string) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w; %s", errInterrupted, next)
	}
	return err
}

// simRun runs a scenario with progress on a terminal, and writes its report.
func (a *app) simRun(ctx context.Context, s *scenario.Scenario, o simOptions) error {
	drop, err := o.claim(s)
	if err != nil {
		return err
	}
	defer drop()
	bar := a.newBar()
	r, err := simulations.Run(ctx, s, version(), worlds.Options{Workers: o.workers, Progress: bar.simulated})
	bar.clear()
	if err != nil {
		return stopped(err, "nothing was written; a run begins again from its start")
	}
	if err := report.Write(o.out, r); err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) error { return showResult(w, r, filepath.Join(o.out, report.PageFile)) })
}

// showResult prints the facts of a result.
func showResult(w io.Writer, r *report.Result, page string) error {
	var t table
	for _, f := range r.Facts {
		text := report.Quantity(f.Value, f.Unit)
		if f.Theory != nil {
			text += ", theory " + report.Short(*f.Theory)
		}
		t.add(f.Name, text)
	}
	t.add("events", fmt.Sprintf("%s, %s a processor second", report.Short(float64(r.Cost.Events)), report.Short(r.Cost.Rate())))
	t.add("took", fmt.Sprintf("%s s, %s s of processors", report.Short(r.Cost.Wall.Seconds()), report.Short(r.Cost.CPU.Seconds())))
	t.add("memory a peer", report.Quantity(r.Cost.BytesPerPeer, "B"))
	t.add("result hash", r.Hash)
	t.add("report", page)
	return t.write(w)
}

// fileName makes a directory's name of a scenario's.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == os.PathSeparator || r == 0 {
			return '-'
		}
		return r
	}, name)
}
