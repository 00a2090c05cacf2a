package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	causal "lightcone/context"
	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

const (
	clients = 16
	between = 50  // memos in the background for each thing that a client does
	samples = 100 // points of a curve
	lines   = 10  // of the table
)

// options of the command.
type options struct {
	memos     int
	seed      uint64
	svg, json string
}

func main() { figure.Main("compare", run) }

func run(ctx context.Context, args []string) error {
	var o options
	f := flag.NewFlagSet("context", flag.ContinueOnError)
	f.IntVar(&o.memos, "memos", 1_000_000, "memos to write, at least 1,000")
	f.Uint64Var(&o.seed, "seed", 1, "of all that is random")
	f.StringVar(&o.svg, "svg", "", "draw the curves into this file")
	f.StringVar(&o.json, "json", "", "write the samples to this file, too")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.memos < 1000 || f.NArg() > 0 {
		return errors.New("--memos must be 1000 or more, and nothing else is taken")
	}
	start := time.Now()
	fmt.Printf("%d authors at %d nodes, %d clients, %d rows; a client reads, scans, writes or goes to another node every %d memos\n",
		authors, nodes, clients, rows, between)
	rep, err := measure(ctx, o)
	if err != nil {
		return err
	}
	printTable(rep)
	fmt.Printf("%d folds at nodes, %d of clients' own, %d joins; %.0f s\n", rep.NodeFolds, rep.OwnFolds, rep.Joins, time.Since(start).Seconds())
	if o.svg != "" {
		if err := drawing(rep, o.svg); err != nil {
			return err
		}
	}
	return figure.WriteReport(o.json, rep)
}

// report is what a run found.
type report struct {
	Memos     int      `json:"memos"`
	Seed      uint64   `json:"seed"`
	NodeFolds int      `json:"nodeFolds"`
	OwnFolds  int      `json:"ownFolds"`
	Joins     int      `json:"joins"`
	Samples   []sample `json:"samples"`
}

// sample is what the contexts were like over a stretch of memos.
type sample struct {
	Memos  int   `json:"memos"` // at its end
	Folded sizes `json:"folded"`
	Plain  sizes `json:"plain"`
}

// sizes of contexts: means, and of tokens the longest too.
type sizes struct {
	Loose    float64 `json:"looseHeads"`
	Bytes    float64 `json:"bytes"`
	Token    float64 `json:"tokenCharacters"`
	MaxToken int     `json:"longestToken"`
	n        int
}

func (s *sizes) add(qc causal.Context, t causal.Token) {
	const perHead, root = 32 + 8 + 32, 32 // author, seq and digest
	length := len(t.String())
	bytes := perHead * len(qc.Loose)
	if !qc.Root.IsZero() {
		bytes += root
	}
	s.n++
	n := float64(s.n)
	s.Loose += (float64(len(qc.Loose)) - s.Loose) / n
	s.Bytes += (float64(bytes) - s.Bytes) / n
	s.Token += (float64(length) - s.Token) / n
	s.MaxToken = max(s.MaxToken, length)
}

// measure runs the world.
func measure(ctx context.Context, o options) (*report, error) {
	w, err := newWorld(o.seed)
	if err != nil {
		return nil, err
	}
	all := make([]*client, clients)
	for i := range all {
		none := causal.Context{Space: w.space}
		all[i] = &client{w: w, node: i % nodes, author: w.authorAt(i % nodes), folded: none, plain: none}
	}
	rep, now := &report{Memos: o.memos, Seed: o.seed}, sample{}
	for next := o.memos / samples; w.total() < o.memos; {
		for range between {
			if err := w.background(); err != nil {
				return nil, err
			}
		}
		if err := w.step(all[w.rng.IntN(clients)], &now); err != nil {
			return nil, fmt.Errorf("after %d memos: %w", w.total(), err)
		}
		if err := w.upkeep(all); err != nil {
			return nil, err
		}
		if w.total() >= next {
			now.Memos = w.total()
			rep.Samples, now = append(rep.Samples, now), sample{}
			next += o.memos / samples
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	rep.NodeFolds = w.folds
	for _, c := range all {
		rep.OwnFolds, rep.Joins = rep.OwnFolds+c.folds, rep.Joins+c.joins
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

// step lets a client do something and looks at its contexts.
func (w *world) step(c *client, into *sample) error {
	if err := c.step(); err != nil {
		return err
	}
	folded, plain, err := c.tokens()
	if err != nil {
		return err
	}
	into.Folded.add(c.folded, folded)
	into.Plain.add(c.plain, plain)
	return nil
}

// upkeep folds nodes that did not for long, and forgets what nobody needs.
func (w *world) upkeep(all []*client) error {
	used := map[memo.ID]bool{}
	for i, n := range w.nodes {
		if w.total()-n.since >= foldEach {
			w.catchUp(i, 0)
			if err := w.fold(i); err != nil {
				return err
			}
		}
		used[n.root.Root] = true
	}
	for _, c := range all {
		used[c.folded.Root] = true
	}
	delete(used, memo.ID{})
	for id := range w.roots {
		if !used[id] {
			delete(w.roots, id)
		}
	}
	w.drop()
	return w.kept.collect(used)
}

func printTable(rep *report) {
	out := [][]string{{
		"memos", "loose heads", "without folds", "bytes", "without", "token, characters", "without", "longest token", "without",
	}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	step := max(len(rep.Samples)/lines, 1)
	for i := step - 1; i < len(rep.Samples); i += step {
		s := rep.Samples[i]
		out = append(out, []string{
			strconv.Itoa(s.Memos), number(s.Folded.Loose), number(s.Plain.Loose), number(s.Folded.Bytes), number(s.Plain.Bytes),
			number(s.Folded.Token), number(s.Plain.Token), strconv.Itoa(s.Folded.MaxToken), strconv.Itoa(s.Plain.MaxToken),
		})
	}
	figure.Align(os.Stdout, out)
}
