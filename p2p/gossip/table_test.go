package gossip

import (
	"encoding/binary"
	"fmt"
	"maps"
	"testing"
	"time"

	"lightcone/memo"
)

// tableRTT is the round trip time of the table below.
const tableRTT = 100 * time.Millisecond

// apart is what two replicas hold of one row of the table: so many authors with a
// hundred memos each in common; and beyond that some runs, at one side or at both.
type apart struct {
	name    string
	authors int // whose memos are in common, 0 for none
	ours    int // authors of whom we hold more …
	theirs  int // … and of whom they do
	runs    int // of each of them
	memos   int // of a run
	forked  int // runs of an author who forked, in common
	lacking int // of these, every so many-th is missing at one side or the other; 0: none
}

// table has the rows for a million memos divided by scale.
func table(scale int) []apart {
	n := 10_000 / scale
	return []apart{
		{name: "equal", authors: n},
		{name: "1 missing", authors: n, theirs: 1, runs: 1, memos: 1},
		{name: "10k recent: 10 authors", authors: n, theirs: 10, runs: 1000 / scale, memos: 1},
		{name: "10k scattered: 10k authors", authors: n, theirs: n, runs: 1, memos: 1},
		{name: "disjoint, 100k each", ours: 1000 / scale, theirs: 1000 / scale, runs: 10, memos: 10},
		{name: "a forked author of 50k runs, equal", authors: n, forked: 50_000 / scale},
		{name: "the same, 100 missing of it", authors: n, forked: 50_000 / scale, lacking: 500 / min(scale, 10)},
	}
}

// cost is what a row of the table took.
type cost struct {
	runs         int     // bytes of runs that were missing
	wire, frames int     // all that was sent
	held, over   float64 // round trips until both held all, until the session was over
}

// take plays a row of the table.
func (x apart) take(tb testing.TB) (c cost) {
	w := newWorld(1, 2, faults{delay: tableRTT / 2, noGossip: true})
	a, b := w.replicas[0], w.replicas[1]
	b.shelf.put(w.genesis)
	known := authors(2, x.ours+x.theirs)
	for i := range x.authors {
		var id memo.Author
		binary.BigEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		if i < len(known) {
			id = known[i].id
		}
		mark := memo.Mark{Head: memo.Head{Author: id, Seq: 100, ID: memo.Sum(id[:])}, Time: 1}
		a.shelf.vec.Set(mark)
		b.shelf.vec.Set(mark)
		if i < len(known) {
			known[i].head = mark.Head
		}
	}
	for i, s := range known {
		at := a
		if i < x.ours {
			at = b
		}
		for range x.runs {
			var deps []memo.Head
			if s.head.Seq == 0 {
				deps = []memo.Head{w.genesis.Head()}
			}
			r := s.write(w.space, time.Second, deps, x.memos, 100)
			at.shelf.put(r)
			c.runs += len(raw(r))
		}
	}
	if x.forked > 0 {
		c.runs += x.fork(w)
	}
	a.shelf.root, b.shelf.root = nil, nil
	a.core.Know(w.time(), w.space, b.id)
	b.core.Know(w.time(), w.space, a.id)
	w.links[pair(a, b)] = true
	w.bytes = traffic{}
	begun := w.now
	b.step(PeerUp{a.id})
	b.step(Want{Space: w.space, Origin: a.id})
	all := maps.Clone(a.shelf.has)
	maps.Copy(all, b.shelf.has)
	same := func() bool { return len(a.shelf.has) == len(all) && len(b.shelf.has) == len(all) && w.converged() }
	if !w.run(calm, func() bool { return same() && b.core.Stats().Sessions > 0 }) {
		tb.Fatalf("%s: %d and %d memos", x.name, len(a.shelf.has), len(b.shelf.has))
	}
	c.held = float64(w.now-begun) / float64(tableRTT)
	if !w.run(calm, func() bool { return same() && w.idle() }) || len(w.blamed) > 0 {
		tb.Fatalf("%s: no end; blamed %v", x.name, w.blamed)
	}
	c.over, c.wire, c.frames = float64(w.now-begun)/float64(tableRTT), w.bytes.recon, w.bytes.frames
	return c
}

// fork gives both sides an author whose second place has two memos, with many runs
// behind one of them that hold one memo each.
func (x apart) fork(w *world) (missing int) {
	a, b := w.replicas[0], w.replicas[1]
	s := authors(3, 1)[0]
	both := func(r *memo.Run) {
		a.shelf.put(r)
		b.shelf.put(r)
	}
	both(s.write(w.space, time.Second, []memo.Head{w.genesis.Head()}, 1, 1))
	trunk := s.head
	both(s.write(w.space, time.Second, nil, 1, 1))
	for i := range x.forked { // twigs, so that one can be missing
		s.head = trunk
		r := s.write(w.space, time.Second+time.Duration(i)*time.Millisecond, nil, 1, 100)
		switch {
		case x.lacking == 0 || i%x.lacking > 0:
			both(r)
			continue
		case i/x.lacking%2 == 0:
			a.shelf.put(r)
		default:
			b.shelf.put(r)
		}
		missing += len(raw(r))
	}
	return missing
}

func (c cost) String() string {
	return fmt.Sprintf("%10d B of runs, %10d B on the wire in %5d frames, all held after %.1f round trips, over after %.1f",
		c.runs, c.wire, c.frames, c.held, c.over)
}

// TestTable logs the table of what recon costs, at a hundredth of the size, and that
// what is not runs stays small where little is missing.
func TestTable(t *testing.T) {
	for _, x := range table(100) {
		c := x.take(t)
		t.Logf("%-36s %v", x.name, c)
		if x.runs <= 1 && x.forked == 0 && c.wire-c.runs > 15_000 {
			t.Errorf("%s: %d bytes besides the runs", x.name, c.wire-c.runs)
		}
	}
}

// BenchmarkTable reports the table at full size: a million memos.
func BenchmarkTable(b *testing.B) {
	for _, x := range table(1) {
		b.Run(x.name, func(b *testing.B) {
			for range b.N {
				c := x.take(b)
				b.ReportMetric(float64(c.runs), "B-runs")
				b.ReportMetric(float64(c.wire-c.runs), "B-rest")
				b.ReportMetric(float64(c.frames), "frames")
				b.ReportMetric(c.held, "rtt-held")
				b.ReportMetric(c.over, "rtt-over")
			}
		})
	}
}
