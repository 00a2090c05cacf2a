package main

import (
	"container/heap"
	"math"
	"math/rand/v2"

	"lightcone/simulations/engine"
)

// This file is the side heap: the push flood in a loop around container/heap, which is
// what a simulator is before anybody thinks about its speed.

// arrival is a copy on its way.
type arrival struct {
	at   int64 // ticks
	to   int32
	hops int32
}

// queue is the arrivals by time.
type queue []arrival

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(arrival)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// runHeap is one run of the side heap.
func runHeap(f flood, peers int, seed uint64) outcome {
	rng := rand.New(rand.NewPCG(seed, 1))
	seen := make([]bool, peers)
	q := queue{{to: int32(rng.IntN(peers))}}
	var out outcome
	var took engine.Histogram
	for len(q) > 0 {
		a := heap.Pop(&q).(arrival)
		out.Events++
		if a.hops > 0 {
			out.Copies++
		}
		if seen[a.to] {
			continue
		}
		seen[a.to] = true
		out.Firsts++
		out.Hops += float64(a.hops)
		took.Add(uint64(a.at))
		for range f.fanout {
			more := max(1, math.Round(-math.Log(1-rng.Float64())*jitterTicks))
			heap.Push(&q, arrival{at: a.at + latencyTicks + int64(more), to: int32(rng.IntN(peers)), hops: a.hops + 1})
		}
	}
	out.Hops /= float64(out.Firsts)
	out.P50, out.P99 = float64(took.Quantile(0.5)), float64(took.Quantile(0.99))
	return out
}
