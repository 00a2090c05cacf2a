package merge

import (
	"fmt"
	"iter"

	"lightcone/memo"
)

// StateRow returns a row of the state tree under root, and whether it is there.
// It reads one node a level, and the row's own block where it has one.
func StateRow(p Params, g BlockGetter, root memo.ID, key string) (Row, bool, error) {
	value, found, err := Get(p, g, root, key)
	if err != nil || !found {
		return Row{}, false, err
	}
	row, err := rowOf(g, value)
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
				row, err = rowOf(g, e.Value)
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
// its trees and the rows' own blocks, children after parents, some of them more
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
	rows  bool // the tree's values may be digests of rows
	visit func(id memo.ID) bool
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
			if block, ok, err := rowBlock(it.Value); err != nil {
				return fmt.Errorf("row %q: %w", it.Key, err)
			} else if ok {
				w.visit(block)
			}
		}
	}
	return nil
}

// rowBlock returns the id of the block that value of a state tree stands for, and
// false for a row state that is the value itself.
func rowBlock(value []byte) (memo.ID, bool, error) {
	r := &reader{b: value}
	if r.peek()&majorMask != majorBytes {
		return memo.ID{}, false, nil
	}
	id := memo.ID(r.digest())
	if err := r.end(); err != nil {
		return memo.ID{}, false, fmt.Errorf("value of a state tree: %w", err)
	}
	return id, true, nil
}
