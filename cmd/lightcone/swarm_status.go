package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lightcone/internal/netlab"
	"lightcone/node/api"
)

const (
	// swarmAsk bounds what a node may take to say how it is.
	swarmAsk = 10 * time.Second
	// swarmPoll is how often a wait for equality looks.
	swarmPoll = 50 * time.Millisecond
	// shownMissing bounds the authors named in a line of the table.
	shownMissing = 2
)

// swarmStatus is what status prints.
type swarmStatus struct {
	Dir   string       `json:"dir"`
	Netns bool         `json:"netns"`
	Why   string       `json:"why,omitempty"` // there are no namespaces
	Rules netlab.Rules `json:"rules"`
	Equal bool         `json:"equal"` // all nodes run and have one digest
	Nodes []nodeStatus `json:"nodes"`
}

// nodeStatus is one line of it.
type nodeStatus struct {
	Node      int       `json:"node"`
	PID       int       `json:"pid"` // 0: not running
	Namespace string    `json:"namespace,omitempty"`
	Addr      string    `json:"addr,omitempty"`
	Peer      string    `json:"peer"`
	Error     string    `json:"error,omitempty"` // why it did not answer
	Peers     int       `json:"peers"`           // connected
	Memos     uint64    `json:"memos"`           // attached
	Digest    string    `json:"digest"`
	Missing   []missing `json:"missing"` // here; some node that runs has it

	vector map[string]uint64 // author → seq
}

// missing are memos of one author that a node lacks.
type missing struct {
	Author  string `json:"author"`  // peer id
	Node    int    `json:"node"`    // whose it is; 0: of no node of the swarm
	From    uint64 `json:"from"`    // seq
	To      uint64 `json:"to"`      // seq
	Holders []int  `json:"holders"` // nodes that run and have them all
}

func (a *app) newSwarmStatusCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how each node is, what it lacks and which nodes have it",
		Long: "Say how each node is: process, address, connected peers, memos, digest of its state, and what it lacks and which\n" +
			"nodes have that. With --wait, wait until all nodes run and are equal; exit status 4 when they are not by then.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.swarmDir(cmd)
			s, err := readSwarm(a.dir)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("wait") {
				return a.awaitSwarm(cmd.Context(), s, wait)
			}
			return a.showSwarm(cmd.Context(), s)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait until all nodes are equal")
	return cmd
}

// awaitSwarm prints the status once all nodes are equal, or when the time is over.
func (a *app) awaitSwarm(ctx context.Context, s *swarm, wait time.Duration) error {
	begun := time.Now()
	for {
		st := s.status(ctx)
		late := time.Since(begun) > wait
		if !st.Equal && !late && ctx.Err() == nil {
			time.Sleep(swarmPoll)
			continue
		}
		if st.Equal {
			a.say("equal after %.2f s", time.Since(begun).Seconds())
		}
		err := a.print(st, func(w io.Writer) error { return st.write(w) })
		if err == nil && !st.Equal {
			err = errSwarmBehind
		}
		return err
	}
}

// errSwarmBehind reports nodes that differ.
var errSwarmBehind = api.NewProblem(http.StatusPreconditionFailed, api.Stale, "the nodes are not equal", "the table says what each lacks; wait longer, `lightcone swarm heal`, or `swarm start` what does not run")

// status asks all nodes at once how they are. A node that does not answer says so
// in its line.
func (s *swarm) status(ctx context.Context) swarmStatus {
	st := swarmStatus{Dir: s.dir, Netns: s.Netns, Why: s.Why, Rules: s.Rules, Nodes: make([]nodeStatus, s.Lab.Hosts)}
	running, err := s.running()
	ctx, cancel := context.WithTimeout(ctx, swarmAsk)
	defer cancel()
	var wg sync.WaitGroup
	for i, p := range s.nodes() {
		n := &st.Nodes[i]
		n.Node, n.PID, n.Missing = i+1, firstPID(running[i+1]), []missing{}
		if i < len(s.Peers) {
			n.Peer = s.Peers[i]
		}
		if s.Netns {
			n.Namespace, n.Addr = s.Lab.Namespace(i+1), s.Lab.Addr(i+1)
		}
		if err != nil {
			n.Error = err.Error()
		}
		if n.PID == 0 {
			continue
		}
		wg.Go(func() {
			if err := n.ask(ctx, p); err != nil {
				n.Error = err.Error()
			}
		})
	}
	wg.Wait()
	st.compare()
	return st
}

// ask fills in what a node says of itself.
func (n *nodeStatus) ask(ctx context.Context, p *process) error {
	if err := p.connect(ctx); err != nil {
		return err
	}
	defer p.Close()
	st, err := p.Status(ctx)
	if err != nil {
		return err
	}
	n.Peer, n.Peers = st.ID, len(st.Peers)
	v, err := p.Vector(ctx, p.space)
	if err != nil {
		return err
	}
	n.vector = map[string]uint64{}
	for _, h := range v.Heads {
		n.vector[h.Author] = h.Seq
		n.Memos += h.Seq
	}
	d, err := p.Digest(ctx, p.space)
	n.Digest = d.Digest
	return err
}

// compare finds what each node lacks of what the others have.
func (st *swarmStatus) compare() {
	newest, node := map[string]uint64{}, map[string]int{}
	for _, n := range st.Nodes {
		node[n.Peer] = n.Node
		for author, seq := range n.vector {
			newest[author] = max(newest[author], seq)
		}
	}
	st.Equal = true
	for i := range st.Nodes {
		n := &st.Nodes[i]
		st.Equal = st.Equal && n.Digest != "" && n.Digest == st.Nodes[0].Digest
		if n.vector == nil {
			continue
		}
		for _, author := range sortedKeys(newest) {
			have, last := n.vector[author], newest[author]
			if have == last {
				continue
			}
			m := missing{Author: author, Node: node[author], From: have + 1, To: last}
			for _, other := range st.Nodes {
				if other.vector[author] == last {
					m.Holders = append(m.Holders, other.Node)
				}
			}
			n.Missing = append(n.Missing, m)
		}
	}
}

func (st swarmStatus) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	where := "network namespaces"
	if !st.Netns {
		where = "loopback"
	}
	fmt.Fprintf(t, "%d nodes in %s, %s\n%s\n", len(st.Nodes), where, st.Dir, rulesText(st.Rules))
	fmt.Fprintln(t, "node\tpid\tnamespace\taddress\tpeers\tmemos\tdigest\t")
	for _, n := range st.Nodes {
		pid, peers, memos := "-", "-", "-"
		if n.PID > 0 {
			pid, peers, memos = strconv.Itoa(n.PID), strconv.Itoa(n.Peers), comma(int64(n.Memos))
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", n.Node, pid, orDash(n.Namespace), orDash(n.Addr),
			peers, memos, orDash(tail(n.Digest)), n.state(st.Equal))
	}
	return t.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// state says in words how the node is.
func (n nodeStatus) state(equal bool) string {
	switch {
	case n.PID == 0:
		return strings.TrimSpace("not running " + n.Error)
	case n.Error != "":
		return "does not answer: " + n.Error
	case equal:
		return "equal"
	case len(n.Missing) == 0:
		return "has all that is here"
	}
	var parts []string
	for _, m := range n.Missing[:min(len(n.Missing), shownMissing)] {
		parts = append(parts, m.String())
	}
	if more := len(n.Missing) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and of %d more", more))
	}
	return "behind: lacks " + strings.Join(parts, ", ")
}

func (m missing) String() string {
	author := fmt.Sprintf("node %d", m.Node)
	if m.Node == 0 {
		author = "…" + tail(m.Author)
	}
	memos := fmt.Sprintf("%s memos #%d-#%d", comma(int64(m.To-m.From+1)), m.From, m.To)
	if m.From == m.To {
		memos = fmt.Sprintf("memo #%d", m.To)
	}
	return fmt.Sprintf("%s of %s (held by %s)", memos, author, rangesText(m.Holders))
}
