package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

// changes makes a batch of n keys, half of them in the tree and half new, none of
// which is in the batches made before.
func (b *bench) changes(n int, before ...[]entry) ([]entry, error) {
	taken := map[string]bool{}
	for _, batch := range before {
		for _, e := range batch {
			taken[e.key] = true
		}
	}
	var keys []string
	for i, need := range []int{n / 2, n - n/2} {
		for need > 0 {
			for _, key := range b.data.pick(need, false, i == 0) {
				if !taken[key] {
					taken[key] = true
					keys = append(keys, key)
					need--
				}
			}
		}
	}
	slices.Sort(keys)
	batch, _, err := b.data.batch(keys)
	return batch, err
}

// diffCase finds the differences of two trees.
func (b *bench) diffCase(n size) *workload {
	n.keys = min(n.keys, len(b.data.keys)/4)
	var batches [][]entry
	others := map[*contestant][]memo.ID{}
	return &workload{
		name: fmt.Sprintf("diff %d", n.keys), has: storedTree,
		title: fmt.Sprintf("%d pairs of trees that differ in %d scattered keys, half of them new", n.times, n.keys),
		prepare: func(taking []*contestant) error {
			batches = nil
			clear(others)
			for range n.times {
				batch, err := b.changes(n.keys)
				if err != nil {
					return err
				}
				batches = append(batches, batch)
				for _, c := range taking {
					other, err := c.apply(c.root, batch)
					if err != nil {
						return err
					}
					others[c] = append(others[c], other)
				}
			}
			return nil
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			before, found := c.blocks.count, make([][]entry, n.times)
			u, err := w.time(func() (err error) {
				for i := 0; i < n.times && err == nil; i++ {
					found[i], err = c.tree.(stored).diff(c.root, others[c][i])
				}
				return err
			})
			took := c.blocks.since(before)
			for i := 0; i < n.times && err == nil; i++ {
				err = sameEntries(found[i], batches[i])
			}
			return []figure.Metric{
				u.each(n.times, "time"), u.cpuEach(n.keys*n.times, "key"), per("nodes read", "", took.reads, n.times),
			}, err
		},
	}
}

// ascending puts batches together.
func ascending(batches ...[]entry) []entry {
	return slices.SortedFunc(slices.Values(slices.Concat(batches...)), compareKeys)
}

func compareKeys(a, b entry) int { return strings.Compare(a.key, b.key) }

// sameEntries returns errUnequal unless a diff found what was changed.
func sameEntries(found, want []entry) error {
	if !slices.Equal(ascending(found), want) {
		return fmt.Errorf("%w: of %d differences it finds others, %d in all", errUnequal, len(want), len(found))
	}
	return nil
}

// mergeCase merges two trees that came from one and changed other keys.
func (b *bench) mergeCase() *workload {
	n := b.p.merges
	n.keys = min(n.keys, len(b.data.keys)/8)
	type pair struct{ a, b, both memo.ID }
	pairs := map[*contestant][]pair{}
	return &workload{
		name: fmt.Sprintf("merge %d", n.keys), has: storedTree,
		title: fmt.Sprintf("%d pairs of trees, each with other %d keys changed, half of them new; indigo: diff to a known base, and apply", n.times, n.keys),
		prepare: func(taking []*contestant) error {
			clear(pairs)
			for range n.times {
				left, err := b.changes(n.keys)
				if err != nil {
					return err
				}
				right, err := b.changes(n.keys, left)
				if err != nil {
					return err
				}
				for _, c := range taking {
					x, err := c.apply(c.root, left)
					y, err2 := c.apply(c.root, right)
					both, err3 := c.apply(x, right)
					found, err4 := c.tree.(stored).diff(c.root, both)
					if err := errors.Join(err, err2, err3, err4, sameEntries(found, ascending(left, right))); err != nil {
						return fmt.Errorf("%s: %w", c.name, err)
					}
					pairs[c] = append(pairs[c], pair{x, y, both})
				}
			}
			return nil
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			before, merged := c.blocks.count, make([]memo.ID, n.times)
			u, err := w.time(func() (err error) {
				for i := 0; i < n.times && err == nil; i++ {
					p := pairs[c][i]
					merged[i], err = c.tree.(stored).merge(c.root, p.a, p.b)
				}
				return err
			})
			took := c.blocks.since(before)
			for i := 0; i < n.times && err == nil; i++ {
				if merged[i] != pairs[c][i].both {
					err = fmt.Errorf("%w: merged they make %s, not %s", errUnequal, merged[i], pairs[c][i].both)
				}
			}
			return []figure.Metric{
				u.each(n.times, "time"), u.cpuEach(2*n.keys*n.times, "changed key"),
				per("nodes read", "", took.reads, n.times), per("nodes written", "", took.puts, n.times),
				per("bytes of nodes written per changed key", "B", took.putBytes, 2*n.keys*n.times),
				{Name: "row blocks read", Value: float64(took.rowReads) / float64(n.times)},
			}, err
		},
	}
}
