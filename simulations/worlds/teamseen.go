package worlds

import (
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/simulations/engine"
)

// This file is what is seen of a team.

// watch looks at what the writer of a memo did not know.
func (t *team) watch(d *device, a act, m *memo.Memo) {
	hour := int(t.now.Hours())
	t.seen.memos++
	t.seen.edits += len(a.rows)
	t.seen.editBytes += m.BodySize()
	t.seen.hourly[hour]++
	blind, wrong := false, false
	for _, row := range a.rows {
		for _, o := range t.touched[row] {
			if !d.vec.Covers(o.Author, o.Seq) {
				blind = true
				wrong = wrong || merge.StampOf(m).Compare(merge.StampOf(o)) < 0
			}
		}
		t.touched[row] = append(slices.DeleteFunc(t.touched[row], t.everywhere), m)
	}
	if blind {
		t.seen.blind++
		t.seen.clashes[hour]++
	}
	if wrong {
		t.seen.wrong++
	}
}

// everywhere reports whether all devices have a memo.
func (t *team) everywhere(m *memo.Memo) bool {
	return !slices.ContainsFunc(t.devices, func(d *device) bool { return !d.vec.Covers(m.Author, m.Seq) })
}

// joined looks at a row that a memo was joined into.
func (t *team) joined(before, after merge.Row, m *memo.Memo) {
	values := live(after)
	t.seen.values = max(t.seen.values, values)
	if values > 1 && values > live(before) {
		t.seen.conflicts++
	}
	if values > 1 || live(before) > 0 && !replaced(before, m) {
		t.seen.merges++
	}
}

// replaced reports whether a memo depends on all that a row has.
func replaced(row merge.Row, m *memo.Memo) bool {
	for _, s := range row.Provenance() {
		known := s.Author == m.Author && s.Seq < m.Seq ||
			slices.ContainsFunc(m.Deps, func(h memo.Head) bool { return h.Author == s.Author && h.Seq >= s.Seq })
		if !known {
			return false
		}
	}
	return true
}

// attached looks at a memo that a device attached.
func (t *team) attached(d *device, m *memo.Memo, at time.Duration) {
	if m.Author != d.id {
		t.seen.took.Add(uint64(engine.Ticks(at - t.facts[m.ID()].at)))
	}
	t.mix(m.ID(), uint64(d.n))
	heads, token := len(d.qc.Loose), tokenLength(d.qc, d.id)
	t.seen.heads, t.seen.token = t.seen.heads+float64(heads), t.seen.token+float64(token)
	t.seen.mostHeads, t.seen.mostToken = max(t.seen.mostHeads, heads), max(t.seen.mostToken, token)
	t.seen.samples++
	if hour := int(at.Hours()); hour < len(t.seen.headsAt) {
		t.seen.headsAt[hour] = max(t.seen.headsAt[hour], float64(heads))
	}
}

// end has all meet, who then hold the same, and fold it into one root.
func (t *team) end() error {
	saw := t.seen
	t.seen = seen{} // what they do now is not of the day
	first := t.devices[0]
	for _, d := range slices.Concat(t.devices[1:], t.devices[1:]) {
		if err := first.meet(d.qc, t.now); err != nil {
			return err
		}
		if err := d.meet(first.qc, t.now); err != nil {
			return err
		}
	}
	roots := map[memo.ID]bool{}
	for _, d := range t.devices {
		if err := d.fold(causal.Idle); err != nil {
			return err
		}
		if roots[d.qc.Root] = true; !d.vec.CoversAll(first.vec) || !first.vec.CoversAll(d.vec) {
			saw.unequal++
		}
	}
	saw.roots += len(roots)
	t.seen = saw
	return nil
}

// add adds what another team saw.
func (x *seen) add(o *seen) {
	for _, p := range []struct {
		to *int
		n  int
	}{
		{&x.devices, o.devices},
		{&x.memos, o.memos},
		{&x.edits, o.edits},
		{&x.editBytes, o.editBytes},
		{&x.blind, o.blind},
		{&x.wrong, o.wrong},
		{&x.conflicts, o.conflicts},
		{&x.merges, o.merges},
		{&x.folds, o.folds},
		{&x.blocks, o.blocks},
		{&x.blockBytes, o.blockBytes},
		{&x.met, o.met},
		{&x.adopted, o.adopted},
		{&x.samples, o.samples},
		{&x.roots, o.roots},
		{&x.unequal, o.unequal},
	} {
		*p.to += p.n
	}
	x.heads, x.token = x.heads+o.heads, x.token+o.token
	x.values, x.mostHeads, x.mostToken = max(x.values, o.values), max(x.mostHeads, o.mostHeads), max(x.mostToken, o.mostToken)
	x.took.Merge(&o.took)
	if x.hourly == nil {
		n := len(o.hourly)
		x.hourly, x.clashes, x.headsAt = make([]float64, n), make([]float64, n), make([]float64, n)
	}
	for h := range o.hourly {
		x.hourly[h], x.clashes[h] = x.hourly[h]+o.hourly[h], x.clashes[h]+o.clashes[h]
		x.headsAt[h] = max(x.headsAt[h], o.headsAt[h])
	}
}
