package simulations

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// ErrTaken reports a directory in which a report would take the place of something else.
var ErrTaken = errors.New("nothing is written over")

// Claim makes a directory for the report of a scenario, nil for one of no scenario. One
// that is there has to be empty, or hold a report of the same scenario and version of
// the program, which has the same result; unless it may replace what is there.
func Claim(dir string, s *scenario.Scenario, version string, replace bool) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%w: %s is a file; name a directory with --out", ErrTaken, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("no directory for the report: %w; name another with --out", err)
	}
	if err := writable(dir); err != nil || replace {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w; name another directory with --out", dir, err)
	}
	other := func(what string) error {
		return fmt.Errorf("%w: %s has %s; name another directory with --out, or add --replace", ErrTaken, dir, what)
	}
	ours := false
	if s != nil {
		text, err := s.Encode()
		if err != nil {
			return err
		}
		was, err := os.ReadFile(scenarioFile(dir))
		if ours = err == nil && string(was) == string(text); !ours && err == nil {
			return other("the report of another scenario, seed or parameters")
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "lost+found" {
			continue // what file systems and their tools put there
		}
		if !ours {
			return other("files that are of no such report")
		}
		at := dir
		if e.IsDir() {
			at = filepath.Join(dir, e.Name())
		}
		if r, err := report.Read(at); err == nil && r.Version != version {
			return other(fmt.Sprintf("the report of version %s, and this is %s", r.Version, version))
		}
	}
	return nil
}

// writable reports why nothing can be written into a directory: better before a long run
// than after it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("nothing can be written into %s: %w; name another directory with --out", dir, cause(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// cause is an error of a file without its name, which was random.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
