package merge

import (
	"fmt"

	"lightcone/memo"
)

// What a state tree holds for a row, by the size of its row state:
//
//	an array that begins with an array         the row state itself, at most InlineMax bytes
//	a byte string                              the digest of the row state, a block of its own
//	an array that begins with the integer 2    a nested row, of more than MaxRowBlock bytes (nest.go)
//
// The leaves of a nested row's own tree hold its pieces in the first two forms.

// rowRef is such a value, told apart.
type rowRef struct {
	state  []byte   // the row state itself, not decoded; nil in the other forms
	block  memo.ID  // of the row state; zero in the other forms
	nested nestHead // zero in the other forms
}

// rowRefOf tells what value stands for and so which blocks a row needs besides:
// block or, of a nested row, the tree under nested.root, whose values are again
// such values, but not nested ones.
func rowRefOf(value []byte) (rowRef, error) {
	r := &reader{b: value}
	switch {
	case r.peek()&majorMask == majorBytes:
		id := memo.ID(r.digest())
		if err := r.end(); err != nil {
			return rowRef{}, fmt.Errorf("value of a state tree: %w", err)
		}
		return rowRef{block: id}, nil
	case len(value) > 1 && value[0] == majorArray|nestParts && value[1] == nestVersion:
		h, err := decodeNestHead(value)
		return rowRef{nested: h}, err
	default:
		return rowRef{state: value}, nil
	}
}

// rowStore reads and writes the rows of the state trees of a space.
type rowStore struct {
	Params
	g   BlockGetter
	put BlockPutter // nil: what is written is only named
}

// read returns the row that value stands for.
func (s rowStore) read(value []byte) (Row, error) {
	ref, err := rowRefOf(value)
	switch {
	case err != nil:
		return Row{}, err
	case !ref.nested.root.IsZero():
		row, err := s.unnest(ref.nested)
		if err != nil {
			return Row{}, fmt.Errorf("nested row %s: %w", ref.nested.root, err)
		}
		return row, nil
	}
	state, err := s.bytes(ref)
	if err != nil {
		return Row{}, err
	}
	return decodeWhole(state)
}

// bytes returns the bytes of a row state, or of a piece, that is not nested.
func (s rowStore) bytes(ref rowRef) ([]byte, error) {
	if ref.state != nil {
		return ref.state, nil
	}
	state, err := s.g.Block(ref.block)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read row state %s: %w", ref.block, err)
	case memo.Sum(state) != ref.block:
		return nil, fmt.Errorf("read row state %s: %w: the block given has digest %s", ref.block, ErrNode, memo.Sum(state))
	}
	if err := checkBlock(state); err != nil {
		return nil, fmt.Errorf("row state %s: %w", ref.block, err)
	}
	return state, nil
}

// checkBlock tells whether a row state, or a piece, has the size of a block.
func checkBlock(state []byte) error {
	if len(state) <= InlineMax {
		return fmt.Errorf("%w: %d bytes, which belong into the leaf", memo.ErrNotCanonical, len(state))
	}
	return nil
}

// decodeWhole is DecodeRow for a row that is not nested.
func decodeWhole(state []byte) (Row, error) {
	if len(state) > MaxRowBlock {
		return Row{}, fmt.Errorf("row state: %w: %d bytes; above %d a row is nested", memo.ErrNotCanonical, len(state), MaxRowBlock)
	}
	return DecodeRow(state)
}

// value returns what a state tree holds for a row state, which it does not check
// unless the row is nested.
func (s rowStore) value(state []byte) ([]byte, error) {
	if len(state) <= MaxRowBlock {
		return stateValue(state, s.put)
	}
	row, err := DecodeRow(state)
	if err != nil {
		return nil, err
	}
	return s.write(row, state)
}

// write returns what a state tree holds for a row and its state. Of a nested row
// only the blocks are put that the first nested row among held, other values of the
// key, has not.
func (s rowStore) write(row Row, state []byte, held ...[]byte) ([]byte, error) {
	if len(state) <= MaxRowBlock {
		return stateValue(state, s.put)
	}
	var old memo.ID
	for _, value := range held {
		ref, err := rowRefOf(value)
		if err != nil {
			return nil, err
		}
		if old.IsZero() {
			old = ref.nested.root
		}
	}
	h, err := s.nest(row, old)
	return h.encode(), err
}

// join returns the value of the join of two rows, of which held are the values.
func (s rowStore) join(a, b Row, held ...[]byte) ([]byte, error) {
	row := Join(a, b)
	state, err := row.Encode()
	if err != nil {
		return nil, err
	}
	return s.write(row, state, held...)
}

// stateValue returns what a tree holds for a row state or a piece of one.
func stateValue(state []byte, put BlockPutter) ([]byte, error) {
	if len(state) <= InlineMax {
		return state, nil
	}
	id := memo.Sum(state)
	if put != nil {
		if err := put.PutBlock(id, state); err != nil {
			return nil, fmt.Errorf("put row state %s: %w", id, err)
		}
	}
	return appendBytes(nil, id[:]), nil
}
