package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get TOPIC/ROW [FIELD…]",
		Short:   "Print a row, or some fields of it",
		Long:    "Print a row, or some fields of it, one a line. The context of the answer goes to stderr.",
		Example: "  lightcone get airports/00M name city --context TOKEN --wait 5s",
		Args:    cobra.MinimumNArgs(1),
	}
	return onRow(cmd, a.get)
}

// onRow makes cmd, called as TOPIC/ROW [FIELD…] with the flags of reading, call run.
func onRow(cmd *cobra.Command, run func(ctx context.Context, topic, row string, fields []string, r api.Read) error) *cobra.Command {
	read := readFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		topic, row, err := splitPath(args[0])
		if err != nil {
			return err
		}
		r, err := read()
		if err != nil {
			return err
		}
		return run(cmd.Context(), topic, row, args[1:], r)
	}
	return cmd
}

func (a *app) get(ctx context.Context, topic, row string, fields []string, r api.Read) error {
	return a.with(ctx, func(l *link) error {
		got, err := l.Row(ctx, a.space, topic, row, fields, r)
		if err != nil {
			return err
		}
		a.behindWarning(got.Behind)
		a.voucherWarning(got.VouchedBy, 1)
		a.say("context %s", got.Token)
		a.hints(got)
		return a.print(got, func(w io.Writer) error {
			t := shownFields(got)
			return t.write(w)
		})
	})
}
