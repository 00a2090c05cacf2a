package worlds

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"slices"

	"lightcone/beacon"
	"lightcone/internal/portable"
	"lightcone/memo"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is the lag of beacons: how old the newest ping of others is that a peer's
// clock reaches when somebody asks there. A few peers, the readers, are looked at. They
// have real pings and the index of package beacon; how a ping comes to them is a model.

const (
	// maxReaders is how many peers are looked at. All get the same pings at about the
	// same time, so more of them would tell little more.
	maxReaders = 8
	// maxIndexed bounds the pings that are expected of a run whose readers have real
	// ones: an index takes up to 8 bytes for each pair of beacons.
	maxIndexed = 2400
	// lagSeed is the seed of what readers draw, apart from that of all peers.
	lagSeed = 0x1a9
)

// Readers are asked each once in askEvery, at a moment of its own.
var askEvery = engine.Seconds(5)

// pinged is a ping of somebody.
type pinged struct {
	at engine.Time
	by engine.Peer
	m  *memo.Memo // nil: none is made
}

// coming is a ping on its way to a reader.
type coming struct {
	pinged
	comes  engine.Time
	number uint32
}

// way is what is on its way, a heap: what comes first is first.
type way []coming

// Len is heap.Interface's, as all below.
func (w way) Len() int { return len(w) }

func (w way) Less(i, j int) bool {
	if w[i].comes != w[j].comes {
		return w[i].comes < w[j].comes
	}
	return w[i].number < w[j].number
}

func (w way) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *way) Push(x any)   { *w = append(*w, x.(coming)) }

func (w *way) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}

// reader is a peer that is looked at.
type reader struct {
	peer   engine.Peer
	way    way
	since  map[engine.Peer]engine.Time // when the last ping of each comes: real ones come in order
	newest engine.Time                 // ping of another that came; 0: none did
	next   engine.Time                 // when it is asked
	index  *beacon.Pings               // nil: no memos are made
	cut    memo.Vector
}

// lags is what the readers see.
type lags struct {
	s       *scenario.Scenario
	spread  spread
	all     []*reader
	genesis *memo.Memo // nil: no memos are made
	ids     map[engine.Peer]memo.Author
	last    map[engine.Peer]memo.Mark     // of each beacon's chain
	wrote   map[memo.Author][]engine.Time // when, by place
	pings   uint32
	ages    engine.Histogram // in ticks, of the second half, when the rate has settled
	x, y    []float64        // when somebody was asked, and the age then, in s
	reached []float64        // beacons that the clocks reached
	steps   uint64           // of package beacon
	sum     uint64           // of all that was seen
}

// newLags begins; rate is how many pings a second are expected.
func newLags(s *scenario.Scenario, rate float64) (*lags, error) {
	l := &lags{
		s: s, spread: newSpread(s), ids: map[engine.Peer]memo.Author{}, last: map[engine.Peer]memo.Mark{}, wrote: map[memo.Author][]engine.Time{},
	}
	var err error
	if s.Beacons.Rule == "controller" && rate*ticks(s.Until).Seconds() <= maxIndexed {
		if l.genesis, err = genesis(l.id(0)); err != nil {
			return nil, err
		}
		l.last[0] = memo.Mark{Head: l.genesis.Head(), Time: l.genesis.Time}
		l.wrote[l.id(0)] = []engine.Time{0}
	}
	n := min(s.Peers, maxReaders)
	for i := range n {
		r := &reader{peer: engine.Peer(i * s.Peers / n), since: map[engine.Peer]engine.Time{}}
		r.next = l.dice(r, 0).ticks(askEvery)
		if l.genesis != nil {
			r.index = beacon.NewPings(memo.Vector{}, nil)
			r.take(l.genesis)
		}
		l.all = append(l.all, r)
	}
	return l, nil
}

// dice draws for a reader: a ping by its number, or when it is asked next.
func (l *lags) dice(r *reader, n uint32) *dice {
	return &dice{seed: engine.Draw(l.s.Seed^lagSeed, r.peer, n)}
}

// ticks draws a span below d.
func (d *dice) ticks(below engine.Time) engine.Time { return engine.Time(d.float() * float64(below)) }

func (l *lags) id(p engine.Peer) memo.Author {
	id, ok := l.ids[p]
	if !ok {
		id = keyOf(l.s.Seed, p)
		l.ids[p] = id
	}
	return id
}

// pass tells of the pings up to now, and asks whom it is time to ask.
func (l *lags) pass(now engine.Time, who []pinged) error {
	slices.SortFunc(who, func(a, b pinged) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	for _, p := range who {
		l.until(p.at)
		if err := l.send(p); err != nil {
			return err
		}
	}
	l.until(now)
	return nil
}

// until lets time pass for the readers, and asks whom it is time to ask.
func (l *lags) until(now engine.Time) {
	for _, r := range l.all {
		for ; r.next <= now; r.next += askEvery {
			r.arrive(r.next)
			l.ask(r)
		}
		r.arrive(now)
	}
}

// send puts a ping on its way to all readers.
func (l *lags) send(p pinged) error {
	// Who writes it has what is with it by now, and refers to that. One that is no reader
	// has what some reader has.
	at := l.all[int(p.by)%len(l.all)]
	for _, r := range l.all {
		if r.peer == p.by {
			at = r
		}
	}
	if l.genesis != nil {
		if err := l.write(&p, at); err != nil {
			return err
		}
		l.steps += uint64(len(l.all)) + 1
	}
	l.pings++
	for _, r := range l.all {
		c := coming{pinged: p, comes: p.at, number: l.pings}
		if r.peer != p.by {
			c.comes += engine.Ticks(l.spread.draw(l.dice(r, 2*l.pings)))
		}
		if p.m != nil {
			c.comes = max(c.comes, r.since[p.by])
			r.since[p.by] = c.comes
		}
		heap.Push(&r.way, c)
	}
	return nil
}

// write makes the memo of a ping, of what is with a reader.
func (l *lags) write(p *pinged, at *reader) error {
	id, own := l.id(p.by), l.last[p.by]
	body := &memo.Ping{Refs: at.index.Refs(id, l.dice(at, 2*l.pings+1).float())}
	after := []memo.Time{own.Time}
	for _, r := range body.Refs {
		mark, _ := at.cut.Get(r.Author)
		after = append(after, mark.Time)
	}
	m := memo.Memo{
		Space: l.genesis.SpaceID(), Author: id, Seq: own.Seq + 1, Prev: own.ID, Time: memo.Next(uint64(p.at.Duration().Milliseconds()), after...), Body: body,
	}
	if own.Seq == 0 {
		m.Deps = []memo.Head{l.genesis.Head()}
	}
	made, err := memo.New(m)
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	p.m = made
	l.last[p.by] = memo.Mark{Head: made.Head(), Time: made.Time}
	l.wrote[id] = append(l.wrote[id], p.at)
	l.mix(l.last[p.by].Hint())
	return nil
}

func (l *lags) mix(x uint64) { l.sum = (l.sum ^ x) * 0x9e3779b97f4a7c15 }

// arrive has come what comes until then.
func (r *reader) arrive(now engine.Time) {
	for len(r.way) > 0 && r.way[0].comes <= now {
		c := heap.Pop(&r.way).(coming)
		if c.by != r.peer {
			r.newest = max(r.newest, c.at)
		}
		if c.m != nil {
			r.take(c.m)
		}
	}
}

// take attaches a memo.
func (r *reader) take(m *memo.Memo) {
	r.index.Add(m)
	r.cut.Add(memo.Mark{Head: m.Head(), Time: m.Time})
}

// ask asks a reader how old the newest ping is that its context reaches.
func (l *lags) ask(r *reader) {
	newest := r.newest
	if r.index != nil {
		newest = l.read(r)
	}
	if newest == 0 {
		return
	}
	age := r.next - newest
	if r.next >= ticks(l.s.Until)/2 {
		l.ages.Add(uint64(age))
	}
	l.x, l.y = append(l.x, r.next.Seconds()), append(l.y, age.Seconds())
	l.mix(uint64(age))
}

// read finds it in the clock of all that the reader has.
func (l *lags) read(r *reader) (newest engine.Time) {
	clock, n := r.index.ClockOf(r.cut), 0
	for beacon, seq := range clock.All() {
		n++
		if beacon != l.id(r.peer) {
			newest = max(newest, l.wrote[beacon][seq-1])
		}
	}
	l.reached = append(l.reached, float64(n))
	l.steps++
	return newest
}

// older is the share of moments at which the newest ping is older than a, where pings
// come at random: that none of those of the last a has come.
func (l *lags) older(rate, a float64) float64 {
	const parts = 200
	sum := 0.0
	for i := range parts {
		sum += l.spread.by(a * (float64(i) + 0.5) / parts)
	}
	return portable.Exp(-rate * a * sum / parts)
}

// quantile is the age below which a share q of all are, by older.
func (l *lags) quantile(rate, q float64) float64 {
	lo, hi := 0.0, 1e6
	for range 60 {
		if mid := (lo + hi) / 2; l.older(rate, mid) > 1-q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// average is the mean age, by older.
func (l *lags) average(rate float64) (sum float64) {
	const parts = 1000
	step := l.quantile(rate, 0.999999) / parts
	for i := range parts {
		sum += float64(step * l.older(rate, (float64(i)+0.5)*step))
	}
	return sum
}

const lagSource = "P(older than a) = e^(−r∫₀ᵃF): r pings of others a second, at random, of which a share F(t) has come after t; " +
	"in the mean about the spreading latency + 1/r"

// report says how old they were; rate is how many pings a second are expected.
func (l *lags) report(r *report.Result, rate float64) {
	rate *= 1 - 1/float64(l.s.Peers) // of others
	age := func(q float64) float64 { return engine.Time(l.ages.Quantile(q)).Seconds() }
	r.Facts = append(r.Facts,
		fact("beacon lag p50", age(0.5), "s", l.quantile(rate, 0.5), lagSource),
		fact("beacon lag p99", age(0.99), "s", l.quantile(rate, 0.99), lagSource),
		fact("beacon lag mean", engine.Resolution.Seconds()*l.ages.Mean(), "s", l.average(rate), lagSource),
		report.Fact{Name: "spreading latency, mean", Value: l.spread.mean(), Unit: "s"})
	c := cumulative("lag", "How old the newest ping of others is when somebody asks", "s", engine.Resolution.Seconds(), &l.ages)
	c.Y.Label = "share of the answers that are newer"
	x := c.Curves[0].X
	theory := report.Curve{Name: "theory", X: x, Theory: true}
	for _, a := range x {
		theory.Y = append(theory.Y, 1-l.older(rate, a))
	}
	c.Curves, c.Note = append(c.Curves, theory), lagSource+"."
	r.Charts = append(r.Charts, c, l.overTime())
	if l.genesis != nil {
		r.Facts = append(r.Facts,
			report.Fact{Name: "beacons that a clock reaches, most", Value: peak(l.reached)},
			report.Fact{Name: "pings in a reading at the end, mean", Value: mean(l.readings())})
		r.Steps = append(r.Steps, report.Steps{Package: "beacon", What: "Pings.Add, Refs and ClockOf: the clocks of the readers", Events: l.steps})
	}
	r.Steps = append(r.Steps, report.Steps{Package: "simulations/worlds", What: "how pings come to the readers", Events: uint64(l.pings) * uint64(len(l.all)), Model: true})
}

// readings are how many pings each reader's reading has.
func (l *lags) readings() (out []float64) {
	for _, r := range l.all {
		out = append(out, float64(len(r.index.Reading(r.index.ClockOf(r.cut)))))
		l.steps++
	}
	return out
}

// overTime draws the ages of each half minute.
func (l *lags) overTime() report.Chart {
	const window = 30.0 // s
	mid, most := report.Curve{Name: "median of 30 s"}, report.Curve{Name: "most in 30 s"}
	parts := map[int][]float64{}
	for i, x := range l.x {
		parts[int(x/window)] = append(parts[int(x/window)], l.y[i])
	}
	for _, k := range slices.Sorted(maps.Keys(parts)) {
		at := (float64(k) + 0.5) * window
		slices.Sort(parts[k])
		mid.X, mid.Y = append(mid.X, at), append(mid.Y, parts[k][len(parts[k])/2])
		most.X, most.Y = append(most.X, at), append(most.Y, peak(parts[k]))
	}
	return report.Chart{
		Name: "lag-over-time", Title: "The same over time", X: report.Axis{Label: "time", Unit: "s"}, Y: report.Axis{Label: "age", Unit: "s"},
		Curves: []report.Curve{mid, most},
	}
}
