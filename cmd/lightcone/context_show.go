package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node/api"
)

// tokenHead is a head as a token names it: Author and Digest are 8 bytes in hex,
// Author is the whole id where this node knows it.
type tokenHead struct {
	Author  string `json:"author"`
	Seq     uint64 `json:"seq"`
	Digest  string `json:"digest"`
	Covered *bool  `json:"covered,omitempty"` // by this node; absent when nobody was asked
}

func (h tokenHead) String() string { return fmt.Sprintf("%s #%d %s", h.Author, h.Seq, h.Digest) }

func headsOf(heads []causal.TokenHead) []tokenHead {
	out := make([]tokenHead, 0, len(heads))
	for _, h := range heads {
		out = append(out, tokenHead{Author: hex8(h.Author), Seq: h.Seq, Digest: hex8(h.Digest)})
	}
	return out
}

func hex8(b [8]byte) string { return fmt.Sprintf("%x", b) }

// shown is what show prints of a token.
type shown struct {
	Token   string      `json:"token"`
	Space   string      `json:"space"`             // id, or 8 bytes of it in hex
	Name    string      `json:"name,omitempty"`    // of the space, here
	Origin  string      `json:"origin"`            // who issued it: id, or 8 bytes of it in hex
	Covered *bool       `json:"covered,omitempty"` // all of it, by this node
	Unknown string      `json:"unknown,omitempty"` // why the node cannot tell what is covered
	Root    string      `json:"root,omitempty"`    // that it names
	Forked  bool        `json:"forked,omitempty"`  // see api.Behind
	Holders []string    `json:"holders,omitempty"` // who may have what is missing
	Heads   []tokenHead `json:"heads"`
}

func (a *app) newContextShowCommand() *cobra.Command {
	var root bool
	cmd := &cobra.Command{
		Use:   "show [TOKEN]",
		Short: "Print what a token names and how much of it is here, or this node's own context of the space",
		Long: "Print what a token names and how much of it is here, or this node's own context of the space.\n" +
			"With --root its token names the root of what is here now: get, scan and export show that state with --at TOKEN,\n" +
			"whatever is written later. A root is kept for a day after its token was issued.",
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVar(&root, "root", false, "make the node's own token name the root of its state")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return a.ownContext(cmd.Context(), root)
		case root:
			return usagef("--root is of the node's own context; leave the token out")
		}
		return a.showContext(cmd.Context(), args[0])
	}
	return cmd
}

// ownContext prints what the node has of the space.
func (a *app) ownContext(ctx context.Context, root bool) error {
	return a.with(ctx, func(l *link) error {
		ask := l.Context
		if root {
			ask = l.RootContext
		}
		k, err := ask(ctx, a.space)
		if err != nil {
			return err
		}
		return a.print(k, func(w io.Writer) error {
			t := table{}
			t.add("token", k.Token)
			t.addContext(k)
			return t.write(w)
		})
	})
}

// addContext shows the root of a context, how much is below it, and what is loose.
func (t *table) addContext(k api.Context) {
	if k.Root != "" {
		t.add("root", k.Root)
		t.add("below", fmt.Sprintf("%s memos", comma(int64(k.Below))))
	}
	for _, h := range k.Heads {
		t.add("head", fmt.Sprintf("%s #%d %s", h.Author, h.Seq, h.Digest))
	}
}

// rootText shows a token's root, "" for none.
func rootText(id memo.ID) string {
	if id.IsZero() {
		return ""
	}
	return id.String()
}

// showContext decodes a token, and compares it with a node if there is one.
func (a *app) showContext(ctx context.Context, text string) error {
	tokens, err := parseTokens(text)
	if err != nil {
		return err
	}
	t := tokens[0]
	out := shown{Token: text, Space: hex8(t.Space), Origin: hex8(t.Origin), Root: rootText(t.Root), Heads: headsOf(t.Heads)}
	if missing := a.exists(); missing != nil {
		a.say("no node to compare with: %v", missing)
	} else if err := a.with(ctx, func(l *link) error { return out.compare(ctx, l.Client, t) }); err != nil {
		return err
	}
	return a.print(out, out.write)
}

// compare fills in what a node knows of the token.
func (s *shown) compare(ctx context.Context, c *api.Client, t causal.Token) error {
	st, err := c.Status(ctx)
	if err != nil {
		return err
	}
	names := []string{st.ID}
	for _, sp := range st.Spaces {
		id, err := memo.ParseSpaceID(sp.ID)
		if err != nil {
			return err
		}
		if [8]byte(id[:8]) != t.Space {
			continue
		}
		s.Space, s.Name = sp.ID, sp.Name
		for _, m := range sp.Members {
			names = append(names, m.Peer)
		}
	}
	if s.Name == "" {
		return nil // not a space of this node
	}
	k, err := c.Context(ctx, s.Space)
	if err != nil {
		return err
	}
	names = append(names, k.Authors...)
	// A read under the token says what of it is not here.
	behind := &api.Behind{}
	_, err = c.Count(ctx, s.Space, api.Query{Topic: "-"}, api.Read{Context: s.Token, Wait: -1})
	if isProblem(err, api.Stale) {
		behind, err = api.ProblemOf(err).Behind, nil
	}
	if isProblem(err, api.ContextUnavailable) {
		s.Unknown = api.ProblemOf(err).Detail
		return nil
	}
	if err != nil {
		return err
	}
	s.settle(behind, names)
	return nil
}

// settle marks what is covered and completes ids from those known here.
func (s *shown) settle(behind *api.Behind, names []string) {
	lacking := map[string]bool{}
	for _, h := range behind.Missing {
		lacking[fmt.Sprint(h.Seq, h.Digest)] = true
	}
	full := map[string]string{}
	for _, name := range names {
		if id, err := memo.ParseAuthor(name); err == nil {
			full[hex8([8]byte(id[:8]))] = name
		}
	}
	complete := func(short *string) {
		if id, ok := full[*short]; ok {
			*short = id
		}
	}
	complete(&s.Origin)
	all := true
	for i := range s.Heads {
		h := &s.Heads[i]
		covered := !lacking[fmt.Sprint(h.Seq, h.Digest)]
		h.Covered, all = &covered, all && covered
		complete(&h.Author)
	}
	s.Covered, s.Forked, s.Holders = &all, behind.Forked, behind.Holders
}

func (s shown) write(w io.Writer) error {
	t := table{}
	t.add("space", strings.TrimSpace(s.Space+"  "+s.Name))
	t.add("origin", s.Origin)
	if s.Root != "" {
		t.add("root", s.Root)
	}
	for _, h := range s.Heads {
		verdict := ""
		if h.Covered != nil && *h.Covered {
			verdict = "  here"
		} else if h.Covered != nil {
			verdict = "  missing"
		}
		t.add("head", h.String()+verdict)
	}
	switch {
	case s.Unknown != "":
		t.add("covered", "unknown: "+s.Unknown)
	case s.Covered == nil:
		t.add("covered", "unknown: no node with this space was asked")
	case *s.Covered:
		t.add("covered", "yes")
	case s.Forked:
		t.add("covered", "never: another memo stands at one of these places")
	case len(s.Holders) > 0:
		t.add("covered", "no; these peers may have what is missing: "+strings.Join(s.Holders, " "))
	default:
		t.add("covered", "no; nobody connected is known to have what is missing")
	}
	return t.write(w)
}
