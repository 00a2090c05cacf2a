package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// airportsCSV is the demo's data: 3,376 airports of 7 fields, published by the
// US Department of Transportation (public domain), by way of vega-datasets 2.11.0.
//
//go:embed airports.csv
var airportsCSV []byte

const (
	demoTopic = "airports"
	demoKey   = "iata"
	// demoLimit ends a demo that hangs. It takes a few seconds.
	demoLimit = 2 * time.Minute
)

// errDemo reports that the demo found its own claims untrue.
var errDemo = errors.New("the demo failed: what it claims did not hold in this run; the table says where")

func (a *app) newDemoCommand() *cobra.Command {
	var tamper bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch three real peers replicate, part, disagree, heal and survive a crash",
		Long: "Start three nodes of this program on loopback, each a process of its own with real files in a temporary\n" +
			"directory. They share a data set, are split, edit the same row, refuse a stale answer, heal and survive a\n" +
			"kill -9. Every figure is measured in that run. Nothing stays behind.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), tamper) },
	}
	cmd.Flags().BoolVar(&tamper, "tamper", false, "change one byte of one row on C before the last check, to see it fail")
	return cmd
}

func (a *app) demo(ctx context.Context, tamper bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	dir, err := os.MkdirTemp("", "lightcone-demo-")
	if err != nil {
		return err
	}
	d := &demo{ctx: ctx, dir: dir, out: a.stdout, color: isTerminal(a.stdout), tamper: tamper}
	if a.json {
		d.out = io.Discard
	}
	defer func() { err = errors.Join(err, d.stop(), os.RemoveAll(dir)) }()
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
	ctx    context.Context
	dir    string
	out    io.Writer
	color  bool
	tamper bool

	nodes  []*demoNode // A, B, C
	token  string      // of B's edit while C was cut off
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
	t, err := openCSV("airports.csv", bytes.NewReader(airportsCSV), demoKey)
	if err != nil {
		return err
	}
	before, err := d.traffic()
	if err != nil {
		return err
	}
	start := time.Now()
	w := newImporter(d.ctx, a.Client, defaultSpace, demoTopic, nil)
	if err := w.run(t); err != nil {
		return w.failure(err)
	}
	done := time.Now()
	r := &d.report
	r.Rows, r.ImportRate = w.rows, float64(w.rows)/done.Sub(start).Seconds()
	d.act("A imports %s airports (US DOT), %d rows a memo, each memo synced to disk before it counts", comma(int64(w.rows)), importRowsPerUpdate)
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
