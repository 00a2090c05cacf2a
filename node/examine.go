package node

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/store"
)

// This file compares a place of an adopted state with the memos behind it, on the
// folder's goroutine.

// maxLooked bounds the rows that one run is compared with.
const maxLooked = 64

// errOmitted reports something that was left out, which is no proof: the memos between
// it and its author's head are too many, or not to be had.
var errOmitted = errors.New("it lacks what a memo did that its root covers")

// examine has a place looked into; false when too many wait.
func (f *folder) examine(sp *spot) bool {
	select {
	case f.spots <- sp:
		return true
	default:
		return false
	}
}

// examined looks into a place with what is held and what came.
func (f *folder) examined(sp *spot) (x examined) {
	x.spot = sp
	v := f.n.view.Load().store
	e := &examiner{spot: sp, folder: f, view: v, held: v.Reader()}
	m, parted, err := e.memo(sp.head)
	switch {
	case err != nil:
		f.n.log.Debug("cannot look into an adopted state", "space", sp.space.id, "err", err)
	case m == nil:
		x.want, x.parted = sp.head, parted
	default:
		x.lie, x.proof, x.err = e.compare(m)
		x.want = e.lacks
		if x.want.Seq > 0 || errors.Is(x.err, store.ErrNoBlock) || errors.Is(x.err, ErrClosed) {
			x.err = nil // what is not here is not false
		}
	}
	return x
}

// examiner is one look at a place.
type examiner struct {
	*spot
	*folder
	view  *store.View
	held  *store.Reader
	lacks memo.Head // what more it takes
}

// memo returns a memo that is held or came. parted says that another came in its place.
func (e *examiner) memo(h memo.Head) (m *memo.Memo, parted bool, err error) {
	for _, r := range e.runs {
		if r.Author() != h.Author || h.Seq < r.FirstSeq() || h.Seq > r.Head().Seq {
			continue
		}
		if m := r.Memos[h.Seq-r.FirstSeq()]; h.ID.IsZero() || m.ID() == h.ID {
			return m, false, nil
		}
		parted = true
	}
	var found store.Found
	if h.ID.IsZero() {
		found, _, err = e.held.Memo(e.spot.space.id, h.Author, h.Seq)
	} else {
		found, _, err = e.held.Head(e.spot.space.id, h)
	}
	if errors.Is(err, store.ErrNoBody) {
		err = nil
	}
	return found.Memo, parted, err
}

// compare compares m with the place's row, or all memos that came with it with theirs.
func (e *examiner) compare(m *memo.Memo) (*gossip.Lie, []byte, error) {
	if e.key != "" {
		return e.row(m, e.key)
	}
	memos, looked := []*memo.Memo{m}, 0
	for _, r := range e.runs {
		if r.Author() == m.Author && r.FirstSeq() <= m.Seq && m.Seq <= r.Head().Seq {
			memos = r.Memos
		}
	}
	for _, m := range memos {
		if m.Seq > e.top.Seq {
			break
		}
		for key := range merge.RowEdits(m) {
			if looked++; looked > maxLooked {
				return nil, nil, nil
			}
			if lie, proof, err := e.row(m, key); proof != nil || err != nil || e.lacks.Seq > 0 {
				return lie, proof, err
			}
		}
	}
	return nil, nil, nil
}

// row compares what a memo did to a row with what the state shows of it.
func (e *examiner) row(m *memo.Memo, key string) (*gossip.Lie, []byte, error) {
	topic, name, _ := merge.SplitRowKey(key) // it was checked when the state was
	blocks := e.n.store.Blocks(e.spot.space.id)
	said, _, err := merge.StateRow(e.root.Params, blocks, e.root.State, key)
	if err != nil {
		return nil, nil, err
	}
	var did merge.Row
	if edit, ok := m.Edits(topic, name); ok {
		if did, err = merge.Delta(merge.StampOf(m), edit); err != nil {
			return nil, nil, nil // a newer version knows
		}
	}
	if said.Forges(merge.StampOf(m), did) {
		return e.prove(blocks, key, false, []*memo.Memo{m})
	}
	if said.Includes(did) {
		return nil, nil, nil
	}
	chain, err := e.chain(m)
	if err != nil || chain == nil {
		return nil, nil, err
	}
	return e.prove(blocks, key, true, chain)
}

// chain returns the memos from m to its author's head in the state's cut. Nil: m is on
// another branch, which the cut may lack, or something is still missing.
func (e *examiner) chain(m *memo.Memo) (out []*memo.Memo, err error) {
	size := 0
	for out = []*memo.Memo{m}; m.ID() != e.top.ID; out = append(out, m) {
		next, _, err := e.memo(memo.Head{Author: m.Author, Seq: m.Seq + 1})
		switch size += m.BodySize(); {
		case err != nil:
			return nil, err
		case size > gossip.MaxEvidence:
			return nil, fmt.Errorf("%w: memo %s, too far below its author's head for a proof", errOmitted, out[0].Head())
		case m.Seq >= e.top.Seq || next != nil && next.Prev != m.ID():
			return nil, nil
		case next == nil:
			e.lacks = memo.Head{Author: m.Author, Seq: m.Seq + 1}
			return nil, nil
		}
		m = next
	}
	return out, nil
}

// prove makes evidence, and makes sure that it is.
func (e *examiner) prove(blocks *store.Blocks, key string, omitted bool, memos []*memo.Memo) (*gossip.Lie, []byte, error) {
	genesis, _ := e.view.Genesis(e.spot.space.id)
	ev := &gossip.Evidence{Announcement: e.word, Key: key}
	var err error
	if ev.Genesis, err = genesis.Encode(); err != nil {
		return nil, nil, err
	}
	for _, m := range memos {
		data, err := m.Encode()
		if err != nil {
			return nil, nil, err
		}
		ev.Memos = append(ev.Memos, data)
	}
	if ev.Row, err = merge.ProveRow(e.root.Params, blocks, e.root.State, key); err != nil {
		return nil, nil, err
	}
	if omitted {
		if ev.Head, err = merge.ProveHead(e.root.Params, blocks, e.root.Vector, memos[0].Author); err != nil {
			return nil, nil, err
		}
	}
	data, err := ev.Encode()
	if err != nil {
		return nil, nil, fmt.Errorf("row %q is false: %w", key, err)
	}
	lie, err := ev.Verify()
	if err != nil {
		return nil, nil, fmt.Errorf("row %q is false: %w", key, err)
	}
	return lie, data, nil
}
