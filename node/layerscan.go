package node

import (
	"context"
	"errors"
	"iter"
	"strings"

	causal "lightcone/context"
	"lightcone/merge"
	"lightcone/projection"
)

// scanned is a row that a scan of a source found.
type scanned struct {
	seen
	topic, row string
}

// found is what a scan of a source yields, and what the source lacked for it.
type found struct {
	rows   iter.Seq2[scanned, error]
	behind *BehindError
}

// scan selects rows by q and tells see what thereby is seen: the whole cut, for what a
// scan does not show is knowledge too.
func (src *source) scan(s *Space, q projection.Range, see func(causal.Context)) (out found) {
	if !src.fixed {
		see(s.over(src.cut))
	}
	if v := src.vouched; v != nil {
		err := v.complete()
		switch {
		case err == nil:
			see(causal.Context{Space: s.id, Root: v.id, Below: v.vector})
			out.rows = func(yield func(scanned, error) bool) { v.scan(src.rows, q, yield) }
			return out
		case !errors.Is(err, context.DeadlineExceeded):
		case v.strict:
			err = v.layer.behind(s.id, v.own.view, s.node.opts.Now())
		default:
			out.behind, err = v.layer.behind(s.id, v.own.view, s.node.opts.Now()), nil
		}
		if err != nil {
			out.rows = func(yield func(scanned, error) bool) { yield(scanned{}, err) }
			return out
		}
	}
	out.rows = func(yield func(scanned, error) bool) {
		for it, err := range src.rows.Scan(s.id, q) {
			if !yield(scanned{seen{state: it.State, behind: out.behind}, it.Topic, it.Row}, err) || err != nil {
				return
			}
		}
	}
	return out
}

// scan reports that it has to begin anew, not having yielded anything.
func (x *Session) scan(ctx context.Context, q Query, yield func(Row, error) bool) (anew bool) {
	src, behind, err := x.beginRead(ctx)
	if err != nil {
		yield(Row{}, err)
		return false
	}
	defer src.Close()
	tx := &Tx{session: x, source: src, behind: behind}
	n := 0
	for r, err := range tx.Scan(q) {
		if n == 0 && errors.Is(err, errNoLayer) {
			return true
		}
		n++
		if ctx.Err() != nil {
			yield(Row{}, ctx.Err())
			return false
		}
		if !yield(r, err) {
			return false
		}
	}
	return false
}

// complete waits until all rows of the layer are here.
func (v *vouched) complete() error {
	for {
		now := v.space.layer.Load()
		switch {
		case v.whole || now.id == v.id && now.whole:
			return nil
		case now.id != v.id:
			return errNoLayer
		}
		if err := v.space.layerAfter(v.wait, now); err != nil {
			return err
		}
	}
}

// scan yields the rows of own and of the layer, joined where both have one.
func (v *vouched) scan(own rows, q projection.Range, yield func(scanned, error) bool) {
	all := q
	all.Limit = 0
	mine, stop := iter.Pull2(own.Scan(v.space.id, all))
	defer stop()
	theirs, stop := iter.Pull2(v.at.Scan(v.space.id, all))
	defer stop()
	m, t := pull(mine), pull(theirs)
	for n := 0; m.ok || t.ok; {
		if err := errors.Join(m.err, t.err); err != nil {
			yield(scanned{}, err)
			return
		}
		order := m.compare(t)
		if q.Reverse && m.ok && t.ok {
			order = -order
		}
		out, err := v.both(own, m, t, order)
		if err != nil || out.state.Live() { // else the one deleted what the other shows
			n++
			if !yield(out, err) || err != nil || n == q.Limit {
				return
			}
		}
		if order <= 0 {
			m = pull(mine)
		}
		if order >= 0 {
			t = pull(theirs)
		}
	}
}

// pulled is the next row of a scan, if there is one.
type pulled struct {
	projection.Item
	ok  bool
	err error
}

func pull(next func() (projection.Item, error, bool)) pulled {
	it, err, ok := next()
	return pulled{it, ok, err}
}

// compare orders the next rows of two scans; the end of one comes last.
func (p pulled) compare(o pulled) int {
	switch {
	case !p.ok:
		return 1
	case !o.ok:
		return -1
	}
	return strings.Compare(merge.RowKey(p.Topic, p.Row), merge.RowKey(o.Topic, o.Row))
}

// both joins the row that comes next, of m, of t, or of both: a row that a scan left
// out is deleted there, or was never written.
func (v *vouched) both(own rows, m, t pulled, order int) (scanned, error) {
	var err error
	if order < 0 {
		t.Topic, t.Row = m.Topic, m.Row
		t.State, err = v.row(m.Topic, m.Row)
	}
	if order > 0 {
		m.Topic, m.Row = t.Topic, t.Row
		m.State, _, err = own.Get(v.space.id, t.Topic, t.Row)
	}
	if err != nil {
		return scanned{}, err
	}
	found, err := v.join(m.State, t.State, m.Topic, m.Row)
	return scanned{found, m.Topic, m.Row}, err
}
