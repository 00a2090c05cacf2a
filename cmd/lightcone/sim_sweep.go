package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lightcone/simulations"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// The variables in which Kubernetes tells an indexed job, and Slurm an array, which
// part of the work is whose.
var shardVariables = []string{"JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"}

// shardOf reads --shard i/n; of "n" alone the index is told by the environment.
func shardOf(text string) (simulations.Shard, error) {
	if text == "" {
		return simulations.Shard{Of: 1}, nil
	}
	at, err := simulations.ParseShard(text)
	if err == nil {
		return at, nil
	}
	for _, name := range shardVariables {
		if i := os.Getenv(name); i != "" {
			if at, err2 := simulations.ParseShard(i + "/" + text); err2 == nil {
				return at, nil
			}
		}
	}
	return at, &usageError{fmt.Errorf("--shard: %w; of N alone the index is that of JOB_COMPLETION_INDEX or SLURM_ARRAY_TASK_ID", err)}
}

// simSweep runs the combinations of a sweep that are of this shard; all of them make
// a report together.
func (a *app) simSweep(ctx context.Context, s *scenario.Scenario, o simOptions) error {
	at, err := shardOf(o.shard)
	if err != nil {
		return err
	}
	drop, err := o.claim(s)
	if err != nil {
		return err
	}
	defer drop()
	if err := simulations.Save(o.out, s); err != nil {
		return err
	}
	bar := a.newBar()
	options := worlds.Options{Workers: o.workers, Progress: bar.simulated}
	err = simulations.Sweep(ctx, s, version(), at, o.out, options, func(i, total int, r scenario.Run) {
		bar.clear()
		a.say("run %d of %d: %v", i+1, total, r.Settings)
	})
	bar.clear()
	if err != nil {
		return stopped(err, fmt.Sprintf("what was done is in %s, and the same command with --out %[1]s goes on from there", o.out))
	}
	if at.Of > 1 {
		a.say("shard %d of %d is in %s; when all are done: lightcone sim merge DIR…", at.Index, at.Of, o.out)
		return nil
	}
	return a.simMerge([]string{o.out}, o.out, o.replace)
}

func (a *app) newSimMergeCommand() *cobra.Command {
	var out string
	var replace bool
	cmd := &cobra.Command{
		Use:   "merge DIR…",
		Short: "Make one report of the shards of a sweep",
		Long: "Read the runs that the shards of a sweep left in directories, check that they are all of one scenario and that none\n" +
			"is missing, and write one report of them: charts of each figure over each parameter, and a table of all runs.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.simMerge(args, cmp.Or(out, args[0]), replace) },
	}
	cmd.Flags().StringVar(&out, "out", "", "directory of the report (default: the first DIR)")
	cmd.Flags().BoolVar(&replace, "replace", false, replaceHelp)
	return cmd
}

func (a *app) simMerge(dirs []string, out string, replace bool) error {
	s, err := simulations.Load(dirs[0])
	if err != nil {
		return err
	}
	runs, err := simulations.Gather(s, dirs)
	if err != nil {
		return err
	}
	text, err := s.Encode()
	if err != nil {
		return err
	}
	if err := simulations.Claim(out, s, runs[0].Version, replace); err != nil {
		return err
	}
	r := report.Join(s.Name, string(text), runs)
	if err := report.Write(out, r); err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) error {
		return showResult(w, r, filepath.Join(out, report.PageFile))
	})
}

func (a *app) newSimCompareCommand() *cobra.Command {
	var out string
	var replace bool
	cmd := &cobra.Command{
		Use:   "compare DIR DIR…",
		Short: "Put the figures of reports side by side",
		Long:  "Put the figures of several reports side by side: each, and by how much it is off the first. With --out, their charts too.",
		Args:  cobra.MinimumNArgs(2),
		RunE:  func(_ *cobra.Command, args []string) error { return a.simCompare(args, out, replace) },
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for a page with the curves of all in common charts")
	cmd.Flags().BoolVar(&replace, "replace", false, replaceHelp)
	return cmd
}

func (a *app) simCompare(dirs []string, out string, replace bool) error {
	var all []*report.Result
	for _, dir := range dirs {
		r, err := report.Read(dir)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	c := report.Compare(dirs, all)
	if out != "" {
		if err := simulations.Claim(out, nil, version(), replace); err != nil {
			return err
		}
		if err := report.Write(out, c.Result()); err != nil {
			return err
		}
	}
	return a.print(c, func(w io.Writer) error {
		var t table
		for _, h := range c.Heads {
			t.add(h.Name, strings.Join(h.Values, "   "))
		}
		for _, line := range c.Lines {
			t.add(line.Name, line.String())
		}
		t.add("result hash", c.Verdict())
		return t.write(w)
	})
}

func (a *app) newSimReplayCommand() *cobra.Command {
	var workers int
	cmd := &cobra.Command{
		Use:   "replay DIR",
		Short: "Run the scenario of a report again and compare the result hash",
		Long:  "Run the scenario of a report again, with its seed, and compare the result hash. Exit code 1 if it is another.",
		Args:  cobra.ExactArgs(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.simReplay(cmd.Context(), args[0], workers) },
	}
	cmd.Flags().IntVar(&workers, "workers", 0, "processors to use; 0: all. They change no result")
	return cmd
}

func (a *app) simReplay(ctx context.Context, dir string, workers int) error {
	was, err := report.Read(dir)
	if err != nil {
		return err
	}
	if was.Scenario == "" {
		return fmt.Errorf("%s has no scenario of its own, it is about other reports; replay one of those", dir)
	}
	s, err := scenario.Parse([]byte(was.Scenario))
	if err != nil {
		return fmt.Errorf("the scenario of %s: %w", dir, err)
	}
	if len(s.Sweep) > 0 {
		return fmt.Errorf("%s is the report of a sweep; replay one of its runs, such as %s", dir, filepath.Join(dir, "run-00000"))
	}
	bar := a.newBar()
	is, err := simulations.Run(ctx, s, version(), worlds.Options{Workers: workers, Progress: bar.simulated})
	bar.clear()
	if err != nil {
		return stopped(err, "the report is as it was")
	}
	if is.Hash != was.Hash {
		return fmt.Errorf("the result hash is %s, that of the report, of version %s, is %s; replay it with that version, this is %s", is.Hash, was.Version, was.Hash, version())
	}
	return a.print(is, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "the same: %s\n", is.Hash)
		return err
	})
}
