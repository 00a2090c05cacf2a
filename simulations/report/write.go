package report

import (
	"bufio"
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
)

// The files of a report, besides one CSV a chart.
const (
	SummaryFile  = "summary.json"
	PageFile     = "report.html"
	ScenarioFile = "scenario.toml"
	SampleFile   = "samples.parquet"
)

// Write writes all files of a report into a directory, which it makes. What is there
// of an earlier report is replaced.
func Write(dir string, r *Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	put := func(name string, write func(w io.Writer) error) error {
		return writeFile(filepath.Join(dir, name), write)
	}
	errs := []error{
		put(SummaryFile, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(r)
		}),
		put(PageFile, r.page),
		put(ScenarioFile, func(w io.Writer) error {
			_, err := io.WriteString(w, r.Scenario)
			return err
		}),
	}
	for i := range r.Charts {
		errs = append(errs, put(r.Charts[i].Name+".csv", r.Charts[i].csv))
	}
	if r.Sample != nil {
		errs = append(errs, put(SampleFile, r.Sample.parquet))
	}
	return errors.Join(errs...)
}

// Read reads the summary of a report.
func Read(dir string) (*Result, error) {
	data, err := os.ReadFile(filepath.Join(dir, SummaryFile))
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s is no summary of a simulation: %w", filepath.Join(dir, SummaryFile), err)
	}
	return r, nil
}

func writeFile(name string, write func(w io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return w.Flush()
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
