package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The files of a report, besides one CSV a chart.
const (
	SummaryFile  = "summary.json"
	PageFile     = "report.html"
	ScenarioFile = "scenario.toml"
	SampleFile   = "samples.parquet"
)

// Write writes all files of a report into a directory, which it makes. What is there
// of an earlier report is replaced. The scenario comes first, so that a report that could
// not be written whole can be told to be one; the summary last: where it is, all is.
func Write(dir string, r *Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	type file struct {
		name  string
		write func(w io.Writer) error
	}
	var files []file
	if r.Scenario != "" {
		files = append(files, file{ScenarioFile, func(w io.Writer) error {
			_, err := io.WriteString(w, r.Scenario)
			return err
		}})
	}
	files = append(files, file{PageFile, r.page})
	if len(r.Runs) > 0 {
		files = append(files, file{TableFile, r.tableCSV})
	}
	for i, name := range r.chartFiles() {
		files = append(files, file{name, r.Charts[i].csv})
	}
	if r.Sample != nil {
		files = append(files, file{SampleFile, r.Sample.parquet})
	}
	files = append(files, file{SummaryFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}})
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

// chartFiles are the names of the charts' files.
func (r *Result) chartFiles() (names []string) {
	taken := map[string]bool{strings.TrimSuffix(TableFile, ".csv"): true}
	for _, c := range r.Charts {
		names = append(names, freeName(c.Name, taken)+".csv")
	}
	return names
}

// freeName makes a file's name of a chart's that no other has, and takes it.
func freeName(chart string, taken map[string]bool) string {
	base := cmp.Or(slug(chart), "chart")
	name := base
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	taken[name] = true
	return name
}

// ErrNoReport reports a directory without a report that can be read.
var ErrNoReport = errors.New("no report")

// Read reads the summary of a report.
func Read(dir string) (*Result, error) {
	data, err := os.ReadFile(filepath.Join(dir, SummaryFile))
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w; name a directory that `lightcone sim run` wrote", ErrNoReport, dir, err)
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%w in %s: %s is damaged: %w; run its %s again", ErrNoReport, dir, SummaryFile, err, ScenarioFile)
	}
	if r.Name == "" {
		return nil, fmt.Errorf("%w in %s: its %s is of something else; name a directory that `lightcone sim run` wrote", ErrNoReport, dir, SummaryFile)
	}
	return r, nil
}

// writeFile writes a file that is there whole or not at all.
func writeFile(name string, write func(w io.Writer) error) error {
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		return os.Rename(f.Name(), name)
	}
	err = fmt.Errorf("%s is not written: %w", name, errors.Join(err, os.Remove(f.Name())))
	if errors.Is(err, syscall.ENOSPC) {
		return err // whoever shows it knows what to do
	}
	return fmt.Errorf("%w; make room, or name another directory with --out", err)
}

// csv writes the points of a chart, one a line: curve, x, y.
func (c *Chart) csv(to io.Writer) error {
	w := csv.NewWriter(to)
	errs := []error{w.Write([]string{"curve", c.X.column(), c.Y.column()})}
	for _, k := range c.Curves {
		for i := range k.X {
			errs = append(errs, w.Write([]string{k.Name, number(k.X[i]), number(k.Y[i])}))
		}
	}
	w.Flush()
	return errors.Join(append(errs, w.Error())...)
}

// column names an axis in a table.
func (a Axis) column() string {
	if a.Unit == "" {
		return a.Label
	}
	return a.Label + " (" + a.Unit + ")"
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// digest is the hash of several results.
func digest(hashes []string) string {
	sum := sha256.Sum256([]byte(strings.Join(hashes, "\n")))
	return hex.EncodeToString(sum[:])
}
