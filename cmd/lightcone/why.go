package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newWhyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why TOPIC/ROW [FIELD…]",
		Short: "Explain why a row shows what it shows",
		Long: "Explain why a row, or some fields of it, show what they show: the value, the rule that decided, the memos it comes\n" +
			"from, and the edits that lost: before (what won had seen them), concurrent (neither had seen the other), after, or unknown.\n" +
			"Order is decided by the links between memos, never by clocks.",
		Example: "  lightcone why airports/00M name",
		Args:    cobra.MinimumNArgs(1),
	}
	return onRow(cmd, a.why)
}

func (a *app) why(ctx context.Context, topic, row string, fields []string, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		e, err := l.Why(ctx, a.space, topic, row, fields, r)
		if err != nil {
			return err
		}
		a.behindWarning(e.Behind)
		a.say("context %s", e.Token)
		return a.print(e, func(w io.Writer) error {
			if e.Tombstone != nil {
				fmt.Fprintf(w, "row last deleted by %s\n", source(*e.Tombstone))
			}
			for i := range e.Fields {
				if err := fieldWhy(w, &e.Fields[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func fieldWhy(w io.Writer, f *api.FieldWhy) error {
	shown := "nothing"
	switch {
	case f.Live && f.Type == "set":
		shown = showSet(f.Elements)
	case f.Live:
		shown = showValue(f.Value)
	}
	t := table{}
	t.add(plain(string(f.Field)), shown)
	t.add("  rule", f.Rule)
	for i := range f.From {
		from := strings.TrimLeft(share(f, &f.From[i])+"  "+source(f.From[i].Stamp), " ")
		if by := f.From[i].VouchedBy; by != "" {
			from += ", not held; adopted from " + by
		}
		t.add("  from", from)
	}
	for i := range f.Lost {
		t.add("  lost", lostText(&f.Lost[i]))
	}
	if f.More > 0 {
		t.add("  lost", fmt.Sprintf("and %s more", comma(int64(f.More))))
	}
	if len(f.Others) > 0 {
		t.add("  also", "cells of other types, written earlier: "+strings.Join(f.Others, ", "))
	}
	return t.write(w)
}

// share shows what a memo has of a value that several made.
func share(f *api.FieldWhy, s *api.Source) string {
	switch {
	case f.Live && f.Type == "counter":
		return fmt.Sprintf("+%d-%d", s.Plus, s.Minus)
	case f.Live && f.Type != "register":
		return showValue(s.Value)
	}
	return ""
}

func lostText(l *api.Lost) string {
	did := "-*"
	if l.Operation != nil {
		did = operationText(l.Operation)
	}
	text := did + "  " + source(l.Stamp) + "  " + l.Order
	if l.To != nil {
		text += ", to " + place(l.To.Head)
	}
	return text
}

// source shows a memo: author, number, time and id.
func source(s api.Stamp) string {
	return place(s.Head) + "  " + clock(s.Time) + "  " + s.Digest
}
