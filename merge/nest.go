package merge

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"lightcone/memo"
)

// A row whose row state is longer than MaxRowBlock is nested: a search tree of its
// own, built like every other, whose entries are the pieces of the row (piece.go).
// What the state tree holds for it is
//
//	[2, pieces, root]   their number, the digest of the tree's root node
//
// which is always short enough to stay in the leaf. A piece is a row state in form:
// a reader can fetch and verify the memos behind it, whatever else the row holds.
// Row state and nested row determine each other, so that equal rows are equal
// bytes, however they came about.

// MaxRowBlock bounds the bytes of a row state in one block.
const MaxRowBlock = 16 << 10

// nestVersion is the first element of a nested row; a row state begins with an array.
const nestVersion = 2

// nestParts is the length of the array above.
const nestParts = 3

// nestHead is a nested row in a state tree.
type nestHead struct {
	pieces uint64
	root   memo.ID
}

func (h nestHead) encode() []byte {
	b := appendUint(appendArray(nil, nestParts), nestVersion)
	return appendBytes(appendUint(b, h.pieces), h.root[:])
}

func decodeNestHead(data []byte) (nestHead, error) {
	r := &reader{b: data}
	r.arrayOf(nestParts, "a nested row")
	if v := r.uint(); v != nestVersion {
		r.fail("version %d, this program reads %d", v, nestVersion)
	}
	h := nestHead{pieces: r.uint(), root: r.digest()}
	if r.err == nil && (h.pieces == 0 || h.root.IsZero()) {
		r.fail("%d pieces under root %s", h.pieces, h.root)
	}
	if err := r.end(); err != nil {
		return nestHead{}, fmt.Errorf("nested row: %w", err)
	}
	return h, nil
}

// errNestedTwice bounds how deep rows are nested.
var errNestedTwice = malformed("a nested row within a nested row")

// unnest reads a nested row, all of it and as strictly as DecodeRow: it accepts
// nothing but what nest makes of the row.
func (s rowStore) unnest(h nestHead) (Row, error) {
	var row Row
	n := uint64(0)
	for e, err := range Scan(s.Params, s.g, h.root, "") {
		if n++; err == nil && n > h.pieces {
			err = fmt.Errorf("%w: more than %d pieces", memo.ErrNotCanonical, h.pieces)
		}
		var p Row
		if err == nil {
			p, err = s.piece(e)
		}
		if err != nil {
			return Row{}, err
		}
		if row.Tombstone.IsZero() {
			row.Tombstone = p.Tombstone // of the first piece: no other has this key
		}
		for i := range p.Cells {
			row.appendAll(&p.Cells[i])
		}
	}
	if n != h.pieces {
		return Row{}, fmt.Errorf("%w: %d pieces, not %d", memo.ErrNotCanonical, n, h.pieces)
	}
	if err := row.check(); err != nil {
		return Row{}, err
	}
	state, err := row.Encode()
	if err != nil {
		return Row{}, err
	}
	if len(state) <= MaxRowBlock {
		return Row{}, fmt.Errorf("%w: a row state of %d bytes; up to %d it is one block", memo.ErrNotCanonical, len(state), MaxRowBlock)
	}
	again, err := rowStore{Params: s.Params}.nest(row, memo.ID{})
	if err == nil && again != h {
		err = fmt.Errorf("%w: the pieces are cut otherwise, or their tree is another", memo.ErrNotCanonical)
	}
	if err != nil {
		return Row{}, err
	}
	return row, nil
}

// piece reads one piece of a nested row.
func (s rowStore) piece(e Entry) (Row, error) {
	ref, err := rowRefOf(e.Value)
	if err == nil && !ref.nested.root.IsZero() {
		err = errNestedTwice
	}
	var state []byte
	if err == nil {
		state, err = s.bytes(ref)
	}
	var p Row
	if err == nil {
		p, err = decodePiece(e.Key, state)
	}
	if err != nil {
		return Row{}, fmt.Errorf("piece %x: %w", e.Key, err)
	}
	return p, nil
}

// nest makes the tree of a row's pieces, out of the one under old if there is one.
// It makes all pieces, which takes time in proportion to the row, but puts only
// those that the old tree has not and, of the tree, what changes.
func (s rowStore) nest(row Row, old memo.ID) (nestHead, error) {
	pieces, err := row.pieces()
	if err != nil {
		return nestHead{}, err
	}
	h := nestHead{pieces: uint64(len(pieces))}
	if !old.IsZero() {
		h.root, err = s.renest(pieces, old)
		return h, err
	}
	h.root, err = Build(s.Params, func(yield func(Entry, error) bool) {
		for _, p := range pieces {
			value, err := stateValue(p.State, s.put)
			if !yield(Entry{Key: p.Key, Value: value}, err) {
				return
			}
		}
	}, s.put)
	return h, err
}

// renest makes the tree of pieces out of another one.
func (s rowStore) renest(pieces []KeyedRow, old memo.ID) (memo.ID, error) {
	held := map[string][]byte{}
	for e, err := range Scan(s.Params, s.g, old, "") {
		if err != nil {
			return memo.ID{}, err
		}
		held[e.Key] = e.Value
	}
	var batch []Change
	for _, p := range pieces {
		value, err := stateValue(p.State, nil)
		if err == nil && !bytes.Equal(value, held[p.Key]) {
			value, err = stateValue(p.State, s.put)
			batch = append(batch, Change{Key: p.Key, Value: value})
		}
		if err != nil {
			return memo.ID{}, err
		}
		delete(held, p.Key)
	}
	for key := range held { // what the row has no piece of any more
		batch = append(batch, Change{Key: key})
	}
	slices.SortFunc(batch, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	return Apply(s.Params, s.g, old, batch, s.put)
}
