package node

import (
	"context"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// trial goes through a row's edits and finds those that lost, field by field.
type trial struct {
	*history
	state  merge.Row
	only   []string // fields asked for; empty: all
	fields map[string]*hearing
	order  *ordering
}

// hearing is what a trial knows about one field.
type hearing struct {
	why  FieldWhy
	cell *merge.Cell // the one shown; nil when there is none
}

func newTrial(h *history, state merge.Row, only []string) *trial {
	t := &trial{history: h, state: state, only: only, fields: map[string]*hearing{}, order: newOrdering(h)}
	for _, c := range state.Cells {
		t.hear(c.Field)
	}
	return t
}

// hear returns the hearing of a field, nil when it is not asked for.
func (t *trial) hear(field string) *hearing {
	if len(t.only) > 0 && !slices.Contains(t.only, field) {
		return nil
	}
	if h := t.fields[field]; h != nil {
		return h
	}
	var cells []merge.Cell
	for _, c := range t.state.Cells {
		if c.Field == field {
			cells = append(cells, c)
		}
	}
	h := &hearing{why: shownBy(field, cells, t.state.Tombstone)}
	if len(cells) > 0 {
		h.cell = t.state.Cell(field, h.why.Type)
	}
	t.fields[field] = h
	return h
}

func (t *trial) verdicts() (out []FieldWhy) {
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		out = append(out, t.fields[name].why)
	}
	return out
}

func (t *trial) run(ctx context.Context) error {
	if err := t.winners(); err != nil {
		return err
	}
	for f, err := range t.edits(store.Place{}) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = t.order.next(f)
		}
		if err == nil {
			err = t.take(f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// winners announces what edits can lose to.
func (t *trial) winners() error {
	err := t.order.won(t.state.Tombstone)
	for _, name := range slices.Sorted(maps.Keys(t.fields)) {
		if h := t.fields[name]; err == nil && h.why.Rule != RowTombstone {
			err = t.order.won(h.cell.Stamp())
		}
	}
	return err
}

// take hears what one memo did to the row.
func (t *trial) take(f store.Found) error {
	edit, _ := f.Memo.Edits(t.topic, t.row)
	stamp := merge.StampOf(f.Memo)
	for i := range edit.Deltas {
		d := &edit.Deltas[i]
		h := t.hear(d.Field)
		if h == nil {
			continue
		}
		if err := t.removes(h, d, f); err != nil {
			return err
		}
		delta, err := merge.Delta(stamp, memo.RowEdit{Tombstone: edit.Tombstone, Deltas: edit.Deltas[i : i+1]})
		if err != nil {
			return err
		}
		if to, lost := t.beaten(h, &delta.Cells[0], stamp); lost {
			if err := h.lose(Lost{Stamp: stamp, Delta: d, To: to}, f, t.order); err != nil {
				return err
			}
		}
	}
	if edit.Tombstone {
		return t.tombstone(f, stamp)
	}
	return nil
}

// beaten tells whether nothing of a delta is left, and what beat it; the zero
// Stamp when a later memo did, which is yet to come.
func (t *trial) beaten(h *hearing, delta *merge.Cell, stamp merge.Stamp) (to merge.Stamp, lost bool) {
	tombstone := t.state.Tombstone
	dropped := stamp.Compare(tombstone) < 0
	if delta.Counter != nil { // what counts is the tombstone its author had seen
		dropped = !merge.Join(merge.Row{Tombstone: tombstone}, merge.Row{Cells: []merge.Cell{*delta}}).Live()
	}
	switch {
	case delta.Atoms != nil && len(delta.Atoms.Live) == 0:
		return to, false // it only removes
	case dropped:
		return tombstone, true
	case h.cell.Type != delta.Type:
		return h.cell.Stamp(), h.cell.Stamp().Compare(stamp) != 0
	case delta.Atoms != nil:
		left := func(a merge.Atom) bool { return a.Stamp.Compare(stamp) == 0 }
		return to, !slices.ContainsFunc(h.cell.Atoms.Live, left)
	case delta.Counter != nil:
		return to, false
	default:
		return h.cell.Register.Stamp, h.cell.Register.Stamp.Compare(stamp) != 0
	}
}

// tombstone hears a deletion of the row. It lost where something written later
// had not seen it.
func (t *trial) tombstone(f store.Found, stamp merge.Stamp) error {
	for _, h := range t.fields {
		if h.why.Rule == RowTombstone || h.cell.Counter != nil || stamp.Compare(h.cell.Stamp()) >= 0 {
			continue
		}
		if err := h.lose(Lost{Stamp: stamp, To: h.cell.Stamp()}, f, t.order); err != nil {
			return err
		}
	}
	return nil
}

// lose records that the edit f of the field lost.
func (h *hearing) lose(l Lost, f store.Found, o *ordering) (err error) {
	if l.Order = OrderUnknown; !l.To.IsZero() {
		if l.Order, err = o.of(f, l.To); err != nil {
			return err
		}
	}
	if l.Delta == nil && l.Order == HappenedBefore {
		return nil // a deletion of the row that had its effect
	}
	if h.why.Lost = append(h.why.Lost, l); len(h.why.Lost) > maxLost {
		seen := slices.IndexFunc(h.why.Lost, func(l Lost) bool { return l.Order == HappenedBefore })
		h.why.Lost = slices.Delete(h.why.Lost, max(seen, 0), max(seen, 0)+1)
		h.why.More++
	}
	return nil
}

// removes finds the lost edits that d, of the memo f, took atoms of. Where several
// did, the one with the greatest stamp is named, so that all replicas say the same.
func (t *trial) removes(h *hearing, d *memo.Delta, f store.Found) error {
	c, ok := d.Op.Operands.(*memo.Change)
	if !ok {
		return nil
	}
	by := merge.StampOf(f.Memo)
	for _, r := range c.Remove {
		author := r.Author
		if author == (memo.Author{}) {
			author = f.Memo.Author
		}
		for i := range h.why.Lost {
			l := &h.why.Lost[i]
			if l.Author != author || l.Delta == nil || l.Delta.Type != d.Type || !l.added(r.Ks) || by.Compare(l.To) < 0 || l.Stamp.Compare(t.state.Tombstone) < 0 {
				continue
			}
			var err error
			l.To = by
			if l.Order, err = t.order.seenBy(l.Stamp, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// added tells whether l added one of the dots ks.
func (l *Lost) added(ks []uint64) bool {
	c, ok := l.Delta.Op.Operands.(*memo.Change)
	return ok && slices.ContainsFunc(ks, func(k uint64) bool { return c.K <= k && k-c.K < uint64(len(c.Add)) })
}
