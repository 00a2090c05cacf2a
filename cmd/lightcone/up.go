package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/node"
	"lightcone/node/api"
)

func (a *app) newUpCommand() *cobra.Command {
	var o netOptions
	var silent bool
	var late string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run the node and serve its spaces to peers, until stopped",
		Long: "Run the node and serve its spaces to peers until SIGINT, SIGTERM or a stop through the API.\n" +
			"A port 0 becomes a free port, and the same one at the next start. Browsers and proxies reach addresses that end in /ws.\n" +
			"docs/network.md says more about ports, relays and the rendezvous.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.recall(a.dir, cmd.Flags()); err != nil {
				return err
			}
			own := node.Options{Silent: silent, Late: node.LatePolicy(late), Budget: o.Budget, MemosOnly: o.MemosOnly}
			if err := own.Validate(); err != nil {
				return &usageError{err}
			}
			return a.up(cmd.Context(), o, own)
		},
	}
	o.flags(cmd.Flags())
	cmd.Flags().BoolVar(&silent, "silent", false, "write no pings: nobody learns by them what this node has")
	cmd.Flags().StringVar(&late, "late", "", "accept late memos, or hold them back in quarantine; see `lightcone beacons` (remembered; at first accept)")
	return cmd
}

// ready is what up prints once the node serves.
type ready struct {
	Ready   bool        `json:"ready"`
	Peer    string      `json:"peer"`
	Addrs   []string    `json:"addrs"`
	Spaces  []api.Space `json:"spaces"`
	Control string      `json:"control"` // base address of the control API
	PID     int         `json:"pid"`
}

func (a *app) up(ctx context.Context, o netOptions, own node.Options) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	log := a.logger(slog.LevelInfo)
	own.Logger = log
	n, err := a.openHere(ctx, own)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	srv, err := a.serve(context.WithoutCancel(ctx), n, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	ctl, err := api.Listen(n, a.dir, api.Options{Stop: stop, Version: version(), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ctl.Close()) }()
	if err := a.announce(ctx, ctl); err != nil {
		return err
	}
	<-ctx.Done()
	log.Info("stopping")
	return nil
}

// openHere opens the node in this process. A directory that another node serves
// is refused at once, one that a short command holds after a moment.
func (a *app) openHere(ctx context.Context, o node.Options) (*node.Node, error) {
	for end := time.Now().Add(lockPatience); ; {
		n, err := node.Open(a.dir, o)
		if err == nil {
			return n, nil
		}
		if c, dialled := api.Dial(ctx, a.dir); dialled == nil {
			c.Close()
			return nil, err
		}
		if err := a.again(ctx, err, end); err != nil {
			return nil, err
		}
	}
}

// announce prints that the node is ready, and what to do next if it has no space.
func (a *app) announce(ctx context.Context, ctl *api.Server) error {
	c := ctl.Client()
	defer c.Close()
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	out := ready{Ready: true, Peer: st.ID, Addrs: st.Addrs, Spaces: []api.Space{}, Control: ctl.URL(), PID: os.Getpid()}
	names := make([]string, 0, len(st.Spaces))
	for _, s := range st.Spaces {
		out.Spaces = append(out.Spaces, s.Space)
		names = append(names, s.Name)
	}
	if len(names) == 0 {
		a.say("this node has no space yet; next: `lightcone init` to create one, or `lightcone join TICKET`")
	}
	return a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "ready   %s\naddrs   %s\nspaces  %s\n",
			out.Peer, strings.Join(out.Addrs, " "), strings.Join(names, " "))
		return err
	})
}
