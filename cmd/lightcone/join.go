package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lightcone/node"
	"lightcone/node/api"
)

const (
	// defaultJoinWait is how long join waits for the first sync.
	defaultJoinWait = 30 * time.Second
	// joinPoll is how often it looks.
	joinPoll = 50 * time.Millisecond
)

func (a *app) newJoinCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "join TICKET|LINK",
		Short: "Enter the space of a ticket and fetch what is in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.join(cmd.Context(), args[0], wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", defaultJoinWait, "how long to wait until this node has what its peers have")
	return cmd
}

// joined is what join prints.
type joined struct {
	Space  api.Space `json:"space"`
	Synced bool      `json:"synced"` // this node has what a connected peer has
}

func (a *app) join(ctx context.Context, ticket string, wait time.Duration) (err error) {
	if _, err := node.ParseTicket(ticket); err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("create %s: %w; name another --dir", a.dir, err)
	}
	l, err := a.connect(ctx, func(l *link, n *node.Node) error {
		var o netOptions
		if err := o.recall(a.dir, pflag.NewFlagSet("join", pflag.ContinueOnError)); err != nil {
			return err
		}
		srv, err := a.serve(context.WithoutCancel(ctx), n, o, a.logger(slog.LevelWarn))
		if err == nil {
			l.closers = append(l.closers, srv.Close)
		}
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var out joined
	if out.Space, err = l.Join(ctx, ticket); err != nil {
		return err
	}
	if out.Synced, out.Space, err = firstSync(ctx, l.Client, out.Space, wait); err != nil {
		return err
	}
	state := "in step with its peers"
	if !out.Synced {
		state = "not in step with its peers yet"
	}
	a.say("joined space %q: %d memos, %s", out.Space.Name, out.Space.Memos, state)
	if l.own() {
		a.say("next: `lightcone up` to stay connected")
	}
	return a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "space  %s  %s\n", out.Space.Name, out.Space.ID)
		return err
	})
}

// firstSync waits until the node has all that a connected peer of the space has,
// or until wait is over, which is no error.
func firstSync(ctx context.Context, c *api.Client, s api.Space, wait time.Duration) (bool, api.Space, error) {
	for end := time.Now().Add(wait); ; {
		st, err := c.Status(ctx)
		if err != nil {
			return false, s, err
		}
		for _, got := range st.Spaces {
			if got.ID != s.ID {
				continue
			}
			s = got.Space
			for _, m := range got.Members {
				if m.Connected && m.Ahead == 0 && m.Lacks == 0 && s.Memos > 0 {
					return true, s, nil
				}
			}
		}
		if time.Now().After(end) {
			return false, s, nil
		}
		select {
		case <-time.After(joinPoll):
		case <-ctx.Done():
			return false, s, ctx.Err()
		}
	}
}
