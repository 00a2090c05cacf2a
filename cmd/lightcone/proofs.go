package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

// peerOptions are what peers does about those who signed false states.
type peerOptions struct {
	proofs bool
	export string // directory
	accuse string // file
	pardon string // id
}

func (o *peerOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.proofs, "proofs", false, "list the proofs that peers signed false states, with the rows concerned")
	f.StringVar(&o.export, "export", "", "write the evidence of all proofs to files in `DIR`; anyone can check it")
	f.StringVar(&o.accuse, "accuse", "", "check and keep the evidence in `FILE`, which was found elsewhere")
	f.StringVar(&o.pardon, "pardon", "", "forget the proofs against `PEER`: its states are adopted again")
	cmd.MarkFlagsMutuallyExclusive("proofs", "export", "accuse", "pardon")
}

func (o *peerOptions) any() bool {
	return o.proofs || o.export != "" || o.accuse != "" || o.pardon != ""
}

// aboutLiars does what o says.
func (a *app) aboutLiars(ctx context.Context, o peerOptions) error {
	return a.with(ctx, func(l *link) error {
		switch {
		case o.accuse != "":
			data, err := os.ReadFile(o.accuse)
			if err != nil {
				return err
			}
			p, err := l.Accuse(ctx, a.space, api.Evidence{Evidence: data})
			if err != nil {
				return err
			}
			return a.printProofs([]api.Proof{p})
		case o.pardon != "":
			p, err := l.Pardon(ctx, a.space, o.pardon)
			if err != nil {
				return err
			}
			a.say("%s is pardoned in space %q; %d proofs are forgotten", o.pardon, a.space, p.Proofs)
			return nil
		}
		st, err := l.Status(ctx)
		if err != nil {
			return err
		}
		all := []api.Proof{}
		for _, s := range st.Spaces {
			all = append(all, s.Proofs...)
		}
		if o.export != "" {
			if err := export(ctx, l, all, o.export); err != nil {
				return err
			}
		}
		if len(all) == 0 {
			a.say("no peer is known to have signed a false state")
		}
		return a.printProofs(all)
	})
}

// export writes a file for each proof.
func export(ctx context.Context, l *link, proofs []api.Proof, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range proofs {
		e, err := l.Evidence(ctx, p.ID)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, p.ID+".lie"), e.Evidence, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printProofs(proofs []api.Proof) error {
	return a.print(proofs, func(w io.Writer) error {
		t := table{}
		for _, p := range proofs {
			t.add(p.Peer, proofText(p))
			t.add("", "proof "+p.ID)
		}
		return t.write(w)
	})
}

// proofText says which row is concerned, and by what memo that is known.
func proofText(p api.Proof) string {
	what := "says of memo %s what that did not do"
	if p.Omitted {
		what = "lacks what memo %s did"
	}
	return fmt.Sprintf("signed a state in which row %s of %s "+what+"; what was adopted stays: write the row anew",
		plain(p.Row.Escape()), plain(p.Topic), p.Memo.Digest)
}
