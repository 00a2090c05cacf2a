package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newInitCommand() *cobra.Command {
	var trust, rights string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create the directory, the key and a space",
		Long: "Create the node's directory, its key and the space that --space names. What exists stays as it is.\n" +
			"With --trust adopt the members of the space take each other's word for what memos say whose bodies they do not\n" +
			"hold, so that `lightcone compact` may delete them. With --rights members only who was granted it writes into the\n" +
			"space, see `lightcone ticket --scope` and `lightcone grant`. Both are fixed for good.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := policyOf(a.space, trust, rights)
			if err != nil {
				return err
			}
			return a.init(cmd.Context(), policy)
		},
	}
	policyFlags(cmd, &trust, &rights)
	return cmd
}

// policyFlags are those of commands that make a space.
func policyFlags(cmd *cobra.Command, trust, rights *string) {
	cmd.Flags().StringVar(trust, "trust", "verify", "verify or adopt")
	cmd.Flags().StringVar(rights, "rights", "open", "open or members")
}

// policyOf reads them.
func policyOf(name, trust, rights string) (api.NewSpace, error) {
	switch {
	case trust != "verify" && trust != api.TrustAdopt:
		return api.NewSpace{}, usagef("--trust %s; it is verify or adopt", trust)
	case rights != "open" && rights != api.RightsMembers:
		return api.NewSpace{}, usagef("--rights %s; it is open or members", rights)
	}
	return api.NewSpace{Name: name, Trust: trust, Rights: rights}, nil
}

// made is what init prints.
type made struct {
	Peer    string    `json:"peer"`
	Dir     string    `json:"dir"`
	Space   api.Space `json:"space"`
	Created bool      `json:"created"` // false: the space was there
}

func (a *app) init(ctx context.Context, policy api.NewSpace) (err error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return fmt.Errorf("create %s: %w; name another --dir", a.dir, err)
	}
	l, err := a.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	out := made{Dir: a.dir, Created: true}
	out.Space, err = l.CreateSpace(ctx, policy)
	if isProblem(err, api.SpaceExists) {
		out.Created = false
		out.Space, err = findSpace(ctx, l.Client, a.space)
	}
	if err != nil {
		return err
	}
	st, err := l.Status(ctx)
	if err != nil {
		return err
	}
	out.Peer = st.ID
	if out.Created {
		a.say("created space %q in %s; next: `lightcone put`, `lightcone import`, or `lightcone up` to share it", out.Space.Name, a.dir)
	} else {
		a.say("space %q is there already in %s; nothing changed", out.Space.Name, a.dir)
	}
	return a.print(out, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "peer   %s\nspace  %s  %s\n", out.Peer, out.Space.Name, out.Space.ID)
		return err
	})
}

// findSpace returns the space of that name or id.
func findSpace(ctx context.Context, c *api.Client, nameOrID string) (api.Space, error) {
	list, err := c.Spaces(ctx)
	for _, s := range list {
		if s.Name == nameOrID || s.ID == nameOrID {
			return s, err
		}
	}
	return api.Space{Name: nameOrID}, err
}

// isProblem reports whether err is the problem of that name.
func isProblem(err error, name string) bool {
	return err != nil && api.ProblemOf(err).Name() == name
}
