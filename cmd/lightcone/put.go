package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newPutCommand() *cobra.Command {
	var multi bool
	cmd := &cobra.Command{
		Use:   "put TOPIC/ROW FIELD=VALUE…",
		Short: "Write fields of a row and print the context that covers it",
		Long: "Write fields of a row; its other fields stay. Prints a context token that covers the write.\n" +
			"Values: x=text, n:=42, f:=1.5, b:=true, z:=null, x=@file for bytes.\n" +
			"Of concurrent writes to a field the last one counts; with --multi both stay until one more write resolves them.",
		Example: "  lightcone put airports/00M name=Thigpen elevation:=351",
		Args:    cobra.MinimumNArgs(2),
	}
	after := writeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u, err := after()
		if err != nil {
			return err
		}
		topic, row, err := splitPath(args[0])
		if err != nil {
			return err
		}
		fields, err := assignments(args[1:])
		if err != nil {
			return err
		}
		e := api.Edit{Topic: topic, Row: api.Name(row), Fields: fields}
		if multi {
			e.Fields, e.Multis = nil, fields
		}
		return a.put(cmd.Context(), e, u)
	}
	cmd.Flags().BoolVar(&multi, "multi", false, "keep concurrent values, and replace those that this node has")
	return cmd
}

func (a *app) put(ctx context.Context, e api.Edit, u under) error {
	return a.with(ctx, func(l *link) error { return a.update(ctx, l, e, u) })
}

// update writes one row and prints the context that covers it.
func (a *app) update(ctx context.Context, l *link, e api.Edit, u under) error {
	r, err := l.UpdateWithin(ctx, a.space, api.Update{Edits: []api.Edit{e}, Context: u.context}, u.wait)
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, r.Token)
		return err
	})
}
