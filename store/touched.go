package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/walfs"
)

// touchedPage is how many index entries RowMemos reads at once: no lock of the
// index is held while its caller works.
const touchedPage = 256

// touchedSize is the length of the keys of touchedKey, with room for a place.
const touchedSize = 1 + 8 + 8 + 1

// touchedKey begins the keys of all memos that edit a row. It has room for a place.
func touchedKey(space memo.SpaceID, topic, row string) []byte {
	var room [len(space) + memo.MaxTopic + 1 + memo.MaxRow]byte
	name := append(append(append(append(room[:0], space[:]...), topic...), 0), row...)
	digest := sha256.Sum256(name)
	return prefixed(prefixTouched, touchedSize, digest[:8])
}

func (p Place) appendTo(key []byte) []byte {
	return append(binary.BigEndian.AppendUint64(key, p.LSN), byte(p.Index)) // a run has at most memo.MaxRunMemos
}

// placeOf reads the place at the end of a key made by touchedKey and appendTo.
func placeOf(key []byte) Place {
	n := len(key) - 1
	return Place{LSN: binary.BigEndian.Uint64(key[n-8:]), Index: uint64(key[n])}
}

// touched notes which rows m edits, the memo number index of the record at.
func (s *Store) touched(m *memo.Memo, index int, at walfs.Placed) {
	e, ok := m.Body.(*memo.Edit)
	if !ok {
		return
	}
	where, place := appendPosition(nil, at.Pos), Place{at.LSN, uint64(index)}
	for _, t := range e.Topics {
		for _, r := range t.Rows {
			s.set(place.appendTo(touchedKey(m.Space, t.Topic, string(r.Row))), where)
		}
	}
}

// RowMemos yields the memos that edit a row, from one place to another, both
// included, in the order of the log, as far as they are held. to.LSN must be one that the index reaches.
// What it costs depends on them, not on the log; it holds a few records at a time.
func (v *View) RowMemos(space memo.SpaceID, topic, row string, from, to Place) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		from.LSN = max(from.LSN, v.floor.lsn)
		prefix := touchedKey(space, topic, row)
		end := append(to.appendTo(prefix[:len(prefix):len(prefix)]), 0)
		next := from.appendTo(prefix[:len(prefix):len(prefix)])
		r := v.Reader()
		for {
			page, err := v.touchedPage(next, end)
			if err != nil {
				yield(Found{}, err)
				return
			}
			for _, t := range page {
				f, ok, err := t.read(r, space, topic, row)
				if (ok || err != nil) && !yield(f, err) || err != nil {
					return
				}
			}
			if len(page) < touchedPage {
				return
			}
			next = append(page[len(page)-1].at.appendTo(prefix[:len(prefix):len(prefix)]), 0)
		}
	}
}

// touch is an index entry: the memo at a place, in the record at pos, may edit a row.
type touch struct {
	at  Place
	pos walfs.Position
}

func (v *View) touchedPage(from, to []byte) (page []touch, err error) {
	for it, err := range v.kv.Scan(from, to) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errIndex, err)
		}
		f := fields{b: it.Value}
		page = append(page, touch{placeOf(it.Key), f.position()})
		if err := f.end(); err != nil {
			return nil, err
		}
		if len(page) == touchedPage {
			break
		}
	}
	return page, nil
}

// read returns the memo of t; ok is false when it edits another row whose key has
// the same digest.
func (t touch) read(r *Reader, space memo.SpaceID, topic, row string) (f Found, ok bool, err error) {
	rec, err := r.load(t.pos)
	if err != nil {
		return Found{}, false, err
	}
	if rec.lsn != t.at.LSN || t.at.Index >= uint64(len(rec.memos)) {
		return Found{}, false, fmt.Errorf("%w: record %d is not record %d", errIndex, rec.lsn, t.at.LSN)
	}
	m := rec.memos[t.at.Index]
	_, ok = m.Edits(topic, row)
	return Found{t.at, m}, ok && m.Space == space, nil
}
