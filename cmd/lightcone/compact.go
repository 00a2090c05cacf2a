package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newCompactCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compact",
		Short: "Delete the bodies of memos behind a checkpoint",
		Long: "Write a checkpoint of every space of the node and delete the log before it, in whole segments: the bodies of memos\n" +
			"go, rows and their digest stay. Peers that lack those memos are given the state. All spaces of the node must have\n" +
			"been created with --trust adopt. Histories and watches cannot go back behind the checkpoint.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compact(cmd.Context()) },
	}
}

func (a *app) compact(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		done, err := l.Compact(ctx)
		if err != nil {
			return err
		}
		return a.print(done, func(w io.Writer) error { return compacted(w, done) })
	})
}

func compacted(w io.Writer, done api.Compacted) error {
	_, err := fmt.Fprintf(w, "log  %s bytes, were %s\n", comma(done.After), comma(done.Before))
	return err
}
