package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/memo"
	"lightcone/node/api"
)

func (a *app) newHistoryCommand() *cobra.Command {
	var limit int
	var cursor string
	cmd := &cobra.Command{
		Use:   "history TOPIC/ROW",
		Short: "Print what touched a row, causes first",
		Long: "Print every memo that touched a row, causes first, one a line: author and place in its chain, time, id, then what it did:\n" +
			"field=value, -field, -* for the whole row, field+N-M for an author's part of a counter, field+{…} and field-N for sets;\n" +
			"then \"after\" and the edits its author had seen, and \"concurrent with\" those before it that its author had not.\n" +
			"Authors are short: the end of their id. With --json, lines of JSON, of which the last one is {\"end\":true,…}.",
		Example: "  lightcone history airports/00M\n  lightcone history airports/00M --limit 20 --json",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many memos (0: all)")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where a history with --limit stopped")
	read := readFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		topic, row, err := splitPath(args[0])
		if err != nil {
			return err
		}
		if limit < 0 {
			return usagef("--limit %d; it is 0 or more", limit)
		}
		r, err := read()
		if err != nil {
			return err
		}
		return a.history(cmd.Context(), topic, row, limit, cursor, r)
	}
	return cmd
}

func (a *app) history(ctx context.Context, topic, row string, limit int, cursor string, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		end, err := page(a, entryLine, func(each func(api.HistoryEntry) error) (api.HistoryEnd, error) {
			return l.History(ctx, a.space, topic, row, limit, cursor, r, each)
		})
		if err == nil {
			a.pageEnd(end.Behind, fmt.Sprintf("%s edits", comma(int64(end.Edits))), end.Token, end.Next)
		}
		return err
	})
}

// shortID is how many letters of an author's id tell authors apart for people.
const shortID = 6

// place shows an author's memo in short: the end of its id, and its number.
func place(h api.Head) string {
	return fmt.Sprintf("%s#%d", h.Author[max(0, len(h.Author)-shortID):], h.Seq)
}

// clock shows a memo's time.
func clock(t uint64) string {
	return time.UnixMilli(int64(memo.Time(t).Millis())).UTC().Format("2006-01-02T15:04:05.000Z")
}

func entryLine(w io.Writer, e api.HistoryEntry) error {
	head := api.Head{Author: e.Author, Seq: e.Seq}
	parts := []string{fmt.Sprintf("%-12s", place(head)), clock(e.Time), e.ID}
	if e.Tombstone {
		parts = append(parts, "-*")
	}
	for i := range e.Operations {
		parts = append(parts, operationText(&e.Operations[i]))
	}
	if len(e.Causes) > 0 {
		after := make([]string, len(e.Causes))
		for i, h := range e.Causes {
			after[i] = place(h)
		}
		parts = append(parts, "after "+strings.Join(after, " "))
	}
	if e.VouchedBy != "" {
		parts = append(parts, "not held; adopted from "+e.VouchedBy)
	}
	if text := apartText(e); text != "" {
		parts = append(parts, text)
	}
	_, err := fmt.Fprintln(w, strings.Join(parts, "\t"))
	return err
}

// apartText tells of edits that the author of e had not seen.
func apartText(e api.HistoryEntry) string {
	if len(e.Concurrent) == 0 {
		return ""
	}
	text := "concurrent with"
	if e.Undecided {
		text = "unknown whether it saw"
	}
	for _, c := range e.Concurrent {
		text += " " + place(c.Head)
		if c.Edits > 1 {
			text += fmt.Sprintf(" (and %d before it)", c.Edits-1)
		}
	}
	return text
}

// operationText shows what a memo did to a field.
func operationText(o *api.Operation) string {
	text := plain(string(o.Field))
	switch {
	case o.Deleted:
		return "-" + text
	case o.Type == "register":
		return text + "=" + showValue(o.Value)
	case o.Type == "counter":
		return fmt.Sprintf("%s+%d-%d", text, o.Plus, o.Minus)
	}
	if o.Value != nil {
		text += "=" + showValue(o.Value)
	}
	if len(o.Add) > 0 {
		text += "+" + showSet(o.Add)
	}
	if o.Removed > 0 {
		text += fmt.Sprintf("-%d", o.Removed)
	}
	return text
}

// showValue shows a value that came as JSON, in which null and none are one.
func showValue(v *api.Value) string {
	if v == nil {
		return show(memo.Null())
	}
	return show(memo.Value(*v))
}

func showSet(elements []api.Value) string {
	texts := make([]string, len(elements))
	for i := range elements {
		texts[i] = showValue(&elements[i])
	}
	return "{" + strings.Join(texts, ", ") + "}"
}
