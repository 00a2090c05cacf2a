package worlds

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
	"lightcone/simulations/report"
	"lightcone/simulations/scenario"
)

// This file is a day of editing: real memos and one real context of somebody who hears
// all of them; who does what, and how fast others have it, is a model.

// edited is what was last done to a row.
type edited struct {
	who   int
	at    time.Duration
	n     uint32 // how many were before it
	mark  memo.Mark
	stamp merge.Stamp
}

// day is one run.
type day struct {
	s      *scenario.Scenario
	d      dice
	region []int
	last   []memo.Mark // of each author
	ids    []memo.Author
	rows   map[int][]edited // newest last, no older than slowest
	space  memo.SpaceID
	origin memo.Head
	trees  causal.Trees
	qc     causal.Context
	tail   []*memo.Memo
	bytes  int
	before time.Duration // when the last memo came
	blocks shelf
	ear    ears // the holder's
	hash   [32]byte

	count                          uint32 // memos
	written, concurrent, overruled [behaviours]int
	folds, idle                    int
	most                           int
	hourly, clashes, heads         []float64
}

// slowest is after how long everybody has an edit; restAfter is how long nothing comes
// until the holder of a context is idle.
const slowest, restAfter = 10 * time.Second, 30 * time.Second

// shelf keeps the blocks of roots.
type shelf map[memo.ID][]byte

// Block is a merge.BlockGetter's.
func (s shelf) Block(id memo.ID) ([]byte, error) {
	if data, ok := s[id]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
}

// PutBlock is a merge.BlockPutter's.
func (s shelf) PutBlock(id memo.ID, data []byte) error { s[id] = data; return nil }

func editing(ctx context.Context, s *scenario.Scenario, o Options, r *report.Result) error {
	y, err := newDay(s)
	if err != nil {
		return err
	}
	all := acts(s, y.region, &y.d)
	for i, a := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := y.do(a); err != nil {
			return err
		}
		if i%1000 == 0 && o.Progress != nil {
			o.Progress(Progress{Now: engine.Ticks(a.at), Until: ticks(s.Until), Events: uint64(i)})
		}
	}
	y.report(r, len(all))
	return nil
}

func newDay(s *scenario.Scenario) (*day, error) {
	hours := int(time.Duration(s.Until).Hours()) + 1
	y := &day{
		s: s, d: dice{seed: s.Seed ^ 0xed17}, rows: map[int][]edited{}, blocks: shelf{}, last: make([]memo.Mark, s.Peers),
		ear:    ears{of: make([]gossip.Ear, 1)},
		hourly: make([]float64, hours), clashes: make([]float64, hours), heads: make([]float64, hours),
	}
	for i := range s.Peers {
		var seed [ed25519.SeedSize]byte
		binary.BigEndian.PutUint64(seed[:], engine.Draw(s.Seed^0xed175, engine.Peer(i), 0))
		y.ids = append(y.ids, memo.Author(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)))
		y.region = append(y.region, y.place(s.Network.Regions))
	}
	m, err := memo.New(memo.Memo{Author: y.ids[0], Seq: 1, Time: 1, Body: &memo.Genesis{
		Name: "simulation", RootKeys: []memo.Author{y.ids[0]}, W: 16, M: 128, D: 3, Rho: memo.DefaultRho,
	}})
	if err != nil {
		return nil, err
	}
	y.space, y.origin, y.last[0] = m.SpaceID(), m.Head(), memo.Mark{Head: m.Head(), Time: m.Time}
	y.trees = causal.Trees{Params: merge.DefaultParams(y.space), Get: y.blocks, Put: y.blocks}
	y.qc, y.tail = causal.Context{Space: y.space}.With(m.Head()), []*memo.Memo{m}
	return y, nil
}

// place draws a region by the shares of all.
func (y *day) place(shares []float64) int {
	sum := 0.0
	for _, x := range shares {
		sum += x
	}
	at := y.d.float() * sum
	for i, x := range shares {
		if at -= x; at < 0 {
			return i
		}
	}
	return max(0, len(shares)-1)
}

// delay draws how long an edit takes to another peer.
func (y *day) delay(e edited, to int) time.Duration {
	d := engine.DefaultLatency
	if l := y.s.Network.Latency; l != nil {
		d = time.Duration(l[y.region[e.who]][y.region[to]])
	}
	once := dice{seed: engine.Draw(y.s.Seed, engine.Peer(to), e.n)}
	return min(slowest, d+time.Duration(2*once.float()*float64(y.s.Editing.Reach)))
}

// clock is what the clock of somebody shows.
func (y *day) clock(a act) time.Duration {
	once := dice{seed: engine.Draw(y.s.Seed^0xc10c, engine.Peer(a.who), 0)}
	return a.at + time.Duration(float64(a.at)*y.s.Network.Drift*(2*once.float()-1))
}

// do writes one memo, upon what its author has heard of these rows.
func (y *day) do(a act) error {
	deps := map[memo.Author]memo.Mark{}
	var missed []edited
	for _, row := range a.rows {
		for _, e := range y.rows[row] {
			switch {
			case e.who == a.who:
			case e.at+y.delay(e, a.who) <= a.at:
				if deps[e.mark.Author].Seq < e.mark.Seq {
					deps[e.mark.Author] = e.mark
				}
			default:
				missed = append(missed, e)
			}
		}
	}
	m, err := y.make(a, deps)
	if err != nil {
		return err
	}
	hour := int(a.at.Hours())
	y.written[a.what]++
	y.hourly[hour]++
	if len(missed) > 0 {
		y.concurrent[a.what]++
		y.clashes[hour]++
		if slices.ContainsFunc(missed, func(e edited) bool { return merge.StampOf(m).Compare(e.stamp) < 0 }) {
			y.overruled[a.what]++
		}
	}
	for _, row := range a.rows {
		old := slices.DeleteFunc(y.rows[row], func(e edited) bool { return a.at-e.at > slowest && len(y.rows[row]) > 1 })
		y.rows[row] = append(old, edited{a.who, a.at, y.count, y.last[a.who], merge.StampOf(m)})
	}
	y.count++
	return y.take(m, a.at, hour)
}

// make makes the memo.
func (y *day) make(a act, known map[memo.Author]memo.Mark) (*memo.Memo, error) {
	own := y.last[a.who]
	after := []memo.Time{own.Time}
	var deps []memo.Head
	if own.Seq == 0 && known[y.origin.Author].Seq == 0 {
		deps = append(deps, y.origin)
	}
	for _, k := range known {
		deps, after = append(deps, k.Head), append(after, k.Time)
	}
	memo.SortDeps(deps)
	var rows []memo.RowEdit
	for _, row := range a.rows {
		rows = append(rows, memo.RowEdit{
			Row: memo.Bytes(fmt.Sprintf("%06d", row)), Deltas: []memo.Delta{{Op: memo.Op{Set: true, Value: memo.Blob(make([]byte, 100))}}},
		})
	}
	slices.SortFunc(rows, func(a, b memo.RowEdit) int { return slices.Compare([]byte(a.Row), []byte(b.Row)) })
	m, err := memo.New(memo.Memo{
		Space: y.space, Author: y.ids[a.who], Seq: own.Seq + 1, Prev: own.ID, Deps: deps,
		Time: memo.Next(uint64(y.clock(a).Milliseconds())+1, after...),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: rows}}},
	})
	if err == nil {
		y.last[a.who] = memo.Mark{Head: m.Head(), Time: m.Time}
	}
	return m, err
}

// take has the context take a memo in that the topic brings and its holder hears, and
// fold where its policy says so.
func (y *day) take(m *memo.Memo, at time.Duration, hour int) error {
	if !y.ear.hear(0, time.Unix(0, 0).Add(at), m.Author, m.Seq) {
		return nil
	}
	if at-y.before > restAfter {
		if err := y.fold(causal.Idle); err != nil {
			return err
		}
	}
	y.before = at
	y.qc = y.qc.With(m.Head())
	y.tail = append(y.tail, m)
	y.bytes += m.BodySize()
	y.most = max(y.most, len(y.qc.Loose))
	y.heads[hour] = max(y.heads[hour], float64(len(y.qc.Loose)))
	y.hash = sha256.Sum256(binary.BigEndian.AppendUint64(append(y.hash[:], m.ID().String()...), y.ear.digest(0)))
	return y.fold(causal.Grown)
}

func (y *day) fold(on causal.Occasion) (err error) {
	budget, due := causal.DefaultPolicy().Due(on, len(y.qc.Loose), y.bytes)
	if !due {
		return nil
	}
	if y.qc, err = y.qc.FoldPart(y.trees, y.tail, budget); err != nil {
		return err
	}
	y.folds++
	if on == causal.Idle {
		y.idle++
	}
	y.tail = slices.DeleteFunc(y.tail, func(m *memo.Memo) bool { return y.qc.Below.Covers(m.Author, m.Seq) })
	y.bytes = 0
	for _, m := range y.tail {
		y.bytes += m.BodySize()
	}
	return nil
}

// report says what the day was like.
func (y *day) report(r *report.Result, n int) {
	sum := func(x [behaviours]int) (s float64) {
		for _, v := range x {
			s += float64(v)
		}
		return s
	}
	total := sum(y.written)
	r.Facts = append(r.Facts, report.Fact{Name: "memos", Value: total},
		report.Fact{Name: "concurrent with another edit of the row", Value: 100 * sum(y.concurrent) / max(1, total), Unit: "%"},
		report.Fact{Name: "of these, overruled at once by the other one", Value: 100 * sum(y.overruled) / max(1, sum(y.concurrent)), Unit: "%"})
	for i, name := range behaviourNames {
		r.Facts = append(r.Facts, report.Fact{Name: name + ": memos", Value: float64(y.written[i])},
			report.Fact{Name: name + ": concurrent", Value: 100 * float64(y.concurrent[i]) / float64(max(1, y.written[i])), Unit: "%"})
	}
	r.Facts = append(r.Facts, report.Fact{Name: "folds (keyframes)", Value: float64(y.folds)},
		report.Fact{Name: "of these, while idle", Value: float64(y.idle)},
		report.Fact{Name: "memos a fold", Value: total / float64(max(1, y.folds))},
		report.Fact{Name: "most loose heads", Value: float64(y.most)})
	hours := make([]float64, len(y.hourly))
	for i := range hours {
		hours[i] = float64(i)
	}
	last := len(hours)
	for last > 1 && y.hourly[last-1] == 0 {
		last--
	}
	h := func(name, title, label string, v []float64) report.Chart {
		return report.Chart{
			Name: name, Title: title, X: report.Axis{Label: "time", Unit: "h UTC"}, Y: report.Axis{Label: label},
			Curves: []report.Curve{{Name: label, X: hours[:last], Y: v[:last]}},
		}
	}
	r.Charts = append(r.Charts, h("memos", "A day of editing", "memos an hour", y.hourly),
		h("concurrent", "Edits made without knowing of another one of the row", "edits an hour", y.clashes),
		h("heads", "The context of somebody who hears all", "most loose heads in the hour", y.heads))
	r.Steps = append(r.Steps,
		report.Steps{Package: "memo", What: "New: every memo is made; Next: its time", Events: uint64(n)},
		report.Steps{Package: "p2p/gossip", What: "Ear.Tick, Ear.Hear of one holder: every memo is heard", Events: 2 * uint64(n)},
		report.Steps{Package: "context", What: "Context.With, Policy.Due, Context.FoldPart of one holder", Events: uint64(n + y.folds)},
		report.Steps{Package: "simulations/worlds", What: "who edits what and when, and how fast others have it", Events: uint64(n), Model: true})
	r.Hash = hex.EncodeToString(y.hash[:])
	r.Cost.Events = uint64(n)
}
