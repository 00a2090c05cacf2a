package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

// scanOptions are the flags of scan.
type scanOptions struct {
	query         api.Query
	count, digest bool
}

func (a *app) newScanCommand() *cobra.Command {
	var o scanOptions
	cmd := &cobra.Command{
		Use:   "scan --topic T",
		Short: "Print rows in the order of their keys",
		Long: "Print rows in the order of their keys, one a line: key, then field=value, separated by tabs.\n" +
			"With --json, lines of JSON, of which the last one is {\"end\":true,…}.\n" +
			"When --limit leaves rows out, a cursor says where to go on: on stderr, or as \"next\" in the last JSON line.",
		Example: "  lightcone scan --topic airports --prefix 0 --limit 10\n  lightcone scan --count --digest",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.query.Topic, "topic", "", "the topic; without it --count covers all topics")
	f.StringVar(&o.query.Prefix, "prefix", "", "only keys that start with it")
	f.StringVar(&o.query.From, "from", "", "first key")
	f.StringVar(&o.query.To, "to", "", "end of keys, itself excluded")
	f.IntVar(&o.query.Limit, "limit", 0, "at most so many rows (0: all)")
	f.BoolVar(&o.query.Reverse, "reverse", false, "in descending order")
	f.StringVar(&o.query.Cursor, "cursor", "", "go on where a scan with --limit stopped")
	f.BoolVar(&o.count, "count", false, "print the number of rows instead")
	f.BoolVar(&o.digest, "digest", false, "print the digest of the whole space's state instead")
	read := readFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.query.Topic == "" && !o.count && !o.digest:
			return usagef("scan needs --topic; without one it takes --count or --digest")
		case o.query.Topic == "" && o.query.Prefix+o.query.From+o.query.To != "":
			return usagef("--prefix, --from and --to need a topic; add --topic")
		case o.query.Limit < 0:
			return usagef("--limit %d; it is 0 or more", o.query.Limit)
		}
		r, err := read()
		if err != nil {
			return err
		}
		if o.count || o.digest {
			return a.summarize(cmd.Context(), o, r)
		}
		return a.scan(cmd.Context(), o.query, r)
	}
	return cmd
}

func (a *app) scan(ctx context.Context, q api.Query, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		voucher, vouched := "", 0
		end, err := page(a, rowLine, func(each func(api.Row) error) (api.End, error) {
			return l.Scan(ctx, a.space, q, r, func(row api.Row) error {
				if row.VouchedBy != "" {
					voucher, vouched = row.VouchedBy, vouched+1
				}
				return each(row)
			})
		})
		a.voucherWarning(voucher, vouched)
		if err == nil {
			a.pageEnd(end.Behind, fmt.Sprintf("%s rows", comma(int64(end.Rows))), end.Token, end.Next)
		}
		return err
	})
}

// page prints what read yields, a line each, and under --json its end too.
func page[T, E any](a *app, line func(io.Writer, T) error, read func(each func(T) error) (E, error)) (E, error) {
	out := bufio.NewWriter(a.stdout)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	end, err := read(func(v T) error {
		if a.json {
			return enc.Encode(v)
		}
		return line(out, v)
	})
	if err == nil && a.json {
		err = enc.Encode(end)
	}
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	return end, err
}

// pageEnd says what a page held, and how to go on.
func (a *app) pageEnd(behind *api.Behind, what, token, next string) {
	a.behindWarning(behind)
	a.say("%s, context %s", what, token)
	if next != "" {
		a.say("there are more: --cursor %s", next)
	}
}

func rowLine(w io.Writer, row api.Row) error {
	line := plain(string(row.Key))
	t := shownFields(row)
	for i, name := range t.names {
		line += "\t" + name + "=" + t.texts[i]
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// summary is what scan prints instead of rows.
type summary struct {
	Rows   *int        `json:"rows,omitempty"`
	Digest string      `json:"digest,omitempty"`
	Token  string      `json:"token,omitempty"`
	Behind *api.Behind `json:"behind,omitempty"`
}

func (a *app) summarize(ctx context.Context, o scanOptions, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		var out summary
		// Reading waits for the context, and the digest is of no earlier state.
		if !o.count {
			o.query.Limit = 1
		}
		n, err := l.Count(ctx, a.space, o.query, r)
		if err != nil {
			return err
		}
		out.Token, out.Behind = n.Token, n.Behind
		if o.count {
			out.Rows = &n.Rows
		}
		if o.digest {
			d, err := l.DigestUnder(ctx, a.space, r)
			if err != nil {
				return err
			}
			out.Digest = d.Digest
		}
		a.behindWarning(out.Behind)
		return a.print(out, func(w io.Writer) error {
			if out.Rows != nil {
				fmt.Fprintln(w, *out.Rows)
			}
			if out.Digest != "" {
				fmt.Fprintln(w, out.Digest)
			}
			return nil
		})
	})
}
