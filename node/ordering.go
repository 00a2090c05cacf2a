package node

import (
	"errors"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

const (
	// maxTrial bounds the memos read to order the edits of one explanation, beside
	// those of the row itself and maxWalk for each of them.
	maxTrial = 16 * maxWalk
	// maxWinners bounds the memos that won and that edits behind them in the log
	// are compared with; the order to others is not known then.
	maxWinners = 64
)

// ordering decides how edits that lost relate to those that won.
type ordering struct {
	space  memo.SpaceID
	reader *store.Reader
	left   int
	winner map[memo.ID]*winner
	kin    *lineage // of the edits behind the first winner
	past   *past    // of the edit taken in last
}

// winner is a memo that won, and its past as far as it was looked into.
type winner struct {
	store.Found
	walk *walk
}

func newOrdering(h *history) *ordering {
	return &ordering{
		space: h.space.id, reader: h.view.Reader(), left: maxTrial,
		winner: map[memo.ID]*winner{}, kin: newLineage(h.view),
	}
}

// won announces a winner. All must be known before the first edit is taken in.
func (o *ordering) won(s merge.Stamp) error {
	if s.IsZero() || o.winner[s.ID] != nil || len(o.winner) == maxWinners {
		return nil
	}
	f, ok, err := o.reader.Head(o.space, memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID})
	if errors.Is(err, store.ErrNoBody) {
		return nil // who lost to it is known, and in what order is not
	}
	if err != nil || !ok {
		return err
	}
	w, err := newWalk(o.reader, f.Memo, nobody, &o.left)
	o.winner[s.ID] = &winner{f, w}
	o.kin.pins = append(o.kin.pins, f)
	slices.SortFunc(o.kin.pins, func(a, b store.Found) int { return a.Compare(b.Place) })
	return err
}

// nobody is a walk's known where no pasts are known.
func nobody(memo.Head) *past { return nil }

// next takes in the row's next edit.
func (o *ordering) next(f store.Found) (err error) {
	if len(o.kin.pins) == 0 || o.kin.pins[0].Compare(f.Place) >= 0 {
		return nil
	}
	if o.past, err = o.kin.decide(f); err == nil {
		o.kin.remember(f, o.past)
	}
	return err
}

// of returns how f, the edit taken in last, relates to what beat it.
func (o *ordering) of(f store.Found, to merge.Stamp) (Order, error) {
	w := o.winner[to.ID]
	switch {
	case w == nil:
		return OrderUnknown, nil
	case w.Compare(f.Place) > 0:
		return w.walk.order(f.Memo.Head(), f.Place)
	case o.past.has(w.Memo.Head()):
		return HappenedAfter, nil
	case o.past.whole:
		return WasConcurrent, nil
	default:
		return OrderUnknown, nil
	}
}

// seenBy returns how an edit relates to f, which comes later in the log.
func (o *ordering) seenBy(s merge.Stamp, f store.Found) (Order, error) {
	lost, ok, err := o.reader.Head(o.space, memo.Head{Author: s.Author, Seq: s.Seq, ID: s.ID})
	if errors.Is(err, store.ErrNoBody) {
		return OrderUnknown, nil
	}
	if err != nil || !ok {
		return OrderUnknown, err
	}
	w, err := newWalk(o.reader, f.Memo, nobody, &o.left)
	if err != nil {
		return OrderUnknown, err
	}
	return w.order(lost.Memo.Head(), lost.Place)
}

// order returns how h, which stands at a place before the walk's memo, relates to it.
func (w *walk) order(h memo.Head, at store.Place) (Order, error) {
	yes, known, err := w.find(h, at)
	switch {
	case err != nil || !known:
		return OrderUnknown, err
	case yes:
		return HappenedBefore, nil
	default:
		return WasConcurrent, nil
	}
}
