package node

import (
	"fmt"

	"lightcone/memo"
	"lightcone/store"
)

// HistoryCursor is a place in a row's history on one node: behind one entry and
// before the next. The zero HistoryCursor is the beginning.
type HistoryCursor struct {
	space, node [8]byte
	at          store.Place // of the entry
	digest      [8]byte     // of its memo: a log that lost it may have another there
	since       store.Place // of the first edit that the next entry is compared with
}

// wireHistoryCursor is [3, space₈, node₈, lsn, index, digest₈, lsn, index].
type wireHistoryCursor struct {
	_                   struct{} `cbor:",toarray"`
	V                   uint64
	Space, Node         [8]byte
	LSN, Index          uint64
	Digest              [8]byte
	SinceLSN, SinceMemo uint64
}

// cursor returns the cursor behind f, the edit taken in last.
func (h *history) cursor(f store.Found) HistoryCursor {
	id := f.Memo.ID()
	return HistoryCursor{
		space: [8]byte(h.space.id[:8]), node: [8]byte(h.space.node.id[:8]),
		at: f.Place, digest: [8]byte(id[:8]), since: h.kin.kin[0].Place,
	}
}

// IsZero reports whether c is the beginning.
func (c HistoryCursor) IsZero() bool { return c.at.LSN == 0 }

// String returns the cursor as one word; "" for the zero HistoryCursor.
func (c HistoryCursor) String() string {
	if c.IsZero() {
		return ""
	}
	return encodeCursor(wireHistoryCursor{
		V: historyCursorV1, Space: c.space, Node: c.node, LSN: c.at.LSN, Index: c.at.Index, Digest: c.digest,
		SinceLSN: c.since.LSN, SinceMemo: c.since.Index,
	})
}

// ParseHistoryCursor reads what HistoryCursor.String wrote, strictly; "" is the
// zero HistoryCursor.
func ParseHistoryCursor(s string) (HistoryCursor, error) {
	if s == "" {
		return HistoryCursor{}, nil
	}
	var w wireHistoryCursor
	if err := decodeCursor(s, historyCursorV1, &w); err != nil {
		return HistoryCursor{}, err
	}
	c := HistoryCursor{
		space: w.Space, node: w.Node, digest: w.Digest,
		at: store.Place{LSN: w.LSN, Index: w.Index}, since: store.Place{LSN: w.SinceLSN, Index: w.SinceMemo},
	}
	if w.LSN == 0 || max(w.Index, w.SinceMemo) >= memo.MaxRunMemos || c.since.Compare(c.at) > 0 {
		return HistoryCursor{}, fmt.Errorf("%w (its parts do not fit together)", ErrBadCursor)
	}
	return c, nil
}

// check tells whether c is a place in h.
func (c HistoryCursor) check(h *history) error {
	space, node := h.space.id, h.space.node.id
	switch {
	case c.IsZero():
		return nil
	case c.node != [8]byte(node[:8]):
		return fmt.Errorf("%w (node %x… gave it, this is %x…)", ErrBadCursor, c.node, node[:8])
	case c.space != [8]byte(space[:8]):
		return fmt.Errorf("%w (it is of space %x…, this is %x…)", ErrBadCursor, c.space, space[:8])
	}
	for f, err := range h.view.RowMemos(h.space.id, h.topic, h.row, c.at, c.at) {
		if err != nil {
			return err
		}
		if id := f.Memo.ID(); c.digest == [8]byte(id[:8]) {
			return nil
		}
	}
	return fmt.Errorf("%w (it is of another row, or of an edit that is not in the log)", ErrBadCursor)
}
