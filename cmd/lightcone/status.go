package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lightcone/node/api"
)

// watchEvery is how often status --watch looks.
const watchEvery = time.Second

func (a *app) newStatusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what the node has, what is missing, and who has it",
		Long: "Say what the node has, what is missing, and who has it. With --watch, every second until it is interrupted:\n" +
			"redrawn on a terminal, one line of JSON each with --json. To watch, the node must run: see `lightcone up`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return a.watchStatus(cmd.Context())
			}
			return a.status(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "repeat every second")
	return cmd
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

// watchStatus does not open the node itself: that would keep others out for as
// long as somebody watches.
func (a *app) watchStatus(ctx context.Context) error {
	c, err := api.Dial(ctx, a.dir)
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	return a.repeat(ctx, tick.C, func(w io.Writer) (any, error) {
		st, err := c.Status(ctx)
		if err != nil {
			return nil, err
		}
		return st, statusText(w, st)
	})
}

// repeat prints what show returns, as JSON, or writes, as text, now and at every
// tick, until ctx ends, which is no error.
func (a *app) repeat(ctx context.Context, tick <-chan time.Time, show func(w io.Writer) (any, error)) error {
	for {
		var text strings.Builder
		v, err := show(&text)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.print(v, func(w io.Writer) error { return redraw(w, text.String()) }); err != nil {
			return err
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return nil
		}
	}
}

// redraw replaces what is on a terminal, in one piece so that it does not
// flicker; elsewhere an empty line ends each text.
func redraw(w io.Writer, text string) error {
	if !isTerminal(w) {
		_, err := io.WriteString(w, text+"\n")
		return err
	}
	const home, endOfLine, below = "\x1b[H", "\x1b[K", "\x1b[J"
	_, err := io.WriteString(w, home+strings.ReplaceAll(text, "\n", endOfLine+"\n")+below)
	return err
}

func statusText(w io.Writer, st api.Status) error {
	t := table{}
	t.add("peer", st.ID)
	t.add("dir", st.Dir)
	if st.Online {
		t.add("addrs", strings.Join(st.Addrs, " "))
		t.add("traffic", fmt.Sprintf("sent %s, received %s bytes", comma(st.Traffic.Sent), comma(st.Traffic.Received)))
	}
	if st.WritesRefused != "" {
		t.add("writes", "refused: "+st.WritesRefused)
	}
	t.add("log", comma(st.LogBytes)+" bytes")
	if st.Pending > 0 {
		t.add("pending", fmt.Sprintf("%d runs wait for what caused them", st.Pending))
	}
	if st.Refused+st.Invalid > 0 {
		t.add("refused", fmt.Sprintf("%d runs, %d messages that broke a rule", st.Refused, st.Invalid))
	}
	if st.Roots.Alarms > 0 {
		t.add("alarm", fmt.Sprintf("%d roots of peers show another state of a cut that is held here; the log names them", st.Roots.Alarms))
	}
	if text := hearingText(st); text != "" {
		t.add("hearing", text)
	}
	for _, s := range st.Spaces {
		t.add("space", fmt.Sprintf("%s  %s", s.Name, s.ID))
		t.add("", fmt.Sprintf("%s memos of %d author(s)", comma(int64(s.Memos)), s.Authors)+chanceText(s.Chance))
		if s.Rights == api.RightsMembers {
			t.add("", fmt.Sprintf("written by its members, %d; this node: %s", len(s.Writers), s.Standing))
		}
		if s.AsksHead {
			t.add("", "asks peers for the own head after a crash; writes wait up to 2 s")
		}
		if s.Regained > 0 {
			t.add("", fmt.Sprintf("%s memos of this node came back from peers: its log had lost them", comma(int64(s.Regained))))
		}
		for _, m := range s.Members {
			t.add("", memberText(m))
		}
		if s.Layer != nil {
			t.add("", layerText(*s.Layer))
		}
		for _, p := range s.Liars {
			t.add("liar", p+"  vouched for a state that was false; nothing is taken of it any more")
		}
		for _, p := range s.Proofs {
			t.add("proof", p.Peer+"  "+proofText(p))
		}
		for _, p := range s.Doubted {
			t.add("doubt", p+"  something of its state did not fit, which is no proof; none is adopted for a while")
		}
		for _, f := range s.Forks {
			t.add("fork", forkText(f))
		}
	}
	return t.write(w)
}

// forkText says who forked its chain, where, since when, and what proves it.
func forkText(f api.ForkStatus) string {
	text := f.Author + "  wrote two memos for one place"
	if f.Own {
		text = "another replica writes with this node's key, as after copying a data directory: nothing is written here any more, " +
			"all data is kept; start with a new directory and a new key; two memos for one place"
	}
	if f.Seq > 0 {
		text += fmt.Sprintf(", seq %d", f.Seq)
	}
	if f.Proof == "" {
		return text + "; not proved yet"
	}
	if f.Full {
		text += "; no more of its branches are kept"
	}
	return text + fmt.Sprintf("; proved by %s at %s in %s", f.Prover, f.Since.Local().Format(time.DateTime), f.Proof)
}

// hearingText says what was not taken in, and why; nothing where all was and nothing
// bounds it.
func hearingText(st api.Status) string {
	h := st.Hearing
	if h.Budget+h.PassedBy+h.Roots == 0 {
		return ""
	}
	bound := "no bound now"
	if h.Budget > 0 {
		bound = fmt.Sprintf("at most %s units a second", comma(int64(h.Budget)))
	}
	text := fmt.Sprintf("%s memos heard, %s passed by", comma(int64(h.Heard)), comma(int64(h.PassedBy)))
	if h.PassedBy > 0 {
		text += fmt.Sprintf(" (%s more than can be attached, %s over the second's budget, %s behind a gap)",
			comma(int64(h.Coin)), comma(int64(h.Over)), comma(int64(h.Gap)))
	}
	return text + fmt.Sprintf("; %s states merged, %s roots passed by; %s", comma(st.Adopted), comma(int64(h.Roots)), bound)
}

// chanceText says how much of a space is heard, where not all is.
func chanceText(p float64) string {
	if p >= 1 {
		return ""
	}
	return fmt.Sprintf("; %.0f %% of what is published is heard", 100*p)
}

// memberText says whether a peer is there and what is missing.
func memberText(m api.MemberStatus) string {
	link := "connected"
	if !m.Connected {
		link = "away"
	}
	return fmt.Sprintf("%s  %s, %s", m.Peer, link, lacking(m.Ahead, m.Lacks))
}

// layerText says what is shown before its memos are here.
func layerText(l api.LayerStatus) string {
	came := "asked for"
	switch {
	case l.Whole && l.Ready:
		came = "all here"
	case l.Ready:
		came = "coming"
	}
	text := fmt.Sprintf("state vouched for by %s  %s, %s blocks since %s", l.Peer, came, comma(int64(l.Blocks)), l.Since.Local().Format(time.TimeOnly))
	if l.Memos > 0 {
		text += fmt.Sprintf("; of the %s memos behind it %s are not here yet", comma(int64(l.Memos)), comma(int64(l.Missing)))
	}
	return text
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
