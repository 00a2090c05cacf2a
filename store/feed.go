package store

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// Record is what one record of the log attached: memos, a state, or neither, as a
// seal.
type Record struct {
	LSN     uint64
	Sum     uint32 // checksum of its bytes, to recognise it by
	Memos   []*memo.Memo
	Adopted *Adopted // nil: no state
}

// Feed reads attached memos in the order of the log, which is a causal one. Each
// Feed reads for itself and at its own pace, so that nobody waits for a slow one
// and nothing is queued for it. It is used by one goroutine at a time.
type Feed struct {
	view   *View
	reader *walfs.Reader
	ahead  *walfs.Entry // read, and above what Next was asked for
}

// Feed starts reading at the record with the LSN from, which may be one above
// the last. ErrPruned when the log does not reach back so far.
func (v *View) Feed(from uint64) (*Feed, error) {
	at, err := v.log.Seek(from)
	if errors.Is(err, walfs.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrPruned, err)
	}
	if err != nil {
		return nil, fmt.Errorf("find record %d: %w", from, err)
	}
	r, err := v.log.Reader(at)
	if err != nil {
		return nil, fmt.Errorf("read from record %d: %w", from, err)
	}
	return &Feed{view: v, reader: r}, nil
}

// Next returns the next record up to the LSN upTo, which the index must reach;
// ok is false when there is none yet. A memo that the log holds twice, because a
// peer gave back own memos whose seal was lost, is in the first record only.
func (f *Feed) Next(upTo uint64) (rec Record, ok bool, err error) {
	e := f.ahead
	if e == nil {
		read, err := f.reader.Next()
		if errors.Is(err, walfs.ErrNoNewData) {
			return Record{}, false, nil
		}
		if err != nil {
			return Record{}, false, err
		}
		e = &read
	}
	if f.ahead = e; e.LSN > upTo {
		return Record{}, false, nil
	}
	rec, err = recordOf(f.view.log, *e)
	if err == nil && e.Kind == walfs.KindRun {
		rec.Memos, err = f.first(rec.Memos, e.Pos)
	}
	if err != nil {
		return Record{}, false, err
	}
	f.ahead = nil
	return rec, true, nil
}

// first returns the memos of a run that are not in the log before the record at
// pos. A run that gives memos back begins with them. Below the floor, where the index
// does not tell any more, all count.
func (f *Feed) first(memos []*memo.Memo, pos walfs.Position) ([]*memo.Memo, error) {
	for len(memos) > 0 {
		p, err := f.view.place(memos[0].SpaceID(), memos[0].Author, memos[0].Seq)
		if errors.Is(err, ErrNoBody) {
			return memos, nil
		}
		if err == nil && p.id != memos[0].ID() {
			p, _, err = f.view.branchPlace(memos[0].SpaceID(), memos[0].Head())
		}
		if err != nil || p.pos == pos {
			return memos, err
		}
		memos = memos[1:]
	}
	return nil, nil
}

// Close lets go of the log.
func (f *Feed) Close() error { return f.reader.Close() }

// recordOf reads what a record of the log attached.
func recordOf(log *walfs.Log, e walfs.Entry) (Record, error) {
	rec := Record{LSN: e.LSN, Sum: checksum(e.Data)}
	var err error
	switch e.Kind {
	case walfs.KindAdopt, walfs.KindCheckpoint:
		var a Adopted
		a, err = adoptedBy(log, e)
		rec.Adopted = &a
	default:
		rec.Memos, err = memosIn(e)
	}
	return rec, err
}

// memosIn returns the memos in a record of the log.
func memosIn(e walfs.Entry) ([]*memo.Memo, error) {
	switch e.Kind {
	case walfs.KindRun:
		r, err := memo.DecodeRun(e.Data)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", e.LSN, err)
		}
		return r.Memos, nil
	case walfs.KindOwnMemo:
		m, err := memo.Decode(e.Data)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", e.LSN, err)
		}
		return []*memo.Memo{m}, nil
	case walfs.KindCheckpoint:
		c, err := decodeCommit(e)
		if err != nil {
			return nil, err
		}
		r, err := memo.DecodeRun([]byte(c.Genesis))
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", e.LSN, err)
		}
		return r.Memos, nil
	}
	return nil, nil
}
