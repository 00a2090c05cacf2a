package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

func (a *app) newStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say what the node has, what is missing, and who has it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.status(cmd.Context()) },
	}
}

func (a *app) status(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		st, err := l.Status(ctx)
		if err != nil {
			return err
		}
		if l.own() {
			a.say("no node runs here; start it with `lightcone up`")
		}
		return a.print(st, func(w io.Writer) error { return statusText(w, st) })
	})
}

func statusText(w io.Writer, st api.Status) error {
	t := table{}
	t.add("peer", st.ID)
	t.add("dir", st.Dir)
	if st.Online {
		t.add("addrs", strings.Join(st.Addrs, " "))
		t.add("traffic", fmt.Sprintf("sent %s, received %s bytes", comma(st.Traffic.Sent), comma(st.Traffic.Received)))
	}
	t.add("log", comma(st.LogBytes)+" bytes")
	if st.Pending > 0 {
		t.add("pending", fmt.Sprintf("%d runs wait for what caused them", st.Pending))
	}
	if st.Refused+st.Invalid > 0 {
		t.add("refused", fmt.Sprintf("%d runs, %d messages that broke a rule", st.Refused, st.Invalid))
	}
	for _, s := range st.Spaces {
		t.add("space", fmt.Sprintf("%s  %s", s.Name, s.ID))
		t.add("", fmt.Sprintf("%s memos of %d author(s)", comma(int64(s.Memos)), s.Authors))
		for _, m := range s.Members {
			t.add("", memberText(m))
		}
	}
	return t.write(w)
}

// memberText says whether a peer is there and what is missing.
func memberText(m api.MemberStatus) string {
	link := "connected"
	if !m.Connected {
		link = "away"
	}
	return fmt.Sprintf("%s  %s, %s", m.Peer, link, lacking(m.Ahead, m.Lacks))
}

// lacking says what is missing, and on which side.
func lacking(ahead, lacks uint64) string {
	switch {
	case ahead > 0 && lacks > 0:
		return fmt.Sprintf("has %s memos we miss, misses %s of ours", comma(int64(ahead)), comma(int64(lacks)))
	case ahead > 0:
		return fmt.Sprintf("has %s memos we miss", comma(int64(ahead)))
	case lacks > 0:
		return fmt.Sprintf("misses %s memos, or has not said yet that it has them", comma(int64(lacks)))
	}
	return "equal"
}
