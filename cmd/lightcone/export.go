package main

import (
	"bufio"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newExportCommand() *cobra.Command {
	var topic, format string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print all rows as JSONL or CSV, for import and other programs",
		Long: "Print rows by topic and key, as one view of the node has them: the same rows are the same bytes on every peer.\n" +
			"JSONL keeps everything: one row a line, typed values as in the API's JSON.\n" +
			"CSV is of one topic and of text: the key first, then every field that a row has, by name. A field that holds the\n" +
			"key in every row is the key's column; without one the column is named \"key\".",
		Example: "  lightcone export > all.jsonl\n  lightcone export --topic airports --format csv > airports.csv",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&topic, "topic", "", "only this topic")
	f.StringVar(&format, "format", formatJSONL, "jsonl or csv")
	read := readFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case format != formatCSV && format != formatJSONL:
			return usagef("--format %q; it is jsonl or csv", format)
		case format == formatCSV && topic == "":
			return usagef("a CSV file holds one topic; add --topic, or use --format jsonl")
		case format == formatCSV && a.json:
			return usagef("--format csv is no JSON; leave --json out, or use --format jsonl")
		}
		r, err := read()
		if err != nil {
			return err
		}
		return a.export(cmd.Context(), format, api.Query{Topic: topic}, r)
	}
	return cmd
}

// export writes the rows of q. A program that reads it knows by the exit status
// whether they are all.
func (a *app) export(ctx context.Context, format string, q api.Query, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		scan := func(each func(api.Row) error) error {
			sets := 0
			end, err := l.Scan(ctx, a.space, q, r, func(row api.Row) error {
				for _, c := range row.Cells {
					if len(c.Elements) > 0 {
						sets++
					}
				}
				return each(row)
			})
			if sets > 0 {
				a.say("left out %s sets: exports hold plain fields", comma(int64(sets)))
			}
			if err == nil {
				a.behindWarning(end.Behind)
				a.say("%s rows, context %s", comma(int64(end.Rows)), end.Token)
			}
			return err
		}
		out := bufio.NewWriter(a.stdout)
		var err error
		if format == formatCSV {
			err = a.exportCSV(out, scan)
		} else {
			enc := json.NewEncoder(out)
			enc.SetEscapeHTML(false)
			err = scan(func(row api.Row) error { return enc.Encode(lineOf(row)) })
		}
		if flushed := out.Flush(); err == nil {
			err = flushed
		}
		return err
	})
}

func lineOf(row api.Row) jsonRow { return jsonRow{Topic: row.Topic, Key: &row.Key, Fields: row.Fields} }
