package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// Adopted is a state in the log: one that was adopted, or an own checkpoint. Its
// rows stay in the log and are read as they are asked for.
type Adopted struct {
	LSN uint64 // of the record that commits it; 0: nothing was adopted
	Own bool   // a checkpoint of the own state

	log    *walfs.Log
	commit adoptCommit
}

// Space returns what the state is of.
func (a Adopted) Space() memo.SpaceID { return a.commit.Space }

// Root returns the digest of the encoded merge.Root.
func (a Adopted) Root() memo.ID { return a.commit.Root }

// From returns who vouches for the state.
func (a Adopted) From() memo.Author { return a.commit.From }

// Announcement returns what From signed; empty: nothing.
func (a Adopted) Announcement() []byte { return []byte(a.commit.Announcement) }

// Len returns how many rows Rows yields.
func (a Adopted) Len() uint64 { return a.commit.Rows }

// AdoptedRow is a row of a state, and the record up to which it reaches: LSNs do not
// descend, and the last is that of the state.
type AdoptedRow struct {
	LSN uint64
	merge.KeyedRow
}

// adoptedBy reads what the record e commits.
func adoptedBy(log *walfs.Log, e walfs.Entry) (Adopted, error) {
	c, err := decodeCommit(e)
	return Adopted{LSN: e.LSN, Own: e.Kind == walfs.KindCheckpoint, log: log, commit: c}, err
}

// first returns the LSN of the first part.
func (a Adopted) first() uint64 { return a.LSN - a.commit.Parts }

// Heads yields the heads that the state advanced, ascending by author. They come
// before all rows.
func (a Adopted) Heads() iter.Seq2[SealedMark, error] {
	return func(yield func(SealedMark, error) bool) {
		left := a.commit.Heads
		for p, err := range a.parts() {
			if err != nil {
				yield(SealedMark{}, err)
				return
			}
			for _, h := range p.Heads {
				if left == 0 {
					yield(SealedMark{}, fmt.Errorf("%w: record %d commits other heads", ErrBadLog, a.LSN))
					return
				}
				left--
				mark := memo.Mark{Head: memo.Head{Author: h.Author, Seq: h.Seq, ID: h.ID}, Time: h.Time, Forked: h.Forked}
				if !yield(SealedMark{mark, h.Seal}, nil) {
					return
				}
			}
			if left == 0 {
				return
			}
		}
		if left > 0 {
			yield(SealedMark{}, fmt.Errorf("%w: record %d commits %d heads too many", ErrBadLog, a.LSN, left))
		}
	}
}

// Rows yields the rows of the state, ascending by key. ErrPruned when the log does
// not reach back to them.
func (a Adopted) Rows() iter.Seq2[AdoptedRow, error] {
	return func(yield func(AdoptedRow, error) bool) {
		var row AdoptedRow
		n := uint64(0)
		for p, err := range a.parts() {
			if err != nil {
				yield(AdoptedRow{}, err)
				return
			}
			for _, r := range p.Rows {
				if n > 0 && string(r.Key) == row.Key {
					row.State = append(row.State, r.State...)
					continue
				}
				if row.LSN = p.lsn; n > 0 && !yield(row, nil) {
					return
				}
				n++
				row.KeyedRow = merge.KeyedRow{Key: string(r.Key), State: []byte(r.State)}
			}
		}
		if row.LSN = a.LSN; n > 0 && n == a.commit.Rows && !yield(row, nil) {
			return
		}
		if n != a.commit.Rows {
			yield(AdoptedRow{}, fmt.Errorf("%w: record %d commits %d rows, there are %d", ErrBadLog, a.LSN, a.commit.Rows, n))
		}
	}
}

// placedPart is a part and its record.
type placedPart struct {
	part
	lsn uint64
}

func (a Adopted) parts() iter.Seq2[placedPart, error] {
	return func(yield func(placedPart, error) bool) {
		for e, err := range entries(a.log, a.first(), a.LSN) {
			var p part
			if err == nil {
				p, err = decodePart(e)
			}
			if err == nil && p.Space != a.commit.Space {
				err = fmt.Errorf("%w: record %d is of another space than its adoption", ErrBadLog, e.LSN)
			}
			if !yield(placedPart{p, e.LSN}, err) || err != nil {
				return
			}
		}
	}
}

// entries yields the records of a log from one LSN to below another.
func entries(log *walfs.Log, from, below uint64) iter.Seq2[walfs.Entry, error] {
	return func(yield func(walfs.Entry, error) bool) {
		at, err := log.Seek(from)
		if errors.Is(err, walfs.ErrPruned) {
			err = fmt.Errorf("%w: %w", ErrPruned, err)
		}
		var r *walfs.Reader
		if err == nil {
			r, err = log.Reader(at)
		}
		if err != nil {
			yield(walfs.Entry{}, err)
			return
		}
		defer func() { _ = r.Close() }() // a reader that was only read
		for lsn := from; lsn < below; lsn++ {
			e, err := r.Next()
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// adoptedHead is an index entry: a head that is covered on somebody's word.
type adoptedHead struct {
	order uint64 // LSN that adopted it
	time  memo.Time
	id    memo.ID
	from  memo.Author
	seal  memo.Seal
}

func (h adoptedHead) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 150), h.order)
	b = binary.AppendUvarint(b, uint64(h.time))
	return append(append(append(b, h.id[:]...), h.from[:]...), h.seal[:]...)
}

func decodeAdoptedHead(b []byte) (adoptedHead, error) {
	f := fields{b: b}
	h := adoptedHead{order: f.uint(), time: memo.Time(f.uint()), id: f.id(), from: memo.Author(f.id())}
	first, second := f.id(), f.id()
	copy(h.seal[copy(h.seal[:], first[:]):], second[:])
	return h, f.end()
}

// Voucher says on whose word a cut covers a memo that is not held.
type Voucher struct {
	From memo.Author // who announced a state that has it; this node itself for a checkpoint
	Head memo.Mark   // of that state, of the memo's author
	Seal memo.Seal   // of Head, by its author
	LSN  uint64      // of the record that adopted it
}

// Whole reports whether the bodies of all covered memos of a space are held: no
// state was adopted, and no log was compacted.
func (v *View) Whole(space memo.SpaceID) (bool, error) {
	for _, err := range scan(v.kv, spaceKey(prefixAdopted, space)) {
		return false, err
	}
	return true, nil
}

// Vouched tells on whose word the author's memo seq is covered; false when it is
// held, or not covered.
func (v *View) Vouched(space memo.SpaceID, author memo.Author, seq uint64) (Voucher, bool, error) {
	if seq == 0 || !v.space(space).all.Covers(author, seq) {
		return Voucher{}, false, nil
	}
	if _, err := v.place(space, author, seq); !errors.Is(err, ErrNoBody) {
		return Voucher{}, false, err
	}
	return v.voucher(space, author, seq)
}

// voucher returns the first adopted head from seq on.
func (v *View) voucher(space memo.SpaceID, author memo.Author, seq uint64) (Voucher, bool, error) {
	from, to := seqKey(prefixAdopted, space, author, seq), afterAll(authorKey(prefixAdopted, space, author))
	for it, err := range v.kv.Scan(from, to) {
		if err != nil {
			return Voucher{}, false, fmt.Errorf("%w: %w", errIndex, err)
		}
		h, err := decodeAdoptedHead(it.Value)
		if err != nil {
			return Voucher{}, false, err
		}
		if h.order < v.floor.lsn {
			continue // a later checkpoint took its place
		}
		head := memo.Head{Author: author, Seq: seqOf(it.Key), ID: h.id}
		return Voucher{From: h.from, Head: memo.Mark{Head: head, Time: h.time}, Seal: h.seal, LSN: h.order}, true, nil
	}
	return Voucher{}, false, nil
}
