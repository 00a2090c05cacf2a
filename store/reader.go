package store

import (
	"cmp"
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// Place is where the log has a memo: in the record LSN, as its memo number Index.
// Places order memos as they attached here, causes first.
type Place struct{ LSN, Index uint64 }

// Compare orders places.
func (p Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(p.LSN, o.LSN), cmp.Compare(p.Index, o.Index))
}

// Found is a memo and its place.
type Found struct {
	Place
	Memo *memo.Memo
}

// Reader reads single memos of a View. It keeps the record it read last, so that
// the memos of one run cost one decoding when they are read in a row. It is used
// by one goroutine at a time.
type Reader struct {
	view  *View
	pos   walfs.Position // of the record kept
	lsn   uint64         // 0: none is kept
	memos []*memo.Memo
	bytes int
}

// Reader returns a reader of v.
func (v *View) Reader() *Reader { return &Reader{view: v} }

// Memo returns the memo in the author's place seq, if All(space) covers it.
func (r *Reader) Memo(space memo.SpaceID, author memo.Author, seq uint64) (f Found, ok bool, err error) {
	if seq == 0 || !r.view.space(space).all.Covers(author, seq) {
		return Found{}, false, nil
	}
	p, err := r.view.place(space, author, seq)
	if err != nil {
		return Found{}, false, err
	}
	f, err = r.at(p)
	return f, err == nil, err
}

// at returns the memo that an index entry points at.
func (r *Reader) at(p place) (Found, error) {
	if err := r.load(p.pos); err != nil {
		return Found{}, err
	}
	if p.index >= uint64(len(r.memos)) || r.memos[p.index].ID() != p.id {
		return Found{}, fmt.Errorf("%w: record %d is not the memo %s", errIndex, r.lsn, p.id)
	}
	return Found{Place{r.lsn, p.index}, r.memos[p.index]}, nil
}

// load keeps the memos of the record at pos.
func (r *Reader) load(pos walfs.Position) error {
	if r.lsn != 0 && r.pos == pos {
		return nil
	}
	e, err := r.view.log.ReadAt(pos)
	if err != nil {
		return err
	}
	memos, err := memosOf(e)
	if err != nil {
		return err
	}
	r.pos, r.lsn, r.memos, r.bytes = pos, e.LSN, memos, len(e.Data)
	return nil
}
