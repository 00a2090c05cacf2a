package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/memo"
	"lightcone/node/api"
)

// importOptions are the flags of import.
type importOptions struct {
	topic, key, format string
	path               string // of the file; "-" is stdin
	fallback           string // topic of rows that name none
	after              under
}

func (a *app) newImportCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Write the rows of a CSV or JSONL file",
		Long: "Write the rows of a CSV file with a header, or of lines of JSON as export writes them.\n" +
			"CSV: a row's key is the value of the key column; every column becomes a text field.\n" +
			"JSONL: {\"topic\":\"t\",\"key\":\"k\",\"fields\":{\"a\":\"text\",\"n\":42,\"f\":1.5,\"x\":{\"$bytes\":\"base64\"}}}; topic may be left out.\n" +
			"A file is checked as a whole before the first row is written; - reads stdin.\n" +
			"Rows are written by key, so an import that was cut off is repaired by running it again.",
		Example: "  lightcone import --topic airports --key iata airports.csv\n  lightcone export | lightcone --dir other import -",
		Args:    cobra.ExactArgs(1),
	}
	after := writeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		o.path = args[0]
		if o.after, err = after(); err != nil {
			return err
		}
		if err := o.complete(); err != nil {
			return err
		}
		if o.path == "-" {
			return a.importRows(cmd.Context(), o, a.stdin, unknownTotal)
		}
		return a.importFile(cmd.Context(), o)
	}
	f := cmd.Flags()
	f.StringVar(&o.topic, "topic", "", "the topic of all rows (default: what a line of JSON names, else the file's name without its extension)")
	f.StringVar(&o.key, "key", "", "the key column of a CSV file (default: the first)")
	f.StringVar(&o.format, "format", "", "csv or jsonl (default: jsonl for *.jsonl and *.ndjson, else csv)")
	return cmd
}

// complete fills in what follows from the file's name, and checks the rest.
func (o *importOptions) complete() error {
	ext := filepath.Ext(o.path)
	switch {
	case o.format == "" && (ext == ".jsonl" || ext == ".ndjson"):
		o.format = formatJSONL
	case o.format == "":
		o.format = formatCSV
	case o.format != formatCSV && o.format != formatJSONL:
		return usagef("--format %q; it is csv or jsonl", o.format)
	}
	if o.key != "" && o.format == formatJSONL {
		return usagef("--key names a column of a CSV file, and a line of JSON has its key in \"key\"; leave --key out")
	}
	o.fallback = o.topic
	if o.path != "-" && o.topic == "" {
		o.fallback = strings.TrimSuffix(filepath.Base(o.path), ext)
	}
	if o.path == "-" && o.topic == "" && o.format == formatCSV {
		return usagef("import of CSV from stdin needs a topic; add --topic")
	}
	if o.format == formatJSONL && o.topic == "" {
		return nil // each line is checked
	}
	if err := memo.CheckTopic(o.fallback); err != nil {
		return usagef("topic %q: %w; choose another with --topic", o.fallback, err)
	}
	return nil
}

// open starts reading rows.
func (o *importOptions) open(src io.Reader) (rowSource, error) {
	name := o.path
	if name == "-" {
		name = "stdin"
	}
	if o.format == formatJSONL {
		return openJSONL(name, src, o.topic, o.fallback), nil
	}
	return openCSV(name, src, o.key)
}

// importFile checks the whole file, then writes its rows.
func (a *app) importFile(ctx context.Context, o importOptions) error {
	f, err := os.Open(o.path)
	if err != nil {
		return usagef("%w", err)
	}
	defer f.Close()
	total, err := countRows(ctx, o, f)
	if err != nil {
		p := api.ProblemOf(err)
		return p.With(p.Cause+"; nothing was written", p.Fix)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s again: %w; a pipe is read with -", o.path, err)
	}
	return a.importRows(ctx, o, f, total)
}

// countRows reads all rows, which checks them, and returns their number.
func countRows(ctx context.Context, o importOptions, src io.Reader) (rows int, err error) {
	t, err := o.open(src)
	for ; err == nil; rows++ {
		if _, err = t.next(); err == nil {
			err = ctx.Err()
		}
	}
	if errors.Is(err, io.EOF) {
		return rows - 1, nil
	}
	return 0, err
}

// imported is what import prints.
type imported struct {
	Topic    string  `json:"topic"`
	Rows     int     `json:"rows"`
	Updates  int     `json:"updates"`
	Repeated int     `json:"repeated"` // rows whose key an earlier row had
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"rowsPerSecond"`
	Token    string  `json:"token,omitempty"` // covers all rows
}

// importRows writes rows as they are read. total is for the progress bar.
func (a *app) importRows(ctx context.Context, o importOptions, src io.Reader, total int) error {
	return a.with(ctx, func(l *link) error {
		t, err := o.open(src)
		if err != nil {
			return err
		}
		start := time.Now()
		w := newImporter(ctx, l.Client, a.space, o.fallback)
		w.after, w.bar, w.total = o.after, a.newBar(), total
		err = w.run(t)
		if err != nil {
			return w.failure(err)
		}
		out := imported{Topic: o.fallback, Rows: w.rows, Updates: w.updates, Repeated: w.repeated, Seconds: time.Since(start).Seconds(), Token: w.token.String()}
		out.Rate = float64(out.Rows) / max(out.Seconds, 1e-6)
		if out.Repeated > 0 {
			a.say("note: %s rows have a key that an earlier row had; the last one stays", comma(int64(out.Repeated)))
		}
		a.say("imported %s rows in %.2f s (%s rows/s)", comma(int64(out.Rows)), out.Seconds, comma(int64(out.Rate)))
		if out.Token != "" {
			a.say("context %s", out.Token)
		}
		return a.print(out, func(io.Writer) error { return nil })
	})
}
