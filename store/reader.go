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

// readerRecords is how many records a Reader keeps: as many chains can be read
// side by side at the cost of one decoding a record.
const readerRecords = 8

// Reader reads single memos of a View. It keeps the records it read last, so that
// the memos of one run cost one decoding when they are read one after the other.
// It is used by one goroutine at a time.
type Reader struct {
	view *View
	kept [readerRecords]record
	next int // of kept, to be replaced
}

// record is a record of the log and its memos.
type record struct {
	pos   walfs.Position
	lsn   uint64 // 0: none
	memos []*memo.Memo
	bytes int
}

// Reader returns a reader of v.
func (v *View) Reader() *Reader { return &Reader{view: v} }

// Memo returns the memo in the author's place seq, if All(space) covers it;
// ErrNoBody when it is covered and not held.
func (r *Reader) Memo(space memo.SpaceID, author memo.Author, seq uint64) (f Found, ok bool, err error) {
	if seq == 0 || !r.view.space(space).all.Covers(author, seq) {
		return Found{}, false, nil
	}
	p, err := r.view.place(space, author, seq)
	if err != nil {
		return Found{}, false, err
	}
	f, _, err = r.at(p)
	return f, err == nil, err
}

// Head is Memo for the memo of that very digest, on whatever branch it is.
func (r *Reader) Head(space memo.SpaceID, h memo.Head) (f Found, ok bool, err error) {
	f, ok, err = r.Memo(space, h.Author, h.Seq)
	if err != nil || !ok || f.Memo.ID() == h.ID {
		return f, ok, err
	}
	p, ok, err := r.view.branchPlace(space, h)
	if err != nil || !ok {
		return Found{}, false, err
	}
	f, _, err = r.at(p)
	return f, err == nil, err
}

// Fork is View.Fork.
func (r *Reader) Fork(space memo.SpaceID, author memo.Author) (Fork, bool) {
	return r.view.Fork(space, author)
}

// at returns the memo that an index entry points at, and the length of its record.
func (r *Reader) at(p place) (Found, int, error) {
	rec, err := r.load(p.pos)
	if err != nil {
		return Found{}, 0, err
	}
	if p.index >= uint64(len(rec.memos)) || rec.memos[p.index].ID() != p.id {
		return Found{}, 0, fmt.Errorf("%w: record %d is not the memo %s", errIndex, rec.lsn, p.id)
	}
	return Found{Place{rec.lsn, p.index}, rec.memos[p.index]}, rec.bytes, nil
}

// load returns the record at pos.
func (r *Reader) load(pos walfs.Position) (*record, error) {
	for i := range r.kept {
		if rec := &r.kept[i]; rec.lsn != 0 && rec.pos == pos {
			return rec, nil
		}
	}
	e, err := r.view.log.ReadAt(pos)
	if err != nil {
		return nil, err
	}
	memos, err := memosIn(e)
	if err != nil {
		return nil, err
	}
	rec := &r.kept[r.next]
	*rec, r.next = record{pos, e.LSN, memos, len(e.Data)}, (r.next+1)%len(r.kept)
	return rec, nil
}
