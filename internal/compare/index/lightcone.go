package main

import (
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
)

// params are those of a space that chose none.
var params = merge.DefaultParams(memo.SpaceID(memo.Sum([]byte("compare index"))))

// mergeTree is the search tree of package merge.
type mergeTree struct{ b *blocks }

func newMergeTree(b *blocks) *mergeTree { return &mergeTree{b} }

// PutBlock tells nodes and rows apart by their first element: a node begins with
// its version, a row with its table of memos.
func (t *mergeTree) PutBlock(id memo.ID, data []byte) error {
	const versionOne = 0x01
	if data[1] == versionOne {
		t.b.putNode(id, data)
	} else {
		t.b.putRow(id, data)
	}
	return nil
}

// A row's value in the tree is its digest, a byte string of 32 bytes.
const bytesOf32 = "\x58\x20"

func valueOf(row memo.ID) []byte { return append([]byte(bytesOf32), row[:]...) }

func rowOf(value []byte) (row memo.ID, err error) {
	if len(value) != len(bytesOf32)+len(row) || string(value[:len(bytesOf32)]) != bytesOf32 {
		return row, fmt.Errorf("%w: the value %x is no digest", errUnequal, value)
	}
	copy(row[:], value[len(bytesOf32):])
	return row, nil
}

func (t *mergeTree) build(in []entry) (memo.ID, error) {
	return merge.Build(params, func(yield func(merge.Entry, error) bool) {
		for _, e := range in {
			if !yield(merge.Entry{Key: e.key, Value: valueOf(e.row)}, nil) {
				return
			}
		}
	}, t)
}

func (t *mergeTree) apply(root memo.ID, batch []entry) (memo.ID, error) {
	changes := make([]merge.Change, len(batch))
	for i, e := range batch {
		changes[i] = merge.Change{Key: e.key, Value: valueOf(e.row)}
	}
	return merge.Apply(params, t.b, root, changes, t)
}

func (t *mergeTree) scan(root memo.ID, visit func(entry) error) error {
	for e, err := range merge.Scan(params, t.b, root, "") {
		if err != nil {
			return err
		}
		row, err := rowOf(e.Value)
		if err == nil {
			err = visit(entry{key: e.Key, row: row})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *mergeTree) get(root memo.ID, key string) (row memo.ID, found bool, err error) {
	value, found, err := merge.Get(params, t.b, root, key)
	if found && err == nil {
		row, err = rowOf(value)
	}
	return row, found, err
}

func (t *mergeTree) diff(a, b memo.ID) (out []entry, err error) {
	for d, err := range merge.Diff(params, t.b, a, b) {
		if err != nil {
			return nil, err
		}
		if d.New == nil {
			return nil, fmt.Errorf("%w: key %q is gone", errUnequal, d.Key)
		}
		row, err := rowOf(d.New)
		if err != nil {
			return nil, err
		}
		out = append(out, entry{key: d.Key, row: row, fresh: d.Old == nil})
	}
	return out, nil
}

// merge needs no base: rows that differ are read and joined.
func (t *mergeTree) merge(_, a, b memo.ID) (memo.ID, error) {
	return merge.MergeState(params, t.b, a, b, t)
}

func (t *mergeTree) join(root memo.ID, keys []string, states [][]byte) (memo.ID, error) {
	return merge.ApplyState(params, t.b, root, keyed(keys, states), t)
}

func keyed(keys []string, states [][]byte) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for i, key := range keys {
			if !yield(merge.KeyedRow{Key: key, State: states[i]}, nil) {
				return
			}
		}
	}
}

func (t *mergeTree) prove(root memo.ID, key string) ([][]byte, error) {
	return merge.Prove(params, t.b, root, key)
}

func (t *mergeTree) verify(root memo.ID, key string, proof [][]byte) (row memo.ID, err error) {
	value, found, err := merge.VerifyProof(params, root, key, proof)
	switch {
	case err != nil:
		return row, err
	case !found:
		return row, fmt.Errorf("%w: no key %q", errUnequal, key)
	}
	return rowOf(value)
}

func (t *mergeTree) shape(root memo.ID) (s shape, err error) {
	return s, t.walk(root, merge.Place{}, 1, &s)
}

func (t *mergeTree) walk(id memo.ID, place merge.Place, depth int, s *shape) error {
	data, err := t.b.Block(id)
	if err != nil {
		return err
	}
	n, err := merge.DecodeNode(params, data, place)
	if err != nil {
		return err
	}
	s.add(depth, len(n.Items), len(data))
	for i := 0; i < len(n.Items) && n.Level > 0; i++ {
		if err := t.walk(n.Items[i].Child, place.Below(n, i), depth+1, s); err != nil {
			return err
		}
	}
	return nil
}
