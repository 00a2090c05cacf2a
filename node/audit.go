package node

import (
	"context"
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
)

// This file compares what peers vouched for with what the memos behind it say.

// audited compares the layer l with what the memos behind it say, once they are here,
// else with its own vector. It runs on the folder's goroutine.
func (f *folder) audited(s *Space, l *layer) error {
	blocks, v := f.n.store.Blocks(s.id), f.n.view.Load()
	if !v.store.Vector(s.id).CoversAll(l.vector) {
		for r, err := range merge.StateRows(l.root.Params, blocks, l.root.State, "") {
			if err == nil {
				err = l.bounds(r.Key, r.Row)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for m := range l.vector.All() {
		if id, ok := v.digest(s.id)(m.Author, m.Seq); !ok || id != m.ID {
			return nil // forked: states of one vector may differ
		}
	}
	if !l.whole {
		return f.believed(s, l)
	}
	own, err := f.fold(s)
	switch {
	case err != nil:
		return err
	case own.root.Vector == l.root.Vector && own.root.State != l.root.State:
		return lie{fmt.Errorf("the state of its cut has digest %s, the peer's %s", own.root.State, l.root.State)}
	case own.root.Vector == l.root.Vector:
		return nil
	}
	return f.included(s, l, own.root)
}

// believed compares the rows that were shown on a peer's word.
func (f *folder) believed(s *Space, l *layer) error {
	m, err := f.n.moment(context.Background())
	if err != nil {
		return err
	}
	defer m.Close()
	for _, key := range l.told.all() {
		said, _, err := merge.StateRow(l.root.Params, f.n.store.Blocks(s.id), l.root.State, key)
		if err != nil {
			return err
		}
		topic, row, _ := merge.SplitRowKey(key) // made by RowKey
		mine, _, err := m.snap.Get(s.id, topic, row)
		if err == nil && !agrees(mine, said) {
			err = notSo(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notSo is the lie of a row that its memos do not make.
func notSo(key string) error { return lie{fmt.Errorf("row %q shows what its memos do not say", key)} }

// included tells whether own includes every row of a layer, as it does when it covers
// more.
func (f *folder) included(s *Space, l *layer, own merge.Root) error {
	blocks := f.n.store.Blocks(s.id)
	for d, err := range merge.Diff(own.Params, blocks, own.State, l.root.State) {
		if err != nil {
			return err
		}
		if d.New == nil {
			continue
		}
		said, _, err := merge.StateRow(own.Params, blocks, l.root.State, d.Key)
		if err != nil {
			return err
		}
		mine, _, err := merge.StateRow(own.Params, blocks, own.State, d.Key)
		if err != nil {
			return err
		}
		if !agrees(mine, said) {
			return notSo(d.Key)
		}
	}
	return nil
}

// lie marks what proves that a peer's state is false.
type lie struct{ error }

// report tells the owner what an audit found.
func (f *folder) report(s *Space, l *layer, err error) {
	var false_ lie
	switch {
	case errors.As(err, &false_):
		if f.n.submit(context.Background(), layerLied{s, l.peer, l.id, err}) != nil {
			return
		}
	case err != nil && !errors.Is(err, ErrClosed):
		f.n.log.Warn("cannot compare a peer's state with the memos behind it", "space", s.id, "peer", l.peer, "err", err)
	}
}

// agrees reports whether a row that covers more says all that a row of a layer does.
// Beyond including it, it must not say otherwise of the same memo.
func agrees(mine, said merge.Row) bool {
	if !mine.Includes(said) {
		return false
	}
	for i := range said.Cells {
		for j := range mine.Cells {
			m, s := &mine.Cells[j], &said.Cells[i]
			if m.Field == s.Field && m.Type == s.Type && contradict(m, s) {
				return false
			}
		}
	}
	return true
}

// contradict tells whether two states of a cell show one memo's operation differently.
func contradict(a, b *merge.Cell) bool {
	switch {
	case a.Counter != nil:
		for _, x := range a.Counter.Tallies {
			for _, y := range b.Counter.Tallies {
				if x.Stamp == y.Stamp && x != y {
					return true
				}
			}
		}
		return false
	case a.Atoms != nil:
		values := make(map[merge.Atom]memo.Value, len(a.Atoms.Live))
		for _, x := range a.Atoms.Live {
			values[merge.Atom{Stamp: x.Stamp, K: x.K}] = x.Value
		}
		for _, y := range b.Atoms.Live {
			if v, ok := values[merge.Atom{Stamp: y.Stamp, K: y.K}]; ok && v != y.Value {
				return true
			}
		}
		return false
	}
	return a.Register.Stamp == b.Register.Stamp && a.Register != b.Register
}
