package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"lightcone/internal/compare/figure"
	"lightcone/memo"
)

// groundCases put keys that an attacker chose for one side's rule into trees of
// ordinary keys, and insert keys between them.
func (b *bench) groundCases() []*workload {
	return []*workload{
		b.groundCase("ground indigo", b.p.layer, "on the lowest layer, so that one node takes them all", grindLayer),
		b.groundCase("ground lightcone", b.p.ground, "without a cut in the first domain", func(n int) ([]string, int) { return grindChain(n, 1) }),
		b.groundCase("ground lightcone deep", b.p.deep, "without a cut in any domain", func(n int) ([]string, int) { return grindChain(n, params.D+1) }),
	}
}

func (b *bench) groundCase(name string, n int, what string, grind func(n int) (keys []string, tries int)) *workload {
	var (
		keys  []string
		tries int
	)
	roots := map[*contestant]memo.ID{}
	all := b.p.ordinary + n
	return &workload{
		name: name, has: storedTree,
		title: fmt.Sprintf("%d keys ground %s, between %d ordinary ones; then %d inserts between them, one at a time", n, what, b.p.ordinary, b.p.amid),
		prepare: func(taking []*contestant) (err error) {
			if keys != nil {
				return nil
			}
			keys, tries = grind(n)
			in := labelled(slices.Sorted(slices.Values(append(ordinaryKeys(b.p.ordinary), keys...))))
			for i := 0; i < len(taking) && err == nil; i++ {
				roots[taking[i]], err = taking[i].build(in)
			}
			return err
		},
		measure: func(c *contestant, w watch) ([]figure.Metric, error) {
			s, err := c.tree.(stored).shape(roots[c])
			if err != nil {
				return nil, err
			}
			before, nodes, bytes := c.blocks.count, 0, 0
			u, err := w.time(func() error {
				for i := range b.p.amid {
					last := c.blocks.count
					key := keys[(i*2+1)*len(keys)/(2*b.p.amid)] + "~"
					if _, err := c.apply(roots[c], labelled([]string{key})); err != nil {
						return err
					}
					one := c.blocks.since(last)
					nodes, bytes = max(nodes, one.puts), max(bytes, one.putBytes)
				}
				return nil
			})
			took := c.blocks.since(before)
			return append(shapeMetrics(s, all),
				figure.Metric{Name: "keys that the attacker tried", Value: float64(tries)},
				per("nodes read by an insert, mean", "", took.reads, b.p.amid),
				per("nodes written by an insert, mean", "", took.puts, b.p.amid),
				lower("nodes written by an insert, max", "", float64(nodes)),
				per("bytes written by an insert, mean", "B", took.putBytes, b.p.amid),
				lower("bytes written by an insert, max", "B", float64(bytes)),
				u.cpuEach(b.p.amid, "insert"),
			), err
		},
	}
}

// labelled makes entries of new keys, of which nobody reads the rows.
func labelled(keys []string) []entry {
	out := make([]entry, len(keys))
	for i, key := range keys {
		out[i] = entry{key: key, row: memo.Sum([]byte(key)), fresh: true}
	}
	return out
}

// ordinaryKeys returns n keys, half of them below all ground ones, which begin
// with "ground/".
func ordinaryKeys(n int) []string {
	out := make([]string, n)
	for i := range out {
		sum := memo.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		out[i] = []string{"a/", "z/"}[i%2] + hex.EncodeToString(sum[:10])
	}
	return out
}

// groundKey is what an attacker tries for key i.
func groundKey(i, nonce int) string { return fmt.Sprintf("ground/%06d:%d", i, nonce) }

// grindLayer makes n keys that a Merkle search tree has on its lowest layer: their
// hashes do not begin with two zero bits. Neighbours of that kind share a node,
// and indigo refuses to encode one of more than 8,192 entries: a tree that got
// such keys cannot be stored any more.
func grindLayer(n int) (keys []string, tries int) {
	for i := range n {
		for nonce := 0; ; nonce++ {
			key := groundKey(i, nonce)
			tries++
			if sum := sha256.Sum256([]byte(key)); sum[0]&0xc0 != 0 {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys, tries
}

// grindChain makes n keys that leave the leaves of a tree of package merge without
// a cut in its first domains. In each of them one key in W is a link of a chain
// that rises from window to window, and all others are below the chain, so that
// no key is the greatest around. That takes about doms·2^doms·(n/W)² tries.
func grindChain(n, doms int) (keys []string, tries int) {
	steps := uint64(n/params.W + 1)
	fits := func(key string, i int) bool {
		for dom := range doms {
			high := uint64(priority(key, dom))
			if i%params.W != dom {
				if high>>31 != 0 {
					return false
				}
			} else if high>>31 == 0 || high&(1<<31-1)*steps>>31 != uint64(i/params.W) {
				return false
			}
		}
		return true
	}
	for i := range n {
		for nonce := 0; ; nonce++ {
			key := groundKey(i, nonce)
			tries++
			if fits(key, i) {
				keys = append(keys, key)
				break
			}
		}
	}
	return keys, tries
}

// priority returns the first bytes of a leaf key's priority in a domain.
func priority(key string, dom int) uint32 {
	var b strings.Builder
	b.WriteString("lc1")
	b.Write(params.Space[:])
	b.Write([]byte{0, byte(dom)})
	b.WriteString(key)
	sum := sha256.Sum256([]byte(b.String()))
	return binary.BigEndian.Uint32(sum[:])
}
