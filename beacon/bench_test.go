package beacon_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"lightcone/beacon"
	"lightcone/memo"
)

// busy is a space in which each of many beacons pings twice, in any order, and refers to
// the last seven pings and to a ping of any beacon.
type busy struct {
	memos []*memo.Memo
	held  map[memo.ID]*memo.Memo
}

func newBusy(beacons int) *busy {
	r := rand.New(rand.NewPCG(4, 7))
	b := &busy{held: map[memo.ID]*memo.Memo{}}
	chains := make([]*chain, beacons)
	var by []int
	for i := range chains {
		var a memo.Author
		binary.BigEndian.PutUint64(a[:], r.Uint64())
		chains[i] = &chain{by: a}
		by = append(by, i, i)
	}
	r.Shuffle(len(by), func(i, j int) { by[i], by[j] = by[j], by[i] })
	for t, i := range by {
		var refs []memo.Head
		taken := map[memo.Author]bool{chains[i].by: true}
		add := func(h memo.Head) {
			if h.Seq > 0 && !taken[h.Author] && len(refs) < memo.MaxRefs {
				taken[h.Author] = true
				refs = append(refs, h)
			}
		}
		add(chains[r.IntN(beacons)].head.Head)
		for k := len(b.memos) - 1; k >= max(0, len(b.memos)-2*memo.MaxRefs); k-- {
			// News takes a while: one of two was not heard yet.
			if h := b.memos[k].Head(); r.IntN(2) == 0 && chains[by[k]].head.Head == h {
				add(h)
			}
		}
		memo.SortDeps(refs)
		m := chains[i].next(memo.Time(2+t), &memo.Ping{Refs: refs})
		b.memos = append(b.memos, m)
		b.held[m.ID()] = m
	}
	return b
}

// Links makes it a beacon.DAG.
func (b *busy) Links(h memo.Head) ([]memo.Head, memo.Time, bool) {
	m := b.held[h.ID]
	if m == nil {
		return nil, 0, h == genesis.Head()
	}
	return links(m), m.Time, true
}

func (b *busy) index() *beacon.Pings {
	p := newPings()
	for _, m := range b.memos {
		p.Add(m)
	}
	return p
}

func heap() float64 {
	runtime.GC()
	runtime.GC() // what the first one found to be freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

var counts = []int{100, 1000, 4000, 16_000}

// BenchmarkAdd tells what a ping takes to add, and what the index takes in the end.
func BenchmarkAdd(b *testing.B) {
	for _, n := range counts {
		b.Run(fmt.Sprintf("beacons=%d", n), func(b *testing.B) {
			space, adds, before := newBusy(n), 0, heap()
			p := space.index()
			took := heap() - before
			runtime.KeepAlive(p)
			for b.Loop() {
				space.index()
				adds += len(space.memos)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(adds), "ns/add")
			b.ReportMetric(took/float64(n), "B/beacon")
		})
	}
}

// BenchmarkHappensBefore asks about pings of the last tenth.
func BenchmarkHappensBefore(b *testing.B) {
	for _, n := range counts {
		b.Run(fmt.Sprintf("beacons=%d", n), func(b *testing.B) {
			space := newBusy(n)
			p, r, unknown, asked := space.index(), rand.New(rand.NewPCG(1, 2)), 0, 0
			late := space.memos[len(space.memos)*9/10:]
			for b.Loop() {
				a, o := late[r.IntN(len(late))], late[r.IntN(len(late))]
				if beacon.HappensBefore(p, space, a.Head(), o.Head(), 4096).Rule > beacon.ByClock {
					unknown++
				}
				asked++
			}
			b.ReportMetric(100*float64(unknown)/float64(asked), "%walked")
		})
	}
}
