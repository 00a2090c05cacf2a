package projection

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
)

// At is the state of one context: the state tree of a root, and beyond it the
// rows that loose memos changed. It answers as a Snapshot does, byte for byte the
// same wherever the context is known. It never changes and any goroutine may use
// it; a block that is collected meanwhile makes its methods fail.
type At struct {
	params merge.Params
	blocks merge.BlockGetter
	state  memo.ID
	loose  map[string]merge.Row // by row key: the whole row, as it is beyond the root
	keys   []string             // of loose, ascending
}

// NewAt returns the state of the tree under the root state. It is of the space of
// p alone, whatever space its methods are asked for.
func NewAt(p merge.Params, g merge.BlockGetter, state memo.ID) *At {
	return &At{params: p, blocks: g, state: state, loose: map[string]merge.Row{}}
}

// With returns a with the edits of memos joined in. In what order they come, and
// whether a has them already, does not matter.
func (a *At) With(memos []*memo.Memo) (*At, error) {
	out := NewAt(a.params, a.blocks, a.state)
	maps.Copy(out.loose, a.loose)
	for _, m := range memos {
		for key, edit := range merge.RowEdits(m) {
			if err := out.join(key, merge.StampOf(m), edit); err != nil {
				return nil, err
			}
		}
	}
	out.keys = slices.Sorted(maps.Keys(out.loose))
	return out, nil
}

func (a *At) join(key string, by merge.Stamp, edit memo.RowEdit) error {
	row, err := a.row(key)
	if err != nil {
		return err
	}
	delta, err := merge.Delta(by, edit)
	if err != nil {
		return fmt.Errorf("row %q: %w", key, err)
	}
	a.loose[key] = merge.Join(row, delta)
	return nil
}

// row returns the state of a row, the zero Row if it was never written.
func (a *At) row(key string) (merge.Row, error) {
	if row, ok := a.loose[key]; ok {
		return row, nil
	}
	row, _, err := merge.StateRow(a.params, a.blocks, a.state, key)
	return row, err
}

// Get is Snapshot.Get.
func (a *At) Get(_ memo.SpaceID, topic, row string) (state merge.Row, live bool, err error) {
	state, err = a.row(merge.RowKey(topic, row))
	if err != nil {
		return merge.Row{}, false, fmt.Errorf("get topic %q, row %q: %w", topic, row, err)
	}
	return state, state.Live(), nil
}

// Scan is Snapshot.Scan. In reverse it keeps the keys of all that q selects in
// memory, whatever the limit: trees are read upward.
func (a *At) Scan(_ memo.SpaceID, q Range) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		err := q.Validate()
		rows := a.upward(q.span())
		if q.Reverse && err == nil {
			rows, err = a.downward(q.span())
		}
		if err != nil {
			yield(Item{}, fmt.Errorf("scan: %w", err))
			return
		}
		n := 0
		for r, err := range rows {
			if err != nil {
				yield(Item{}, fmt.Errorf("scan: %w", err))
				return
			}
			if !r.Row.Live() {
				continue
			}
			topic, key, ok := merge.SplitRowKey(r.Key)
			if !ok {
				yield(Item{}, fmt.Errorf("scan: %w: %q is no row's key", memo.ErrMalformed, r.Key))
				return
			}
			n++
			if !yield(Item{Topic: topic, Row: key, State: r.Row}, nil) || n == q.Limit {
				return
			}
		}
	}
}

// upward yields all rows of a span, dead ones too, ascending: those of the tree
// and the loose ones, which hide the former.
func (a *At) upward(s span) iter.Seq2[merge.KeyedState, error] {
	return func(yield func(merge.KeyedState, error) bool) {
		i, _ := slices.BinarySearch(a.keys, s.lo)
		loose := func(below string, all bool) bool { // yields those, and reports whether to go on
			for ; i < len(a.keys) && s.holds(a.keys[i]) && (all || a.keys[i] < below); i++ {
				if !yield(merge.KeyedState{Key: a.keys[i], Row: a.loose[a.keys[i]]}, nil) {
					return false
				}
			}
			return true
		}
		for r, err := range merge.StateRows(a.params, a.blocks, a.state, s.lo) {
			if err != nil {
				yield(merge.KeyedState{}, err)
				return
			}
			if !s.holds(r.Key) {
				break
			}
			if !loose(r.Key, false) {
				return
			}
			if _, hidden := a.loose[r.Key]; !hidden && !yield(r, nil) {
				return
			}
		}
		loose("", true)
	}
}

// downward is upward, the other way round.
func (a *At) downward(s span) (iter.Seq2[merge.KeyedState, error], error) {
	var keys []string
	for r, err := range a.upward(s) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, r.Key)
	}
	return func(yield func(merge.KeyedState, error) bool) {
		for _, key := range slices.Backward(keys) {
			row, err := a.row(key)
			if !yield(merge.KeyedState{Key: key, Row: row}, err) || err != nil {
				return
			}
		}
	}, nil
}

// Digest is Snapshot.Digest. With a put, the blocks of the state tree are put
// that the tree which a began with has not.
func (a *At) Digest(put merge.BlockPutter) (memo.ID, error) {
	if len(a.keys) == 0 {
		return a.state, nil
	}
	return merge.ApplyState(a.params, a.blocks, a.state, func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range a.keys {
			state, err := a.loose[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) || err != nil {
				return
			}
		}
	}, put)
}

// Close makes At fit where a Snapshot does; there is nothing to let go of.
func (a *At) Close() {}
