package merge

import (
	"fmt"
	"iter"

	"lightcone/memo"
)

// Root is a cut and the state at it, as two search trees. It is a pure function
// of the set of memos: it names no maker, no time and no other roots.
type Root struct {
	Params Params
	Vector memo.ID // tree of author → [seq, digest, time, forked]
	State  memo.ID // tree of topic 00 row → row state; its id is the digest of the space
}

// rootWire is the encoded form: [1, [space, w, M, D], vecRoot, stateRoot].
type rootWire struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Params  paramsWire
	Vector  memo.ID
	State   memo.ID
}

type paramsWire struct {
	_       struct{} `cbor:",toarray"`
	Space   memo.SpaceID
	W, M, D uint64
}

// Encode returns the canonical bytes of r, a block like any other.
func (r Root) Encode() ([]byte, error) {
	if err := r.Params.Validate(); err != nil {
		return nil, fmt.Errorf("encode root: %w", err)
	}
	p := r.Params
	return memo.Marshal(rootWire{
		Version: nodeVersion,
		Params:  paramsWire{Space: p.Space, W: uint64(p.W), M: uint64(p.M), D: uint64(p.D)},
		Vector:  r.Vector, State: r.State,
	})
}

// DecodeRoot reads a root strictly. The trees are not looked at.
func DecodeRoot(data []byte) (Root, error) {
	var w rootWire
	if err := memo.Unmarshal(data, &w); err != nil {
		return Root{}, fmt.Errorf("root: %w", err)
	}
	if w.Version != nodeVersion {
		return Root{}, fmt.Errorf("root: %w: version %d, this program reads %d", memo.ErrMalformed, w.Version, nodeVersion)
	}
	if max(w.Params.W, w.Params.M, w.Params.D) > MaxFanout {
		return Root{}, fmt.Errorf("root: %w: w=%d M=%d D=%d", ErrParams, w.Params.W, w.Params.M, w.Params.D)
	}
	p := Params{Space: w.Params.Space, W: int(w.Params.W), M: int(w.Params.M), D: int(w.Params.D)}
	if err := p.Validate(); err != nil {
		return Root{}, fmt.Errorf("root: %w", err)
	}
	return Root{Params: p, Vector: w.Vector, State: w.State}, nil
}

// KeyedRow is one row of a space: its RowKey and its encoded state.
type KeyedRow struct {
	Key   string
	State []byte
}

// BuildState makes the state tree of a space from all its row states, strictly
// ascending by key, dead rows included, and returns its id, the digest of the
// space. A state longer than InlineMax becomes a block of its own, and its
// value in the tree is its digest, a byte string; a shorter one is the value
// itself, an array. With a nil put only the id is computed.
func BuildState(p Params, rows iter.Seq2[KeyedRow, error], put BlockPutter) (memo.ID, error) {
	return Build(p, func(yield func(Entry, error) bool) {
		for row, err := range rows {
			e := Entry{Key: row.Key, Value: row.State}
			if err == nil && len(row.State) > InlineMax {
				id := memo.Sum(row.State)
				e.Value = appendBytes(nil, id[:])
				if put != nil {
					err = put.PutBlock(id, row.State)
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}, put)
}

// BuildVector makes the tree of a cut, author → [seq, digest, time, forked],
// and returns its id. No author is marked as forked yet: memos that prove a
// fork come with a later version.
func BuildVector(p Params, v memo.Vector, put BlockPutter) (memo.ID, error) {
	return Build(p, func(yield func(Entry, error) bool) {
		for m := range v.All() {
			val := appendArray(nil, 4)
			val = appendUint(val, m.Seq)
			val = appendBytes(val, m.ID[:])
			val = appendUint(val, uint64(m.Time))
			val = append(val, itemFalse)
			if !yield(Entry{Key: string(m.Author[:]), Value: val}, nil) {
				return
			}
		}
	}, put)
}
