package main

import (
	"fmt"

	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

// buildAll makes the trees that all cases begin with.
func (b *bench) buildAll() (err error) {
	all := b.data.entries()
	for _, c := range b.sides {
		if c.root, err = c.build(all); err != nil {
			return fmt.Errorf("build, %s: %w", c.name, err)
		}
	}
	return nil
}

// buildCase builds the tree anew; it must come out as the one there is.
func (b *bench) buildCase() *workload {
	var all []entry
	return &workload{
		name: "build", title: fmt.Sprintf("%d ascending keys from scratch", b.o.keys), has: everyTree,
		prepare: func([]*contestant) error {
			all = b.data.entries()
			return nil
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			before, root := c.blocks.count, memo.ID{}
			u, err := w.time(func() (err error) {
				root, err = c.build(all)
				return err
			})
			if err == nil && root != c.root {
				err = fmt.Errorf("%w: built anew it is %s, not %s", errUnequal, root, c.root)
			}
			put := c.blocks.since(before)
			return []figure.Metric{
				u.each(1, "time"), u.cpuEach(len(all), "key"), u.rate(len(all), "keys"),
				per("nodes written", "", put.puts, 1), per("bytes of nodes per key", "B", put.putBytes, len(all)),
			}, err
		},
	}
}

// batchCase applies batches one after the other.
func (b *bench) batchCase(n size, clustered, fresh bool) *workload {
	n.keys = min(n.keys, len(b.data.keys)/2)
	kind, where := "update", "scattered"
	if fresh {
		kind = "insert"
	}
	if clustered {
		where = "clustered"
	}
	var batches [][]entry
	return &workload{
		name: fmt.Sprintf("%s %d %s", kind, n.keys, where), has: everyTree,
		title: fmt.Sprintf("%d batches, each with a new row for %d keys", n.times, n.keys),
		prepare: func([]*contestant) error {
			batches = nil
			for range n.times {
				batch, _, err := b.data.batch(b.data.pick(n.keys, clustered, fresh))
				if err != nil {
					return err
				}
				b.data.record(batch)
				batches = append(batches, batch)
			}
			return nil
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			before := c.blocks.count
			u, err := w.time(func() error {
				for _, batch := range batches {
					root, err := c.apply(c.root, batch)
					if err != nil {
						return err
					}
					c.root = root
				}
				return nil
			})
			return b.applied(u, c.blocks.since(before), batches), err
		},
	}
}

// applied tells what batches took.
func (b *bench) applied(u usage, took count, batches [][]entry) []figure.Metric {
	keys, rows := 0, 0
	for _, batch := range batches {
		keys, rows = keys+len(batch), rows+b.data.size(batch)
	}
	return []figure.Metric{
		u.rate(keys, "keys"), u.each(len(batches), "time per batch"), u.cpuEach(keys, "key"),
		per("nodes read per batch", "", took.reads, len(batches)),
		per("nodes written per batch", "", took.puts, len(batches)),
		per("bytes of nodes written per key", "B", took.putBytes, keys),
		{Name: "bytes of row blocks per key", Unit: "B", Value: float64(rows) / float64(keys)},
	}
}

// joinCase joins deltas into rows, as a replica does with what it hears. Only
// Lightcone does; the others are given the rows that come out, in update.
func (b *bench) joinCase() *workload {
	n := min(b.p.inserts, len(b.data.keys)/2)
	var (
		batch  []entry
		deltas [][]byte
		keys   []string
	)
	return &workload{
		name: fmt.Sprintf("join %d", n), title: fmt.Sprintf("a batch of deltas of %d scattered rows: rows are read, joined and written", n),
		has: func(t tree) bool { _, ok := t.(joiner); return ok },
		prepare: func([]*contestant) (err error) {
			keys = b.data.pick(n, false, false)
			batch, deltas, err = b.data.batch(keys)
			return err
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			before, joined := c.blocks.count, memo.ID{}
			u, err := w.time(func() (err error) {
				joined, err = c.tree.(joiner).join(c.root, keys, deltas)
				return err
			})
			took := c.blocks.since(before)
			if err != nil {
				return nil, err
			}
			root, err := c.apply(c.root, batch)
			if err == nil && root != joined {
				err = fmt.Errorf("%w: joined they make %s, not %s", errUnequal, joined, root)
			}
			metrics := b.applied(u, took, [][]entry{batch})
			return append(metrics,
				figure.Metric{Name: "row blocks read per batch", Value: float64(took.rowReads)},
				figure.Metric{Name: "row blocks written per batch", Value: float64(took.rowPuts)},
			), err
		},
	}
}
