package node_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// BenchmarkPut measures acknowledged single-row writes of 100 bytes, by
// durability and number of concurrent writers, on a node without a network.
func BenchmarkPut(b *testing.B) {
	for _, d := range []node.Durability{node.Group, node.Each, node.None} {
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%v/writers=%d", d, writers), func(b *testing.B) {
				n, err := node.Open(b.TempDir(), node.Options{Durability: d})
				if err != nil {
					b.Fatal(err)
				}
				defer n.Close()
				s, err := n.CreateSpace("default", node.Policy{})
				if err != nil {
					b.Fatal(err)
				}
				value := memo.Blob(make([]byte, 100))
				var row atomic.Int64
				b.SetParallelism(writers / 2)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						key := fmt.Sprint(row.Add(1))
						if _, err := s.Put(context.Background(), "t", key, node.Fields{"": value}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

// BenchmarkReplicate measures single-row writes at one of three replicas until
// all three hold them.
func BenchmarkReplicate(b *testing.B) {
	rs := swarm(b, 3, p2p.Options{})
	value := memo.Blob(make([]byte, 100))
	b.ResetTimer()
	b.SetParallelism(32)
	var row atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := fmt.Sprint(row.Add(1))
			if _, err := rs[0].space.Put(context.Background(), "t", key, node.Fields{"": value}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	converge(b, rs)
}
