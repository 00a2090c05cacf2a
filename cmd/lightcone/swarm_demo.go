package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"lightcone/internal/netlab"
	"lightcone/memo"
	"lightcone/node/api"
)

const (
	// healPatience bounds how long the demo waits for its nodes to be equal.
	healPatience = 5 * time.Minute
	// minSwarmDemo: halves of two, and two that go on when half of them are dead.
	minSwarmDemo = 4
)

func (a *app) newSwarmDemoCommand() *cobra.Command {
	var o swarmDemoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Part a swarm, write on both sides, heal it, lose packets, kill nodes; measure each",
		Long: "Start a swarm in a temporary directory and measure it: half of the nodes are parted from the others while rows are\n" +
			"written on both sides, the network heals, packets are lost, nodes are killed and started again. After each act the\n" +
			"time is told until all nodes are equal. Nothing stays behind.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(minSwarmDemo); err != nil {
				return err
			}
			if o.writes < 1 || o.batch < 1 || o.batch > importRowsPerUpdate {
				return usagef("--writes %d --batch %d; write something, at most %d rows a memo", o.writes, o.batch, importRowsPerUpdate)
			}
			if o.kills < 0 || o.kills >= o.nodes {
				return usagef("--kill %d of %d nodes; leave one alive", o.kills, o.nodes)
			}
			return a.swarmDemo(cmd.Context(), o)
		},
	}
	o.addTo(cmd)
	f := cmd.Flags()
	f.IntVar(&o.writes, "writes", 10_000, "rows on each side of the partition; a tenth of it in the later acts")
	f.IntVar(&o.batch, "batch", importRowsPerUpdate, "rows a memo")
	f.DurationVar(&o.parted, "parted", 0, "how long the partition lasts at least; after 30 s all connections across it are given up")
	f.StringVar(&o.loss, "loss", "0.3", "share of packets lost in the second act")
	f.StringVar(&o.rate, "rate", "off", "what each node may send and get, in all acts")
	f.IntVar(&o.kills, "kill", 3, "how many nodes are killed in the third act")
	return cmd
}

type swarmDemoOptions struct {
	swarmOptions
	writes, batch, kills int
	parted               time.Duration
}

// swarmReport is what the demo measured, in seconds from the end of the writes, or
// of the partition, until all nodes covered them and had one digest.
type swarmReport struct {
	Nodes     int     `json:"nodes"`
	Netns     bool    `json:"netns"`
	Writes    int     `json:"writes"`           // rows on each side
	Rate      float64 `json:"rowsPerSecond"`    // written, on both sides together
	Parted    bool    `json:"parted"`           // the sides differed before the partition ended
	PartedFor float64 `json:"partedSeconds"`    // how long it lasted, from the first write
	Heal      float64 `json:"healSeconds"`      // after the partition
	Loss      float64 `json:"loss"`             // share
	LossEqual float64 `json:"lossEqualSeconds"` // after the writes under loss; -1: not run
	Killed    int     `json:"killed"`
	KillEqual float64 `json:"killEqualSeconds"`  // the living, after writes beside the dead
	BackEqual float64 `json:"startEqualSeconds"` // all, after the dead were started
	Equal     bool    `json:"equal"`
}

// swarmDemo is one run.
type swarmDemo struct {
	*swarm
	ctx    context.Context
	opts   swarmDemoOptions
	all    []*process
	rows   int // written so far, for their keys
	report swarmReport
	tell   func(format string, args ...any)
}

func (a *app) swarmDemo(ctx context.Context, o swarmDemoOptions) (err error) {
	ctx, stop := untilUnheard(ctx)
	defer stop()
	rules, err := parseRules(o.loss, o.rate)
	if err != nil {
		return &usageError{err}
	}
	a.dir = filepath.Join(os.TempDir(), "lightcone-swarm-"+rand.Text()[:8])
	s, unlock, err := a.makeSwarm(ctx, o.swarmOptions)
	if err != nil {
		return err
	}
	defer unlock()
	out := a.stdout
	if a.json {
		out = io.Discard
	}
	d := &swarmDemo{swarm: s, ctx: ctx, opts: o, tell: func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }}
	defer func() {
		for _, p := range d.all {
			p.hangUp() // so that no node waits for it
		}
		err = errors.Join(err, s.down(context.WithoutCancel(ctx), false))
	}()
	if !s.Netns {
		rules = netlab.Rules{}
	}
	d.report = swarmReport{Nodes: o.nodes, Netns: s.Netns, Writes: o.writes, Loss: rules.Loss, LossEqual: -1, Killed: o.kills}
	d.tell("%d nodes, files under %s", o.nodes, s.dir)
	if err := d.raise(ctx, netlab.Rules{Rate: rules.Rate}, d.tell); err != nil {
		return fmt.Errorf("swarm demo: %w", err)
	}
	if d.all, err = d.connected(); err != nil {
		return err
	}
	for _, act := range []func() error{d.part, d.lose, d.crash} {
		if err := act(); err != nil {
			return fmt.Errorf("swarm demo: %w", err)
		}
	}
	d.report.Equal = true // every act ends with it, or fails
	return a.print(d.report, func(w io.Writer) error { return s.status(ctx).write(w) })
}

// connected returns all nodes, connected to their APIs.
func (d *swarmDemo) connected() ([]*process, error) {
	for _, p := range d.all {
		p.hangUp()
	}
	all := d.nodes()
	return all, each(all, func(p *process) error { return p.connect(d.ctx) })
}

// part writes on both sides of a partition and heals it.
func (d *swarmDemo) part() error {
	half := d.opts.nodes / 2
	a, b := d.all[:half], d.all[half:]
	text := fmt.Sprintf("1-%d/%d-%d", half, half+1, d.opts.nodes)
	if err := d.partition(d.ctx, text); err != nil {
		return err
	}
	d.tell("\nparted: %s; %s rows are written on each side, at nodes 1 and %d", text, comma(int64(d.opts.writes)), half+1)
	begun := time.Now()
	if err := d.write(d.opts.writes, a[0], b[0]); err != nil {
		return err
	}
	d.report.Rate = float64(2*d.opts.writes) / time.Since(begun).Seconds()
	d.tell("  %s rows/s on both sides together", comma(int64(d.report.Rate)))
	for _, side := range [][]*process{a, b} {
		took, err := d.settle(side)
		if err != nil {
			return err
		}
		d.tell("  nodes %d-%d equal %.2f s after the last write", side[0].number, side[len(side)-1].number, took.Seconds())
	}
	select {
	case <-time.After(d.opts.parted - time.Since(begun)):
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
	equal, err := sameDigest(d.ctx, d.all)
	if err != nil {
		return err
	}
	d.report.PartedFor = time.Since(begun).Seconds()
	if d.report.Parted = !equal; equal {
		return errors.New("the sides are equal before the partition ended: it did not part them")
	}
	begun = time.Now()
	if err := d.swarm.heal(d.ctx); err != nil {
		return err
	}
	if _, err := d.settle(d.all); err != nil {
		return err
	}
	d.report.Heal = time.Since(begun).Seconds()
	d.tell("  healed: all %d equal %.2f s after the partition ended, which lasted %.0f s", len(d.all), d.report.Heal, d.report.PartedFor)
	return nil
}

// lose writes while packets are lost.
func (d *swarmDemo) lose() error {
	if d.report.Loss == 0 {
		d.tell("\nno packets are lost: %s", orDash(d.Why))
		return nil
	}
	if err := d.loss(d.ctx, strconv.FormatFloat(d.report.Loss, 'g', -1, 64)); err != nil {
		return err
	}
	n := max(1, d.opts.writes/10)
	d.tell("\n%g %% of packets lost; %s rows each are written at nodes 1 and %d", 100*d.report.Loss, comma(int64(n)), len(d.all))
	if err := d.write(n, d.all[0], d.all[len(d.all)-1]); err != nil {
		return err
	}
	took, err := d.settle(d.all)
	if err != nil {
		return err
	}
	d.report.LossEqual = took.Seconds()
	d.tell("  all equal %.2f s after the last write", took.Seconds())
	return d.loss(d.ctx, "0")
}

// crash kills nodes, writes beside them, and starts them again.
func (d *swarmDemo) crash() error {
	if d.opts.kills == 0 {
		return nil
	}
	living, dead := d.all[:len(d.all)-d.opts.kills], d.all[len(d.all)-d.opts.kills:]
	var numbers []int
	for _, p := range dead {
		numbers = append(numbers, p.number)
	}
	n := max(1, d.opts.writes/10)
	d.tell("\nnodes %s get SIGKILL; %s rows are written at node 1", rangesText(numbers), comma(int64(n)))
	if err := d.kill(numbers); err != nil {
		return err
	}
	if err := d.write(n, living[0]); err != nil {
		return err
	}
	took, err := d.settle(living)
	if err != nil {
		return err
	}
	d.report.KillEqual = took.Seconds()
	d.tell("  the other %d equal %.2f s after the last write", len(living), took.Seconds())
	begun := time.Now()
	if err := d.swarm.start(d.ctx, numbers); err != nil {
		return err
	}
	if d.all, err = d.connected(); err != nil {
		return err
	}
	d.tell("  started again in %.2f s", time.Since(begun).Seconds())
	if took, err = d.settle(d.all); err != nil {
		return err
	}
	d.report.BackEqual = took.Seconds()
	d.tell("  all %d equal %.2f s later\n", len(d.all), took.Seconds())
	return nil
}

// write writes so many rows at each node, all nodes at once.
func (d *swarmDemo) write(rows int, at ...*process) error {
	from := d.rows
	d.rows += rows
	return each(at, func(p *process) error {
		w := newImporter(d.ctx, p.Client, p.space, "rows")
		w.most = d.opts.batch
		err := w.run(&madeRows{name: p.name, at: from, last: from + rows})
		if err != nil {
			return w.failure(err)
		}
		return nil
	})
}

// madeRows are rows that nobody else writes.
type madeRows struct {
	name     string
	at, last int
}

func (m *madeRows) next() (importRow, error) {
	if m.at == m.last {
		return importRow{}, io.EOF
	}
	v, err := memo.Text(fmt.Sprintf("row %d as %s has it", m.at, m.name))
	row := importRow{key: fmt.Sprintf("%s row %07d", m.name, m.at), fields: api.Fields{"text": v}, size: 64}
	m.at++
	return row, err
}

// settle waits until all that any of the nodes has now is at all of them, and they
// have one digest; it asks for nothing, so that what it measures is the nodes' own.
func (d *swarmDemo) settle(nodes []*process) (time.Duration, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(d.ctx, healPatience)
	defer cancel()
	goal := map[string]uint64{}
	var mu sync.Mutex
	err := each(nodes, func(p *process) error {
		v, err := p.Vector(ctx, p.space)
		mu.Lock()
		defer mu.Unlock()
		for _, h := range v.Heads {
			goal[h.Author] = max(goal[h.Author], h.Seq)
		}
		return err
	})
	if err == nil {
		err = each(nodes, func(p *process) error { return p.reach(ctx, goal) })
	}
	for equal := false; err == nil && !equal; {
		if equal, err = sameDigest(ctx, nodes); err == nil && !equal {
			time.Sleep(swarmPoll)
			err = ctx.Err()
		}
	}
	return time.Since(begun), err
}

// reach waits until the node has every memo of the goal.
func (p *process) reach(ctx context.Context, goal map[string]uint64) error {
	for {
		v, err := p.Vector(ctx, p.space)
		if err != nil {
			return err
		}
		left := len(goal)
		for _, h := range v.Heads {
			if seq, ok := goal[h.Author]; ok && h.Seq >= seq {
				left--
			}
		}
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(swarmPoll):
		case <-ctx.Done():
			return fmt.Errorf("still lacks memos of %d authors: %w", left, ctx.Err())
		}
	}
}

// sameDigest reports whether all nodes show one state.
func sameDigest(ctx context.Context, nodes []*process) (bool, error) {
	digests := map[string]bool{}
	var mu sync.Mutex
	err := each(nodes, func(p *process) error {
		dig, err := p.Digest(ctx, p.space)
		mu.Lock()
		defer mu.Unlock()
		digests[dig.Digest] = true
		return err
	})
	return len(digests) == 1, err
}
