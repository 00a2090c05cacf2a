package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"lightcone/node"
	"lightcone/node/api"
)

func (a *app) newTicketCommand() *cobra.Command {
	var expires time.Duration
	var uses int
	var scope, withdraw string
	var qr, list bool
	cmd := &cobra.Command{
		Use:   "ticket",
		Short: "Print a ticket by which another node joins the space",
		Long: "Print a ticket by which another node joins the space. It is a secret until it is used up. With --qr it is drawn, too.\n" +
			"In a space of members --scope says what who joins may do: read, write, or grant; this node then writes the grant.\n" +
			"--list shows the tickets of this node that may still be used, --revoke ends one of them.\n" +
			"The node must run: see `lightcone up`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case expires <= 0 || uses <= 0:
				return usagef("a ticket that expires in %v after %d uses is no ticket; use positive numbers", expires, uses)
			case list:
				return a.tickets(cmd.Context())
			case withdraw != "":
				return a.withdraw(cmd.Context(), withdraw)
			}
			if _, err := node.ParseScope(scope); err != nil {
				return usagef("--scope %s; it is read, write or grant", scope)
			}
			return a.ticket(cmd.Context(), api.NewTicket{Expires: expires.String(), Uses: uses, Scope: scope}, qr)
		},
	}
	cmd.Flags().DurationVar(&expires, "expires", node.DefaultTicketExpiry, "how long the ticket is good for")
	cmd.Flags().IntVar(&uses, "uses", node.DefaultTicketUses, "how many nodes may use it")
	cmd.Flags().StringVar(&scope, "scope", node.ScopeWrite.String(), "read, write or grant")
	cmd.Flags().BoolVar(&qr, "qr", false, "draw it as a QR code")
	cmd.Flags().BoolVar(&list, "list", false, "list the tickets that may still be used")
	cmd.Flags().StringVar(&withdraw, "revoke", "", "the id of a ticket, as --list shows it, that is to end")
	return cmd
}

func (a *app) ticket(ctx context.Context, ask api.NewTicket, qr bool) error {
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := c.Ticket(ctx, a.space, ask)
	if err != nil {
		return err
	}
	a.say("for space %q, %d use(s), to %s, until %s; on the other machine: lightcone join TICKET",
		t.Name, t.Uses, t.Scope, t.Expires.Local().Format(time.DateTime))
	return a.print(t, func(w io.Writer) error {
		var drawn strings.Builder
		if qr {
			qrterminal.GenerateHalfBlock(t.Link, qrterminal.L, &drawn)
		}
		_, err := fmt.Fprintf(w, "%s\n%s", t.Ticket, drawn.String())
		return err
	})
}

// tickets lists the open tickets. Like all that is about tickets it asks the node that
// runs, which counts their uses.
func (a *app) tickets(ctx context.Context) error {
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Tickets(ctx, a.space)
	if err != nil {
		return err
	}
	return a.print(list, func(w io.Writer) error {
		t := table{}
		for _, k := range list {
			t.add(k.ID, fmt.Sprintf("%-5s  used %d of %d times, until %s", k.Scope, len(k.UsedBy), k.Uses, k.Expires.Local().Format(time.DateTime)))
		}
		return t.write(w)
	})
}

func (a *app) withdraw(ctx context.Context, id string) error {
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Withdraw(ctx, a.space, id); err != nil {
		return err
	}
	a.say("the ticket is worthless now; who joined with it stays, see `lightcone revoke`")
	return nil
}
