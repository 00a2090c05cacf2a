package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newGrantCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "grant PEER",
		Short: "Let a peer write into a space of members",
		Long: "Let a peer, named by its id, write into a space of members. With --role granter it may grant as well, and revoke\n" +
			"whom it granted. A peer that is not in the space yet needs a ticket: `lightcone ticket --scope write` does both.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if role != api.RoleWriter && role != api.RoleGranter {
				return usagef("--role %s; it is writer or granter", role)
			}
			return a.rule(cmd.Context(), "is a "+role+" now", "was that already", func(l *link) (api.Ruled, error) {
				return l.Grant(cmd.Context(), a.space, api.NewGrant{Peer: args[0], Role: role})
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", api.RoleWriter, "writer or granter")
	return cmd
}

func (a *app) newRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke PEER",
		Short: "Take a peer's grant back, for good",
		Long: "Take a peer's grant back, for good. What it wrote so far stays. What it writes from now on attaches nowhere, unless\n" +
			"a member that had not heard of the revocation yet built on it. Its key is served no more; but it knows the space's\n" +
			"secret, and may read with another key: to keep something from it, create another space.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rule(cmd.Context(), "is revoked", "was revoked already", func(l *link) (api.Ruled, error) {
				return l.Revoke(cmd.Context(), a.space, args[0])
			})
		},
	}
}

// rule carries out a grant or a revocation and says what became of it.
func (a *app) rule(ctx context.Context, done, already string, f func(l *link) (api.Ruled, error)) error {
	return a.with(ctx, func(l *link) error {
		r, err := f(l)
		if err != nil {
			return err
		}
		if r.ID == "" {
			done = already
		}
		a.say("%s %s in space %q", r.Peer, done, a.space)
		return a.print(r, func(w io.Writer) error {
			if r.ID == "" {
				return nil
			}
			_, err := fmt.Fprintln(w, r.ID)
			return err
		})
	})
}

func (a *app) newSpaceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "space",
		Short: "List the spaces of this node, or create one",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("space alone does nothing; add list, create NAME or members")
		},
	}
	var trust, rights string
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a space",
		Long:  "Create a space. Into one of --rights members only who was granted it writes. What --rights and --trust say is for good.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			policy, err := policyOf(args[0], trust, rights)
			if err != nil {
				return err
			}
			return a.createSpace(cmd.Context(), policy)
		},
	}
	policyFlags(create, &trust, &rights)
	cmd.AddCommand(create, &cobra.Command{
		Use:   "list",
		Short: "List the spaces of this node",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.listSpaces(cmd.Context()) },
	}, &cobra.Command{
		Use:   "members",
		Short: "List who may write into a space of members, and who was revoked",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.listMembers(cmd.Context()) },
	})
	return cmd
}

func (a *app) createSpace(ctx context.Context, policy api.NewSpace) error {
	return a.with(ctx, func(l *link) error {
		s, err := l.CreateSpace(ctx, policy)
		if err != nil {
			return err
		}
		a.say("created space %q; use it with --space %s", s.Name, s.Name)
		return a.print(s, func(w io.Writer) error { return spacesText(w, []api.Space{s}) })
	})
}

func (a *app) listSpaces(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		list, err := l.Spaces(ctx)
		if err != nil {
			return err
		}
		return a.print(list, func(w io.Writer) error { return spacesText(w, list) })
	})
}

func spacesText(w io.Writer, list []api.Space) error {
	t := table{}
	for _, s := range list {
		t.add(s.Name, fmt.Sprintf("%s  %s, this node: %s, %s memos of %d author(s)", s.ID, s.Rights, s.Standing, comma(int64(s.Memos)), s.Authors))
	}
	return t.write(w)
}

func (a *app) listMembers(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		list, err := l.Members(ctx, a.space)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			a.say("space %q is open: whoever takes part writes", a.space)
		}
		return a.print(list, func(w io.Writer) error {
			t := table{}
			for _, m := range list {
				text := m.Role
				if m.LastGood > 0 {
					text += fmt.Sprintf(" behind its memo %d", m.LastGood)
				}
				t.add(m.Peer, text)
			}
			return t.write(w)
		})
	})
}
