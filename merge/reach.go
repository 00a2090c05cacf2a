package merge

import (
	"fmt"
	"iter"

	"lightcone/memo"
)

// StateRow returns a row of the state tree under root, and whether it is there.
// It reads one node a level, and the row's own block where it has one, or all of
// a nested row.
func StateRow(p Params, g BlockGetter, root memo.ID, key string) (Row, bool, error) {
	value, found, err := Get(p, g, root, key)
	if err != nil || !found {
		return Row{}, false, err
	}
	row, err := rowStore{Params: p, g: g}.read(value)
	if err != nil {
		return Row{}, false, fmt.Errorf("row %q: %w", key, err)
	}
	return row, true, nil
}

// KeyedState is one row of a state tree, read.
type KeyedState struct {
	Key string
	Row Row
}

// StateRows yields the rows of the state tree under root from the key from on,
// ascending, dead ones too. It ends after the first error.
func StateRows(p Params, g BlockGetter, root memo.ID, from string) iter.Seq2[KeyedState, error] {
	return func(yield func(KeyedState, error) bool) {
		for e, err := range Scan(p, g, root, from) {
			var row Row
			if err == nil {
				row, err = rowStore{Params: p, g: g}.read(e.Value)
			}
			if err != nil {
				yield(KeyedState{}, fmt.Errorf("row %q: %w", e.Key, err))
				return
			}
			if !yield(KeyedState{e.Key, row}, nil) {
				return
			}
		}
	}
}

// Reach calls visit with the id of every block that a root needs: the nodes of
// its trees, the rows' own blocks and those of nested rows, children after parents, some of them more
// than once. Where visit returns false, what is below is left out: roots share
// most of their nodes, and who has seen one has seen all below it.
func Reach(g BlockGetter, r Root, visit func(id memo.ID) bool) error {
	w := reach{loader: newLoader(r.Params, g), visit: visit}
	if err := w.node(r.Vector, Place{}); err != nil {
		return fmt.Errorf("blocks of vector %s: %w", r.Vector, err)
	}
	w.rows = true
	if err := w.node(r.State, Place{}); err != nil {
		return fmt.Errorf("blocks of state %s: %w", r.State, err)
	}
	return nil
}

type reach struct {
	*loader
	rows   bool // the tree's values stand for rows
	nested bool // for pieces of one row
	visit  func(id memo.ID) bool
}

func (w *reach) node(id memo.ID, place Place) error {
	if !w.visit(id) {
		return nil
	}
	n, _, err := w.load(id, place)
	if err != nil {
		return err
	}
	for i := range n.Items {
		it := &n.Items[i]
		switch {
		case n.Level > 0:
			if err := w.node(it.Child, place.Below(n, i)); err != nil {
				return err
			}
		case w.rows:
			if err := w.row(it.Value); err != nil {
				return fmt.Errorf("row %q: %w", it.Key, err)
			}
		}
	}
	return nil
}

// row visits the blocks of one row.
func (w *reach) row(value []byte) error {
	ref, err := rowRefOf(value)
	switch {
	case err != nil:
		return err
	case !ref.block.IsZero():
		w.visit(ref.block)
	case !ref.nested.root.IsZero() && w.nested:
		return errNestedTwice
	case !ref.nested.root.IsZero():
		w.nested = true
		defer func() { w.nested = false }()
		return w.node(ref.nested.root, Place{})
	}
	return nil
}
