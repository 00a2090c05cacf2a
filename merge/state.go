package merge

import (
	"fmt"
	"iter"

	"lightcone/memo"
)

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
			e := Entry{Key: row.Key}
			if err == nil {
				e.Value, err = stateValue(row.State, put)
			}
			if !yield(e, err) {
				return
			}
		}
	}, put)
}

// ApplyState joins row states, strictly ascending by key, into the state tree
// under root and returns the id of what Build makes of the result. What a row
// includes already changes nothing, so deltas, whole states and duplicates do.
// Blocks are read and put as by Apply, those of the rows among them.
func ApplyState(p Params, g BlockGetter, root memo.ID, rows iter.Seq2[KeyedRow, error], put BlockPutter) (memo.ID, error) {
	id, err := editState(p, g, root, rows, put, joinInto)
	if err != nil {
		return memo.ID{}, fmt.Errorf("apply to state %s: %w", root, err)
	}
	return id, nil
}

// Replace puts row states, strictly ascending by key, in place of those that the
// state tree under root has at their keys, without joining anything; an empty
// state removes the key, which need not be there. It returns the id of what Build
// makes of the result. Blocks are read and put as by ApplyState.
func Replace(p Params, g BlockGetter, root memo.ID, rows iter.Seq2[KeyedRow, error], put BlockPutter) (memo.ID, error) {
	id, err := editState(p, g, root, rows, put, inPlace)
	if err != nil {
		return memo.ID{}, fmt.Errorf("replace in state %s: %w", root, err)
	}
	return id, nil
}

// editState sets each row's key to what value makes of the row and the old tree;
// nil removes the key.
func editState(p Params, g BlockGetter, root memo.ID, rows iter.Seq2[KeyedRow, error], put BlockPutter,
	value func(*pages, KeyedRow, BlockPutter) ([]byte, error),
) (memo.ID, error) {
	old, err := openPages(p, g, root)
	if err != nil {
		return memo.ID{}, err
	}
	var edits []edit
	for row, err := range rows {
		if err != nil {
			return memo.ID{}, err
		}
		e := Entry{Key: row.Key}
		if e.Value, err = value(old, row, put); err == nil {
			err = e.check(e.Value == nil)
		}
		if n := len(edits) - 1; err == nil && n >= 0 && row.Key <= edits[n].Key {
			err = fmt.Errorf("%w: %q after %q; sort them and join those of one row", ErrUnsorted, row.Key, edits[n].Key)
		}
		if err != nil {
			return memo.ID{}, fmt.Errorf("row %q: %w", row.Key, err)
		}
		edits = append(edits, edit{Item: Item{Key: row.Key, Value: e.Value}, gone: e.Value == nil})
	}
	return apply(old, edits, put)
}

// inPlace returns the value of a row's key after Replace.
func inPlace(_ *pages, row KeyedRow, put BlockPutter) ([]byte, error) {
	if len(row.State) == 0 {
		return nil, nil
	}
	if _, err := DecodeRow(row.State); err != nil {
		return nil, err
	}
	return stateValue(row.State, put)
}

// joinInto returns the value of a row's key after the row was joined into the
// state of old.
func joinInto(old *pages, row KeyedRow, put BlockPutter) ([]byte, error) {
	delta, err := DecodeRow(row.State)
	if err != nil {
		return nil, err
	}
	leaf, err := old.find(0, row.Key)
	if err != nil {
		return nil, err
	}
	i, found := leaf.Node.find(row.Key)
	if !found {
		return stateValue(row.State, put)
	}
	state, err := rowOf(old.g, leaf.Items[i].Value)
	if err != nil {
		return nil, err
	}
	if state.Includes(delta) {
		return leaf.Items[i].Value, nil
	}
	return joinedValue(state, delta, put)
}

// MergeState makes the state tree of the union of two cuts out of their state
// trees: rows that both have are joined. Blocks are read and put as by Merge,
// those of the rows among them.
func MergeState(p Params, g BlockGetter, a, b memo.ID, put BlockPutter) (memo.ID, error) {
	return Merge(p, g, a, b, func(key string, a, b []byte) ([]byte, error) {
		x, err := rowOf(g, a)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
		y, err := rowOf(g, b)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
		switch {
		case x.Includes(y):
			return a, nil
		case y.Includes(x):
			return b, nil
		}
		return joinedValue(x, y, put)
	}, put)
}

func joinedValue(a, b Row, put BlockPutter) ([]byte, error) {
	state, err := Join(a, b).Encode()
	if err != nil {
		return nil, err
	}
	return stateValue(state, put)
}

// stateValue returns what a state tree holds for a row state.
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

// rowOf reads the row that value stands for in a state tree.
func rowOf(g BlockGetter, value []byte) (Row, error) {
	id, ok, err := rowBlock(value)
	switch {
	case err != nil:
		return Row{}, err
	case !ok:
		return DecodeRow(value)
	}
	state, err := g.Block(id)
	switch {
	case err != nil:
		return Row{}, fmt.Errorf("read row state %s: %w", id, err)
	case memo.Sum(state) != id:
		return Row{}, fmt.Errorf("read row state %s: %w: the block given has digest %s", id, ErrNode, memo.Sum(state))
	case len(state) <= InlineMax:
		return Row{}, fmt.Errorf("row state %s: %w: %d bytes, which belong into the leaf", id, memo.ErrNotCanonical, len(state))
	}
	return DecodeRow(state)
}
