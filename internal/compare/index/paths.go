package main

import (
	"fmt"
	"math"

	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

// shapeCase walks all nodes of the trees.
func (b *bench) shapeCase() *workload {
	return &workload{
		name: "shape", title: "the trees as the batches left them", has: storedTree, once: true,
		measure: func(c *contestant, _ watch) ([]figure.Metric, error) {
			s, err := c.tree.(stored).shape(c.root)
			if err != nil {
				return nil, err
			}
			return shapeMetrics(s, len(b.data.now)), nil
		},
	}
}

func shapeMetrics(s shape, keys int) []figure.Metric {
	return []figure.Metric{
		{Name: "height", Value: float64(s.height)},
		{Name: "nodes", Value: float64(s.nodes)},
		per("bytes of nodes per key", "B", s.bytes, keys),
		{Name: "bytes of a node, mean", Unit: "B", Value: float64(s.bytes) / float64(s.nodes)},
		lower("bytes of the largest node", "B", float64(s.largest)),
		lower("items of the largest node", "", float64(s.most)),
	}
}

// sample returns n keys spread over those of the first build.
func (b *bench) sample(n int) []string {
	n = min(n, len(b.data.keys))
	const stride = 7919 // a prime, so that neighbours are not read one after the other
	out := make([]string, n)
	for i := range out {
		out[i] = b.data.keys[i*stride%len(b.data.keys)]
	}
	return out
}

// readCase reads keys, each from the root on.
func (b *bench) readCase() *workload {
	return &workload{
		name: "reads", title: fmt.Sprintf("%d scattered keys, each from the root's digest on", b.p.reads), has: storedTree,
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			t, keys, before := c.tree.(stored), b.sample(b.p.reads), c.blocks.count
			least, most := math.MaxInt, 0
			u, err := w.time(func() error {
				for _, key := range keys {
					path := c.blocks.readBytes
					row, found, err := t.get(c.root, key)
					if err != nil {
						return err
					}
					if !found || row != b.data.now[key] {
						return fmt.Errorf("%w: key %q has row %s", errUnequal, key, row)
					}
					path = c.blocks.readBytes - path
					least, most = min(least, path), max(most, path)
				}
				return nil
			})
			took := c.blocks.since(before)
			return []figure.Metric{
				u.rate(len(keys), "reads"), u.cpuEach(len(keys), "read"), per("nodes on a path, mean", "", took.reads, len(keys)),
				per("path bytes, mean", "B", took.readBytes, len(keys)),
				lower("path bytes, min", "B", float64(least)), lower("path bytes, max", "B", float64(most)),
			}, err
		},
	}
}

// proofCase shows to somebody who knows the root's digest what a key has.
func (b *bench) proofCase() *workload {
	return &workload{
		name: "proofs", title: fmt.Sprintf("%d scattered keys; indigo: the nodes on the path, hashed and read", b.p.proofs), has: storedTree,
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			t, keys, size := c.tree.(stored), b.sample(b.p.proofs), 0
			proofs := make([][][]byte, len(keys))
			made, err := watch{}.time(func() (err error) {
				for i := 0; i < len(keys) && err == nil; i++ {
					proofs[i], err = t.prove(c.root, keys[i])
				}
				return err
			})
			if err != nil {
				return nil, err
			}
			rows := make([]memo.ID, len(keys))
			u, err := w.time(func() (err error) {
				for i := 0; i < len(keys) && err == nil; i++ {
					rows[i], err = t.verify(c.root, keys[i], proofs[i])
				}
				return err
			})
			for i, key := range keys {
				if err == nil && rows[i] != b.data.now[key] {
					err = fmt.Errorf("%w: the proof of key %q shows row %s", errUnequal, key, rows[i])
				}
				for _, node := range proofs[i] {
					size += len(node)
				}
			}
			return []figure.Metric{
				per("bytes of a proof", "B", size, len(keys)),
				lower("time to make one", "µs", made.elapsed.Seconds()*1e6/float64(len(keys))),
				lower("time to verify one", "µs", u.elapsed.Seconds()*1e6/float64(len(keys))),
				u.cpuEach(len(keys), "verification"),
			}, err
		},
	}
}
