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

func (a *app) newImportCommand() *cobra.Command {
	var topic, key string
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Write the rows of a CSV file",
		Long: "Write the rows of a CSV file with a header. A row's key is the value of the key column; every column\n" +
			"becomes a text field. A file is checked as a whole before the first row is written; - reads stdin.\n" +
			"Rows are written by key, so an import that was cut off is repaired by running it again.",
		Example: "  lightcone import --topic airports --key iata airports.csv",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&topic, "topic", "", "the topic (default: the file's name without its extension)")
	cmd.Flags().StringVar(&key, "key", "", "the key column (default: the first)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path := args[0]
		if topic == "" && path == "-" {
			return usagef("import from stdin needs a topic; add --topic")
		}
		if topic == "" {
			topic = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		}
		if err := memo.CheckTopic(topic); err != nil {
			return usagef("topic %q: %w; choose another with --topic", topic, err)
		}
		if path == "-" {
			return a.importRows(cmd.Context(), topic, key, "stdin", a.stdin, unknownTotal)
		}
		return a.importFile(cmd.Context(), topic, key, path)
	}
	return cmd
}

// importFile checks the whole file, then writes its rows.
func (a *app) importFile(ctx context.Context, topic, key, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return usagef("%w", err)
	}
	defer f.Close()
	total, err := checkCSV(ctx, path, f, key)
	if err != nil {
		p := api.ProblemOf(err)
		return p.With(p.Cause+"; nothing was written", p.Fix)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s again: %w; a pipe is read with -", path, err)
	}
	return a.importRows(ctx, topic, key, path, f, total)
}

// checkCSV reads all rows and returns their number.
func checkCSV(ctx context.Context, name string, src io.Reader, key string) (rows int, err error) {
	t, err := openCSV(name, src, key)
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
}

// importRows writes rows as they are read. total is for the progress bar.
func (a *app) importRows(ctx context.Context, topic, key, name string, src io.Reader, total int) error {
	return a.with(ctx, func(l *link) error {
		t, err := openCSV(name, src, key)
		if err != nil {
			return err
		}
		start := time.Now()
		w := newImporter(ctx, l.Client, a.space, topic, a.progress(total))
		err = w.run(t)
		if err != nil {
			return w.failure(err)
		}
		out := imported{Topic: topic, Rows: w.rows, Updates: w.updates, Repeated: w.repeated, Seconds: time.Since(start).Seconds()}
		out.Rate = float64(out.Rows) / max(out.Seconds, 1e-6)
		if out.Repeated > 0 {
			a.say("note: %s rows have a key that an earlier row had; the last one stays", comma(int64(out.Repeated)))
		}
		a.say("imported %s rows in %.2f s (%s rows/s)", comma(int64(out.Rows)), out.Seconds, comma(int64(out.Rate)))
		return a.print(out, func(io.Writer) error { return nil })
	})
}
