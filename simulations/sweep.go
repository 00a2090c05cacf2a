package simulations

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
	"lightcone/simulations/worlds"
)

// Shard is the part of a sweep that one process runs: of the runs 0, 1, 2, … those
// that leave Index when divided by Of.
type Shard struct{ Index, Of int }

// ErrShard reports a shard that there cannot be.
var ErrShard = errors.New("shard")

// MaxShards bounds the processes of a sweep.
const MaxShards = 100_000

// ParseShard reads "i/n", i from 0.
func ParseShard(text string) (Shard, error) {
	a, b, ok := strings.Cut(text, "/")
	i, err1 := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || n < 1 || n > MaxShards || i < 0 || i >= n {
		return Shard{}, fmt.Errorf("%w %q; write I/N, I from 0 to N−1, at most %d", ErrShard, text, MaxShards)
	}
	return Shard{i, n}, nil
}

// Sweep runs the combinations of a scenario's sweep that are of a shard, and writes a
// report of each into a directory of its own, run-00007 for the eighth. What is there
// already, of the same scenario and version, is not run again: an interrupted sweep
// goes on. each is told of every run before it begins.
func Sweep(ctx context.Context, s *scenario.Scenario, version string, at Shard, dir string, o worlds.Options, each func(i, total int, r scenario.Run)) error {
	runs, err := s.Runs()
	if err != nil {
		return err
	}
	for i, run := range runs {
		if i%at.Of != at.Index {
			continue
		}
		out := runDir(dir, i)
		if done(out, run, version) {
			continue
		}
		each(i, len(runs), run)
		r, err := Run(ctx, run.Scenario, version, o)
		if err != nil {
			return fmt.Errorf("run %d, %v: %w", i, run.Settings, err)
		}
		r.Settings = settings(run)
		if err := report.Write(out, r); err != nil {
			return err
		}
	}
	return nil
}

// done reports whether a run's report is there.
func done(dir string, run scenario.Run, version string) bool {
	r, err := report.Read(dir)
	if err != nil {
		return false
	}
	text, err := run.Encode()
	return err == nil && r.Scenario == string(text) && r.Version == version
}

func settings(run scenario.Run) (out []report.Setting) {
	for _, x := range run.Settings {
		set := report.Setting{Key: x.Key, Value: fmt.Sprint(x.Value), Unit: scenario.Unit(x.Key)}
		if v, err := strconv.ParseFloat(set.Value, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			set.Number = &v
		} else if d, err := time.ParseDuration(set.Value); err == nil {
			v := d.Seconds()
			set.Number = &v
		}
		out = append(out, set)
	}
	return out
}

// ErrParts reports parts of a sweep that do not fit together.
var ErrParts = errors.New("parts of a sweep")

// Gather reads the reports of a sweep's runs from the directories of its shards, and
// returns them by their number. Every run of s has to be there, once or with one hash,
// and all of one version of the program.
func Gather(s *scenario.Scenario, dirs []string) ([]*report.Result, error) {
	runs, err := s.Runs()
	if err != nil {
		return nil, err
	}
	if len(s.Sweep) == 0 {
		return nil, fmt.Errorf("%w: %s is the report of a single run; there is nothing to merge, see `lightcone sim compare`", ErrParts, dirs[0])
	}
	out := make([]*report.Result, len(runs))
	var missing []int
	for i, run := range runs {
		if out[i], err = find(i, run, dirs); err != nil {
			return nil, err
		}
		if out[i] == nil {
			missing = append(missing, i)
		} else if was := out[0]; was != nil && was.Version != out[i].Version {
			return nil, fmt.Errorf("%w: run 0 is of version %s, run %d of %s; run one of them again", ErrParts, was.Version, i, out[i].Version)
		}
	}
	if len(missing) > 0 {
		first := runs[missing[0]]
		return nil, fmt.Errorf("%w: %d of %d runs are missing in %s, the first is run %d, %v; name the directories of all shards, or run those that are missing",
			ErrParts, len(missing), len(runs), strings.Join(dirs, ", "), missing[0], first.Settings)
	}
	return out, nil
}

// find reads the report of the i-th run, nil if it is nowhere.
func find(i int, run scenario.Run, dirs []string) (found *report.Result, err error) {
	text, err := run.Encode()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		at := runDir(dir, i)
		r, err := report.Read(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case r.Scenario != string(text):
			return nil, fmt.Errorf("%w: %s is of another scenario, seed or parameters than the first directory; merge the shards of one sweep", ErrParts, at)
		case found != nil && found.Hash != r.Hash:
			return nil, fmt.Errorf("%w: run %d has two results: hash %s of version %s, and %s of %s; remove one of them", ErrParts, i, found.Hash, found.Version, r.Hash, r.Version)
		}
		found = r
	}
	return found, nil
}

// runDir is where the report of the i-th run of a sweep is.
func runDir(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("run-%05d", i)) }

// scenarioFile is where a sweep's directory has its scenario.
func scenarioFile(dir string) string { return filepath.Join(dir, report.ScenarioFile) }

// Load reads the scenario that a report or a sweep was made of.
func Load(dir string) (*scenario.Scenario, error) {
	data, err := os.ReadFile(scenarioFile(dir))
	if err != nil {
		return nil, fmt.Errorf("%w: %s has no scenario: %w; name a directory that `lightcone sim run` wrote", ErrParts, dir, cause(err))
	}
	s, err := scenario.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", scenarioFile(dir), err)
	}
	return s, nil
}

// Save writes the scenario of a sweep into its directory, whole: other shards may read it.
func Save(dir string, s *scenario.Scenario) error {
	text, err := s.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".scenario-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), scenarioFile(dir))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
