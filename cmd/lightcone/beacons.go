package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newBeaconsCommand() *cobra.Command {
	var held bool
	var late string
	var release []string
	cmd := &cobra.Command{
		Use:   "beacons",
		Short: "Show who pings, how often, and what everybody has",
		Long: "Show the beacons of the space: their last pings and what they claimed to have then, the rate of pings beside its\n" +
			"target, the stability cut, which is what everybody had, memos that came later than that, and how far this node is behind.\n\n" +
			"With --late quarantine late memos are held back on this node: peers see no difference, but nothing here shows them until they\n" +
			"are released with --release, or a memo that is not late depends on them. --late accept releases all. --held lists them.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case late != "" && !slices.Contains(latePolicies, late):
				return usagef("--late %s; it is one of %s", late, strings.Join(latePolicies, ", "))
			case late != "" && len(release) > 0:
				return usagef("--late and --release in one; do one after the other")
			case late != "":
				return a.setLate(cmd.Context(), late)
			case len(release) > 0:
				return a.releaseLate(cmd.Context(), release)
			case held:
				return a.heldLate(cmd.Context())
			}
			return a.beacons(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&held, "held", false, "list late memos that are held back")
	cmd.Flags().StringVar(&late, "late", "", "accept late memos of the space, hold them back in quarantine, or default: as `lightcone up --late` says (remembered)")
	cmd.Flags().StringArrayVar(&release, "release", nil, "attach what is held back of an author, or all (repeatable)")
	return cmd
}

func (a *app) beacons(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		b, err := l.Beacons(ctx, a.space)
		if err != nil {
			return err
		}
		switch {
		case l.own():
			a.say("no node runs here, so nothing is measured and nothing is pinged; start it with `lightcone up`")
		case len(b.Beacons) == 0:
			a.say("nobody has pinged yet: there are no peers, or nothing was written")
		}
		return a.print(b, func(w io.Writer) error { return beaconsText(w, b) })
	})
}

func beaconsText(w io.Writer, b api.Beacons) error {
	t := table{}
	for _, p := range b.Beacons {
		who := p.ID
		if p.Self {
			who += " (this node)"
		}
		claim := "its claim is not known here"
		if p.Claim != nil {
			claim = fmt.Sprintf("had all but %s memos at ping #%d", comma(int64(p.Behind)), p.Claim.Seq)
		}
		t.add(who, fmt.Sprintf("ping #%d %s ago, refers to %d; %s", p.Ping.Seq, seconds(p.Age), p.Refs, claim))
	}
	rate := fmt.Sprintf("%.2f/s, target %g/s", b.Rate, b.Target)
	if b.Silent {
		rate += "; this node writes none"
	} else {
		rate += fmt.Sprintf("; this node pings with a chance of %.3g a second, given news", b.Chance)
	}
	t.add("pings", rate)
	t.add("authors", fmt.Sprintf("about %.0f in 24 hours", b.Authors))
	t.add("stable", stableText(b.Stable))
	if len(b.Late.Held) > 0 {
		t.add("held", fmt.Sprintf("late memos of %d authors; see --held", len(b.Late.Held)))
	}
	if b.Late.Memos > 0 {
		t.add("late", fmt.Sprintf("%s memos came that are older than what everybody had", comma(int64(b.Late.Memos))))
	}
	t.add("lag", lagText(b.Lag))
	return t.write(w)
}

func stableText(s api.Stable) string {
	if s.Known < s.Roster {
		return fmt.Sprintf("nothing yet: the claims of %d of %d beacons are known", s.Known, s.Roster)
	}
	text := fmt.Sprintf("%s memos, which all %d beacons had", comma(int64(s.Memos)), s.Roster)
	if s.Time != nil {
		text += " at " + s.Time.Local().Format(time.DateTime)
	}
	return text
}

func lagText(l api.Lag) string {
	if l.Memos == 0 {
		return "none: this node has all that its peers said they have"
	}
	text := fmt.Sprintf("%s memos of %d beacons", comma(int64(l.Memos)), l.Beacons)
	if l.Seconds > 0 {
		text += fmt.Sprintf(", at most about %s", seconds(l.Seconds))
	}
	return text
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}
