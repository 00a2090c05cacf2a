package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	causal "lightcone/context"
	"lightcone/node/api"
)

func (a *app) newContextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Show, join, compare and hand over query contexts",
		Long: "A context token names what its holder has seen. Every read and write prints one; --context takes one.\n" +
			"diff and qr need no node, and join only for tokens of different roots.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("context does nothing by itself; add show, join, diff or qr")
		},
	}
	cmd.AddCommand(
		a.newContextShowCommand(),
		&cobra.Command{
			Use:   "join TOKEN TOKEN…",
			Short: "Print one token that covers all of them",
			Long: "Print one token that covers all of them. Tokens that name different roots, or too many heads for one,\n" +
				"are joined by the node, which must have what they name.",
			Args: cobra.MinimumNArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error { return a.joinContexts(cmd.Context(), args) },
		},
		&cobra.Command{
			Use:   "diff TOKEN TOKEN",
			Short: "Print what each of two tokens names that the other does not",
			Long:  "Print what each of two tokens names that the other does not: < for the first, > for the second.",
			Args:  cobra.ExactArgs(2),
			RunE:  func(_ *cobra.Command, args []string) error { return a.diffContexts(args) },
		},
		&cobra.Command{
			Use:   "qr TOKEN",
			Short: "Draw a token as a QR code",
			Args:  cobra.ExactArgs(1),
			RunE:  func(_ *cobra.Command, args []string) error { return a.drawContext(args[0]) },
		},
	)
	return cmd
}

// parseTokens reads the arguments of a command.
func parseTokens(args ...string) ([]causal.Token, error) {
	out := make([]causal.Token, len(args))
	for i, text := range args {
		t, err := causal.ParseToken(text)
		if err == nil && t.IsZero() {
			err = fmt.Errorf("an empty argument is %w", causal.ErrBadToken)
		}
		if err != nil {
			return nil, usagef("%w", err)
		}
		out[i] = t
	}
	return out, nil
}

func (a *app) joinContexts(ctx context.Context, args []string) error {
	tokens, err := parseTokens(args...)
	if err != nil {
		return err
	}
	all := causal.Token{}
	for _, t := range tokens {
		if all, err = causal.JoinTokens(all, t); err != nil {
			break
		}
	}
	if errors.Is(err, causal.ErrTwoRoots) || errors.Is(err, causal.ErrTooManyHeads) {
		if a.exists() != nil { // no node to ask
			return unjoinable(err)
		}
		return a.joinAtNode(ctx, args)
	}
	if err != nil {
		return unjoinable(err)
	}
	return a.print(map[string]string{"token": all.String()}, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, all)
		return err
	})
}

// joinAtNode lets a node that has what the tokens name join them.
func (a *app) joinAtNode(ctx context.Context, args []string) error {
	return a.with(ctx, func(l *link) error {
		k, err := l.JoinContexts(ctx, a.space, api.Read{Context: strings.Join(args, ",")})
		if err != nil {
			return err
		}
		return a.print(map[string]string{"token": k.Token}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, k.Token)
			return err
		})
	})
}

// unjoinable adds the fix to an error about two tokens.
func unjoinable(err error) error {
	if errors.Is(err, causal.ErrOtherSpace) {
		return usagef("%w; give tokens of one space, see `lightcone context show TOKEN`", err)
	}
	if errors.Is(err, causal.ErrTwoRoots) {
		return err
	}
	return fmt.Errorf("%w; let a node that covers them print its own with `lightcone context show`", err)
}

// difference is what diff prints.
type difference struct {
	Roots  []string    `json:"roots,omitempty"` // of both, "" for none, if they differ
	First  []tokenHead `json:"first"`           // named by the first token and not by the second
	Second []tokenHead `json:"second"`
	Equal  bool        `json:"equal"`
}

func (a *app) diffContexts(args []string) error {
	tokens, err := parseTokens(args...)
	if err != nil {
		return err
	}
	first, err := tokens[0].Beyond(tokens[1])
	if err != nil {
		return unjoinable(err)
	}
	second, err := tokens[1].Beyond(tokens[0])
	if err != nil {
		return unjoinable(err)
	}
	out := difference{First: headsOf(first), Second: headsOf(second), Equal: len(first)+len(second) == 0 && tokens[0].Root == tokens[1].Root}
	if tokens[0].Root != tokens[1].Root {
		out.Roots = []string{rootText(tokens[0].Root), rootText(tokens[1].Root)}
	}
	if out.Equal {
		a.say("both name the same")
	}
	return a.print(out, func(w io.Writer) error {
		t := table{}
		for i, root := range out.Roots {
			if root != "" {
				t.add("<>"[i:i+1], "root "+root)
			}
		}
		for _, h := range out.First {
			t.add("<", h.String())
		}
		for _, h := range out.Second {
			t.add(">", h.String())
		}
		return t.write(w)
	})
}

// drawContext draws a token with half blocks, two modules a character.
func (a *app) drawContext(text string) error {
	if _, err := parseTokens(text); err != nil {
		return err
	}
	var drawn strings.Builder
	// The longest token fits a code of the lowest level of error correction.
	qrterminal.GenerateHalfBlock(text, qrterminal.L, &drawn)
	return a.print(map[string]string{"token": text, "qr": drawn.String()}, func(w io.Writer) error {
		_, err := io.WriteString(w, drawn.String())
		return err
	})
}
