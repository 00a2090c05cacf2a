package worlds

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
)

// This file is a device of a team: a replica with real memos, rows, context and roots.

// restAfter is how long nothing comes until the holder of a context is idle.
const restAfter = 30 * time.Second

// device is one of a team.
type device struct {
	t       *team
	n       int
	id      memo.Author
	skew    float64 // of its clock
	vec     memo.Vector
	latest  memo.Time // of all that it attached
	rows    map[string]merge.Row
	orphans []*memo.Memo
	qc      causal.Context
	bytes   int           // of the tail
	busy    time.Duration // when something came last
	away    time.Duration // until when it is cut off
}

// clock is what its clock shows.
func (d *device) clock(at time.Duration) time.Time {
	return time.UnixMilli(1).Add(at + time.Duration(float64(at)*d.skew))
}

// write makes the memo of an act, upon what is here of its rows: concurrent values
// that it sees it replaces.
func (d *device) write(a act, at time.Duration) (*memo.Memo, error) {
	own, _ := d.vec.Get(d.id)
	var rows []memo.RowEdit
	after := map[memo.Author]merge.Stamp{}
	for _, n := range a.rows {
		name := fmt.Sprintf("%06d", n)
		row := d.rows[merge.RowKey("t", name)]
		w := merge.Writer{Author: d.id, Row: row, Own: row}
		rows = append(rows, memo.RowEdit{Row: memo.Bytes(name), Deltas: []memo.Delta{w.Put("", memo.Blob(make([]byte, 100)))}})
		for _, s := range row.Provenance() {
			if s.Author != d.id && s.Seq > after[s.Author].Seq {
				after[s.Author] = s
			}
		}
	}
	var deps []memo.Head
	if own.Seq == 0 && after[d.t.origin.Author].Seq == 0 {
		deps = append(deps, d.t.origin.Head())
	}
	for _, s := range after {
		deps = append(deps, memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID})
	}
	memo.SortDeps(deps)
	return memo.New(memo.Memo{
		Space: d.t.origin.SpaceID(), Author: d.id, Seq: own.Seq + 1, Prev: own.ID, Deps: deps,
		Time: memo.Next(uint64(d.clock(at).UnixMilli()), d.latest),
		Body: &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: rows}}},
	})
}

// take attaches a memo, and those that waited for it. One whose causes are not here
// waits.
func (d *device) take(m *memo.Memo, at time.Duration) error {
	if d.vec.Covers(m.Author, m.Seq) {
		return nil
	}
	d.orphans = append(d.orphans, m)
	for again := true; again; {
		again = false
		for i, o := range d.orphans {
			if d.attachable(o) {
				d.orphans = slices.Delete(d.orphans, i, i+1)
				if err := d.attach(o, at); err != nil {
					return err
				}
				again = true
				break
			}
		}
	}
	return d.fold(causal.Grown)
}

func (d *device) attachable(m *memo.Memo) bool {
	own, _ := d.vec.Get(m.Author)
	return own.Seq+1 == m.Seq && !slices.ContainsFunc(m.Deps, func(h memo.Head) bool { return !d.vec.Covers(h.Author, h.Seq) })
}

// attach joins a memo into the rows that it edits, and has the context take it in.
func (d *device) attach(m *memo.Memo, at time.Duration) error {
	for key, edit := range merge.RowEdits(m) {
		delta, err := merge.Delta(merge.StampOf(m), edit)
		if err != nil {
			return err
		}
		before := d.rows[key]
		after := merge.Join(before, delta)
		d.rows[key] = after
		d.t.joined(before, after, m)
	}
	mark := memo.Mark{Head: m.Head(), Time: m.Time}
	d.vec = d.vec.Clone()
	d.vec.Set(mark)
	d.latest = max(d.latest, m.Time)
	d.qc = d.qc.With(m.Head())
	d.bytes += m.BodySize()
	d.t.attached(d, m, at)
	return nil
}

// live is how many concurrent values a row has.
func live(r merge.Row) int {
	if c := r.Cell("", memo.Multi); c != nil {
		return len(c.Atoms.Live)
	}
	return 0
}

// rest folds all where nothing came for so long.
func (d *device) rest(at time.Duration) error {
	idle := at-d.busy > restAfter
	d.busy = at
	if !idle {
		return nil
	}
	return d.fold(causal.Idle)
}

// fold folds where the policy of who has no other says so.
func (d *device) fold(on causal.Occasion) error {
	budget, due := causal.DefaultPolicy().Due(on, len(d.qc.Loose), d.bytes)
	if !due {
		return nil
	}
	before := d.t.blocks
	qc, err := d.qc.FoldPart(d.t.trees(), d.tail(d.qc), budget)
	if err != nil {
		return err
	}
	d.t.seen.folds++
	d.t.seen.blocks += d.t.blocks.puts - before.puts
	d.t.seen.blockBytes += d.t.blocks.bytes - before.bytes
	d.hold(qc)
	return nil
}

// hold has the device hold that context from now on.
func (d *device) hold(qc causal.Context) {
	d.qc, d.bytes = qc, 0
	for _, m := range d.tail(qc) {
		d.bytes += m.BodySize()
	}
	d.t.mix(qc.Root, uint64(d.n))
}

// tail is what a context of the device has beyond its root.
func (d *device) tail(qc causal.Context) (out []*memo.Memo) {
	for _, h := range qc.Loose {
		below, _ := qc.Below.Get(h.Author)
		out = append(out, d.t.chains[h.Author][below.Seq:h.Seq]...)
	}
	return out
}

// meet takes in another's context, as it was handed over: the memos that are not here
// come with it.
func (d *device) meet(qc causal.Context, at time.Duration) error {
	var lacked []*memo.Memo
	for h := range qc.Heads() {
		have, _ := d.vec.Get(h.Author)
		if h.Seq > have.Seq {
			lacked = append(lacked, d.t.chains[h.Author][have.Seq:h.Seq]...)
		}
	}
	slices.SortFunc(lacked, func(a, b *memo.Memo) int { return cmp.Compare(d.t.facts[a.ID()].n, d.t.facts[b.ID()].n) })
	for _, m := range lacked {
		if err := d.take(m, at); err != nil {
			return err
		}
	}
	was := d.qc.Root
	joined, err := d.t.trees().Join(d.qc, qc)
	if err != nil {
		return err
	}
	d.t.seen.met++
	if joined.Root != was {
		d.t.seen.adopted++
	}
	d.hold(joined)
	return nil
}
