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

func (a *app) newPeersCommand() *cobra.Command {
	var o peerOptions
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List peers: how they are connected, how far away, and what each lacks",
		Long: "List the peers of all spaces and whoever else is connected: id, connected or away, direct or relayed, transport,\n" +
			"round trip, score, what either side lacks in each space and for how long, and the addresses in use. With --proofs, who signed\n" +
			"a false state, and which rows are concerned.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.any() {
				return a.aboutLiars(cmd.Context(), o)
			}
			return a.peers(cmd.Context())
		},
	}
	o.flags(cmd)
	return cmd
}

// peer is what peers prints of one.
type peer struct {
	ID         string      `json:"id"`
	Connected  bool        `json:"connected"`
	Since      *time.Time  `json:"since,omitempty"` // connected
	Relayed    bool        `json:"relayed"`
	Transports []string    `json:"transports"`
	RTT        float64     `json:"rttMs"` // 0: not measured
	Score      float64     `json:"score"`
	Pinned     bool        `json:"pinned"`
	Addrs      []string    `json:"addrs"` // of its connections
	Spaces     []peerHolds `json:"spaces"`
}

// peerHolds says what either side lacks in one space; see api.MemberStatus.
type peerHolds struct {
	Space      string     `json:"space"`
	Name       string     `json:"name"`
	Ahead      uint64     `json:"ahead"`
	AheadSince *time.Time `json:"aheadSince,omitempty"`
	Lacks      uint64     `json:"lacks"`
	LacksSince *time.Time `json:"lacksSince,omitempty"`
}

func (a *app) peers(ctx context.Context) error {
	return a.with(ctx, func(l *link) error {
		st, err := l.Status(ctx)
		if err != nil {
			return err
		}
		list := peersOf(st)
		switch {
		case l.own():
			a.say("no node runs here, so nobody is connected; start it with `lightcone up`")
		case len(list) == 0:
			a.say("no peers yet; invite one with `lightcone ticket`")
		}
		return a.print(list, func(w io.Writer) error {
			for _, p := range list {
				if err := p.write(w); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// peersOf joins who is connected with who belongs to a space, by id.
func peersOf(st api.Status) []peer {
	out := []peer{}
	at := func(id string) *peer {
		i := slices.IndexFunc(out, func(p peer) bool { return p.ID == id })
		if i < 0 {
			i, out = len(out), append(out, peer{ID: id, Transports: []string{}, Addrs: []string{}, Spaces: []peerHolds{}})
		}
		return &out[i]
	}
	for _, c := range st.Peers {
		p := at(c.ID)
		p.Connected, p.Since, p.Relayed, p.Transports, p.RTT = true, &c.Since, c.Relayed, c.Transports, c.RTT
		p.Score, p.Pinned, p.Addrs = c.Score, c.Pinned, c.Addrs
	}
	for _, s := range st.Spaces {
		for _, m := range s.Members {
			p := at(m.Peer)
			p.Spaces = append(p.Spaces, peerHolds{
				Space: s.ID, Name: s.Name, Ahead: m.Ahead, AheadSince: m.AheadSince, Lacks: m.Lacks, LacksSince: m.LacksSince,
			})
		}
	}
	slices.SortFunc(out, func(a, b peer) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// write prints a line for the peer, and one for each of its spaces and addresses.
func (p *peer) write(w io.Writer) error {
	link := "away"
	if p.Connected {
		link = "connected, direct"
		if p.Relayed {
			link = "connected, relayed"
		}
		link += " over " + strings.Join(p.Transports, " and ")
	}
	if p.RTT > 0 {
		link += fmt.Sprintf(", %.1f ms", p.RTT)
	}
	if p.Pinned {
		link += ", pinned"
	}
	if p.Score < 0 {
		link += fmt.Sprintf(", score %.0f", p.Score)
	}
	t := table{}
	t.add(p.ID, link)
	for _, s := range p.Spaces {
		t.add("  "+plain(s.Name), lacking(s.Ahead, s.Lacks)+since(s.AheadSince, s.LacksSince))
	}
	for _, addr := range p.Addrs {
		t.add("  at", addr)
	}
	return t.write(w)
}

// since says how long the older of two lacks has lasted.
func since(times ...*time.Time) string {
	var oldest time.Time
	for _, t := range times {
		if t != nil && (oldest.IsZero() || t.Before(oldest)) {
			oldest = *t
		}
	}
	if oldest.IsZero() {
		return ""
	}
	return fmt.Sprintf(" (for %v)", time.Since(oldest).Round(time.Second))
}
