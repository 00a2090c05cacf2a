package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// demoLimit ends a demo that hangs. It takes a few seconds.
const demoLimit = 5 * time.Minute

// errDemo reports that the demo found its own claims untrue.
var errDemo = errors.New("the demo failed: what it claims did not hold in this run; the table says where")

// demoOptions are the flags of demo.
type demoOptions struct {
	keep, tamper bool
	nodes        int
	data, key    string // of another data set: a CSV file and its key column
}

// The number of nodes of a demo. The story needs three; the others only hold.
const minDemoNodes, maxDemoNodes = 3, 8

func (a *app) newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch three real peers replicate, part, disagree, heal and survive a crash",
		Long: "Start three nodes of this program on loopback, each a process of its own with real files in a temporary\n" +
			"directory. They share a data set, are split, edit the same row, refuse a stale answer, heal and survive a\n" +
			"kill -9. Every figure is measured in that run. Nothing stays behind, unless --keep says so.\n" +
			"With --nodes, more peers hold the same data and must be equal at the end.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.nodes < minDemoNodes || o.nodes > maxDemoNodes:
				return usagef("--nodes %d; the demo has %d to %d", o.nodes, minDemoNodes, maxDemoNodes)
			case o.key != "" && o.data == "":
				return usagef("--key names a column of your own data; add --data FILE")
			}
			return a.demo(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.keep, "keep", false, "leave the nodes' directories and say how to start them")
	f.IntVar(&o.nodes, "nodes", minDemoNodes, "how many peers")
	f.StringVar(&o.data, "data", "", "a CSV file to share instead of the airports")
	f.StringVar(&o.key, "key", "", "its key column (default: the first)")
	f.BoolVar(&o.tamper, "tamper", false, "change one byte of one row on C before the last check, to see it fail")
	return cmd
}

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	ctx, stop := untilUnheard(ctx)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	set, err := openDemoSet(ctx, o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lightcone-demo-")
	if err != nil {
		return err
	}
	d := &demo{ctx: ctx, dir: dir, out: a.stdout, color: isTerminal(a.stdout), opts: o, set: set}
	if a.json {
		d.out = io.Discard
	}
	defer func() {
		err = errors.Join(err, d.stop())
		if o.keep {
			d.kept(a)
		} else {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	start := time.Now()
	for _, act := range []func() error{d.start, d.load, d.split, d.refuse, d.heal, d.crash, d.latencies, d.corrupt} {
		if err := act(); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	if err := d.inspect(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	d.report.Seconds = time.Since(start).Seconds()
	if err := d.measureDisk(); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := a.print(d.report, d.printReport); err != nil {
		return err
	}
	if !d.report.Equal {
		return errDemo
	}
	return nil
}

// demo is one run: three nodes and what was measured.
type demo struct {
	ctx   context.Context
	dir   string
	out   io.Writer
	color bool
	opts  demoOptions
	set   demoSet

	nodes  []*process // A, B, C, and more that only hold
	token  string     // of B's edit while C was cut off
	report demoReport
}

func (d *demo) tell(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// act announces a part of the story.
func (d *demo) act(format string, args ...any) {
	d.tell("\n%s", d.paint(bold, fmt.Sprintf(format, args...)))
}

// ANSI styles, used on a terminal only.
const (
	bold  = "1"
	red   = "1;31"
	green = "32"
)

func (d *demo) paint(style, text string) string {
	if !d.color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// load imports the data set at A and waits for the others.
func (d *demo) load() error {
	a := d.nodes[0]
	t, err := d.set.open()
	if err != nil {
		return err
	}
	before, err := d.traffic()
	if err != nil {
		return err
	}
	start := time.Now()
	w := newImporter(d.ctx, a.Client, defaultSpace, d.set.topic)
	if err := w.run(t); err != nil {
		return w.failure(err)
	}
	done := time.Now()
	r := &d.report
	r.Rows, r.ImportRate = w.rows, float64(w.rows)/done.Sub(start).Seconds()
	d.act("A imports %s %s, %d rows a memo, each memo synced to disk before it counts", comma(int64(w.rows)), d.set.what, importRowsPerUpdate)
	d.tell("  %s rows/s", comma(int64(r.ImportRate)))
	k, err := a.Context(d.ctx, a.space)
	if err != nil {
		return err
	}
	for _, n := range d.nodes {
		if err := n.cover(d.ctx, k.Token); err != nil {
			return err
		}
		after := time.Since(done)
		digest, err := n.Digest(d.ctx, n.space)
		if err != nil {
			return err
		}
		if n == a {
			d.tell("  A has digest …%s", tail(digest.Digest))
			continue
		}
		r.CopySeconds = append(r.CopySeconds, after.Seconds())
		d.tell("  %s has digest …%s   %s after A's last acknowledgement", n.name, tail(digest.Digest), millis(after))
	}
	after, err := d.traffic()
	if err != nil {
		return err
	}
	for i := range d.nodes {
		r.WirePerRow = append(r.WirePerRow, float64(after[i].Received-before[i].Received)/float64(w.rows))
	}
	return nil
}

// tail is the end of an identifier, enough to compare by eye.
func tail(id string) string { return id[max(0, len(id)-12):] }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
