package projection

import (
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
)

// States yields the state of every row of a space, deleted ones too, ascending
// by merge.RowKey: what the space's digest is over. It ends with the first error.
func (s *Snapshot) States(space memo.SpaceID) iter.Seq2[merge.KeyedRow, error] {
	return func(yield func(merge.KeyedRow, error) bool) {
		for e, err := range s.entries(space, span{}) {
			state := e.state
			if err == nil && e.row != nil {
				state, err = e.row.Encode()
			}
			if err != nil {
				yield(merge.KeyedRow{}, fmt.Errorf("states: %w", err))
				return
			}
			if !yield(merge.KeyedRow{Key: e.key, State: state}, nil) {
				return
			}
		}
	}
}

// Digest returns the digest of the space p.Space: the root of the search tree
// over its States, equal on all peers that attached the same memos.
func (s *Snapshot) Digest(p merge.Params) (memo.ID, error) {
	return merge.BuildState(p, s.States(p.Space), nil)
}
