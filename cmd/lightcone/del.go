package main

import (
	"context"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newDelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "del TOPIC/ROW [FIELD…]",
		Short: "Delete a row, or some fields of it, and print the context that covers it",
		Long: "Delete a row, or some fields of it. Prints a context token that covers the deletion.\n" +
			"What is deleted is what this node has; what another peer writes later, or has written later already, stays.\n" +
			"Deleting what is not there is exit status 3.",
		Example: "  lightcone del airports/00M\n  lightcone del airports/00M elevation",
		Args:    cobra.MinimumNArgs(1),
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
		return a.del(cmd.Context(), topic, row, args[1:], u)
	}
	return cmd
}

// del looks before it deletes: a typing error is told, and the deletion comes
// after everything that it deletes.
func (a *app) del(ctx context.Context, topic, row string, fields []string, u under) error {
	return a.with(ctx, func(l *link) error {
		seen, err := l.Row(ctx, a.space, topic, row, fields, api.Read{Context: u.context, Wait: u.wait})
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
		return a.update(ctx, l, e, under{seen.Token, u.wait})
	})
}
