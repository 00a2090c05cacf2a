package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"lightcone/node"
	"lightcone/node/api"
)

func (a *app) newTicketCommand() *cobra.Command {
	var expires time.Duration
	var uses int
	cmd := &cobra.Command{
		Use:   "ticket",
		Short: "Print a ticket by which another node joins the space",
		Long:  "Print a ticket by which another node joins the space. It is a secret until it is used up.\nThe node must run: see `lightcone up`.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if expires <= 0 || uses <= 0 {
				return usagef("a ticket that expires in %v after %d uses is no ticket; use positive numbers", expires, uses)
			}
			return a.ticket(cmd.Context(), expires, uses)
		},
	}
	cmd.Flags().DurationVar(&expires, "expires", node.DefaultTicketExpiry, "how long the ticket is good for")
	cmd.Flags().IntVar(&uses, "uses", node.DefaultTicketUses, "how many nodes may use it")
	return cmd
}

func (a *app) ticket(ctx context.Context, expires time.Duration, uses int) error {
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := c.Ticket(ctx, a.space, expires, uses)
	if err != nil {
		return err
	}
	a.say("for space %q, %d use(s), until %s; on the other machine: lightcone join TICKET",
		t.Name, t.Uses, t.Expires.Local().Format(time.DateTime))
	return a.print(t, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, t.Ticket)
		return err
	})
}
