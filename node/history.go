package node

import (
	"context"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// HistoryQuery asks for a part of a row's history.
type HistoryQuery struct {
	Limit int           // entries at most; 0: all
	After HistoryCursor // of the last entry seen; see HistoryEntry.Cursor
}

// HistoryEntry is what one memo did to a row, and how that relates to the up to
// 256 edits of the row that attached before it.
type HistoryEntry struct {
	Cursor HistoryCursor // behind this entry: a history from it goes on with the next

	Memo memo.Head
	Time memo.Time

	// Tombstone says that the row was deleted before Deltas were applied; Deltas are
	// by field and type.
	Tombstone bool
	Deltas    []memo.Delta

	// Causes are edits of the row that this one's author had seen: of each author
	// the latest, without those that another one had seen. They need not be direct
	// links.
	Causes []memo.Head
	// Concurrent are edits before this one that its author had not seen, nor their
	// authors this one.
	Concurrent []Apart
	// Undecided says that links were not followed to the end: an edit in Concurrent
	// may have been seen, and Causes may lack some.
	Undecided bool
	// VouchedBy is zero for a memo that is held. Else nothing but its name and time is
	// known, from a state that was adopted on the word of that peer, or, if it is this
	// node, from a checkpoint that took the memo's place.
	VouchedBy PeerID
	// Behind is what the view lacked; set only under StaleReturn.
	Behind *BehindError
}

// Apart are edits of one author that another edit did not see.
type Apart struct {
	Last  memo.Head // the latest of them
	Edits int
}

// History yields the memos that touched a row in the order in which they attached
// here, which is a causal one; ErrNotFound when there are none. It holds no more
// in memory than 256 of them, and costs what they cost, not what the log does.
// The session then has seen what was yielded. Memos behind what the row shows that
// are not held come first, beyond the limit, in a history from the beginning.
func (x *Session) History(ctx context.Context, topic, row string, q HistoryQuery) iter.Seq2[HistoryEntry, error] {
	return func(yield func(HistoryEntry, error) bool) {
		if err := checkKey(topic, row); err != nil {
			yield(HistoryEntry{}, err)
			return
		}
		m, behind, err := x.newest(ctx)
		if err != nil {
			yield(HistoryEntry{}, err)
			return
		}
		defer m.Close()
		h := &history{
			space: x.space, view: m.view.store, upTo: m.view.lsn, topic: topic, row: row, kin: newLineage(m.view.store),
			seen: map[memo.Author]memo.Head{}, behind: behind,
		}
		if h.state, _, err = m.snap.Get(x.space.id, topic, row); err != nil {
			yield(HistoryEntry{}, fmt.Errorf("read %s/%s: %w", topic, row, err))
			return
		}
		h.run(ctx, q, yield)
		for _, head := range h.seen {
			x.saw(head)
		}
	}
}

// History yields a row's history as Session.History does, in a fresh session.
func (s *Space) History(ctx context.Context, topic, row string, q HistoryQuery) iter.Seq2[HistoryEntry, error] {
	return s.Session().History(ctx, topic, row, q)
}

// history is one reading of a row's history.
type history struct {
	space      *Space
	view       *store.View
	upTo       uint64 // LSN
	topic, row string
	kin        *lineage
	seen       map[memo.Author]memo.Head // yielded, the last of each author
	behind     *BehindError
	state      merge.Row // what the row shows
}

func (h *history) run(ctx context.Context, q HistoryQuery, yield func(HistoryEntry, error) bool) {
	if err := q.After.check(h); err != nil {
		yield(HistoryEntry{}, err)
		return
	}
	n := 0
	if q.After.IsZero() {
		for e, err := range h.notHeld() {
			if n++; !yield(e, err) || err != nil {
				return
			}
		}
		q.Limit += min(n, q.Limit) // of the memos that are held
	}
	for f, err := range h.edits(q.After.since) {
		if err == nil {
			err = ctx.Err()
		}
		var e HistoryEntry
		if err == nil {
			e, err = h.entry(f)
		}
		if err != nil {
			yield(HistoryEntry{}, fmt.Errorf("history of %s/%s: %w", h.topic, h.row, err))
			return
		}
		if f.Compare(q.After.at) <= 0 {
			continue // known to the reader; here to be compared with
		}
		h.seen[f.Memo.Author] = f.Memo.Head()
		if n++; !yield(e, nil) || n == q.Limit {
			return
		}
	}
	if n == 0 && q.After.IsZero() {
		yield(HistoryEntry{}, fmt.Errorf("%s/%s: %w", h.topic, h.row, ErrNotFound))
	}
}

// notHeld yields the memos behind what the row shows that are covered and not held.
func (h *history) notHeld() iter.Seq2[HistoryEntry, error] {
	return func(yield func(HistoryEntry, error) bool) {
		for _, p := range h.state.Provenance() {
			who, ok, err := h.view.Vouched(h.space.id, p.Author, p.Seq)
			if err == nil && !ok {
				continue
			}
			head := memo.Head{Author: p.Author, Seq: p.Seq, ID: p.ID}
			h.seen[head.Author] = head
			if !yield(HistoryEntry{Memo: head, Time: p.Time, VouchedBy: who.From, Undecided: true, Behind: h.behind}, err) {
				return
			}
		}
	}
}

// edits yields the row's memos in the view, from a place on.
func (h *history) edits(from store.Place) iter.Seq2[store.Found, error] {
	return h.view.RowMemos(h.space.id, h.topic, h.row, from, store.Place{LSN: h.upTo, Index: memo.MaxRunMemos})
}

func (h *history) entry(f store.Found) (HistoryEntry, error) {
	p, err := h.kin.decide(f)
	if err != nil {
		return HistoryEntry{}, err
	}
	edit, _ := f.Memo.Edits(h.topic, h.row)
	e := HistoryEntry{
		Memo: f.Memo.Head(), Time: f.Memo.Time, Tombstone: edit.Tombstone, Deltas: edit.Deltas,
		Causes: h.kin.causes(p), Concurrent: h.kin.apart(p), Undecided: !p.whole, Behind: h.behind,
	}
	h.kin.remember(f, p)
	e.Cursor = h.cursor(f)
	return e, nil
}
