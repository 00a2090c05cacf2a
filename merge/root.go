package merge

import (
	"fmt"

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

// MergeRoot returns the root of the union of two cuts: their vectors merged by
// MergeVector, their states by MergeState. The states are merged where the
// vectors are equal too; if they differ then, one of the makers computed or
// lied wrongly, which the caller sees by comparing the roots. Roots of different
// parameters are ErrParams.
func MergeRoot(g BlockGetter, a, b Root, put BlockPutter) (Root, error) {
	if a.Params != b.Params {
		return Root{}, fmt.Errorf("merge roots: %w: the one has %+v, the other %+v; roots of one space agree",
			ErrParams, a.Params, b.Params)
	}
	out := Root{Params: a.Params}
	var err error
	if out.Vector, err = MergeVector(a.Params, g, a.Vector, b.Vector, put); err != nil {
		return Root{}, fmt.Errorf("merge roots: %w", err)
	}
	if out.State, err = MergeState(a.Params, g, a.State, b.State, put); err != nil {
		return Root{}, fmt.Errorf("merge roots: %w", err)
	}
	return out, nil
}
