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
// itself, an array. A state longer than MaxRowBlock becomes a tree of pieces.
// With a nil put only the id is computed.
func BuildState(p Params, states iter.Seq2[KeyedRow, error], put BlockPutter) (memo.ID, error) {
	rows := rowStore{Params: p, put: put}
	return Build(p, func(yield func(Entry, error) bool) {
		for row, err := range states {
			e := Entry{Key: row.Key}
			if err == nil {
				e.Value, err = rows.value(row.State)
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
// Blocks are read and put as by Apply, those of the rows among them: of a nested
// row all is read, and what changes is put.
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
func inPlace(old *pages, row KeyedRow, put BlockPutter) ([]byte, error) {
	if len(row.State) == 0 {
		return nil, nil
	}
	next, err := DecodeRow(row.State)
	if err != nil {
		return nil, err
	}
	rows := rowStore{old.Params, old.g, put}
	switch held, found, err := old.get(row.Key); {
	case err != nil:
		return nil, err
	case found:
		return rows.write(next, row.State, held)
	}
	return rows.write(next, row.State)
}

// joinInto returns the value of a row's key after the row was joined into the
// state of old.
func joinInto(old *pages, row KeyedRow, put BlockPutter) ([]byte, error) {
	delta, err := DecodeRow(row.State)
	if err != nil {
		return nil, err
	}
	rows := rowStore{old.Params, old.g, put}
	held, found, err := old.get(row.Key)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return rows.write(delta, row.State)
	}
	state, err := rows.read(held)
	if err != nil {
		return nil, err
	}
	if state.Includes(delta) {
		return held, nil
	}
	return rows.join(state, delta, held)
}

// MergeState makes the state tree of the union of two cuts out of their state
// trees: rows that both have are joined. Blocks are read and put as by Merge,
// those of the rows among them.
func MergeState(p Params, g BlockGetter, a, b memo.ID, put BlockPutter) (memo.ID, error) {
	rows := rowStore{p, g, put}
	return Merge(p, g, a, b, func(key string, a, b []byte) ([]byte, error) {
		x, err := rows.read(a)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
		y, err := rows.read(b)
		if err != nil {
			return nil, fmt.Errorf("row %q: %w", key, err)
		}
		switch {
		case x.Includes(y):
			return a, nil
		case y.Includes(x):
			return b, nil
		}
		return rows.join(x, y, a, b)
	}, put)
}
