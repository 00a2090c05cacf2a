package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newDelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "del TOPIC/ROW [FIELD…]",
		Short: "Delete a row, or some fields of it, and print the context that covers it",
		Long: "Delete a row, or some fields of it. Prints a context token that covers the deletion.\n" +
			"What is deleted is what this node has; what another peer writes later, or has written later already, stays.\n" +
			"Deleting what is not there is exit status 3.",
		Example: "  lightcone del airports/00M\n  lightcone del airports/00M elevation",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, row, err := splitPath(args[0])
			if err != nil {
				return err
			}
			return a.del(cmd.Context(), topic, row, args[1:])
		},
	}
}

// del looks before it deletes: a typing error is told, and the deletion comes
// after everything that it deletes.
func (a *app) del(ctx context.Context, topic, row string, fields []string) error {
	return a.with(ctx, func(l *link) error {
		seen, err := l.Row(ctx, a.space, topic, row, fields, api.Read{})
		if err != nil {
			return err
		}
		e := api.Edit{Topic: topic, Row: api.Name(row), Delete: len(fields) == 0}
		if !e.Delete {
			names := map[api.Name]bool{} // those of fields that exist
			for name := range seen.Fields {
				names[api.Name(name)] = true
			}
			for _, c := range seen.Cells {
				names[c.Field] = true
			}
			e.DeleteFields = sortedKeys(names)
		}
		r, err := l.Update(ctx, a.space, api.Update{Edits: []api.Edit{e}, Context: seen.Token})
		if err != nil {
			return err
		}
		return a.print(r, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, r.Token)
			return err
		})
	})
}
