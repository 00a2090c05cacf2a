package node

import (
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
)

// ownState is what the owner knows of rows while it builds memos of one space: the
// projection, which has every memo in the log, and the memos that were built since
// and are on their way there. It takes its snapshot when it is first asked.
type ownState struct {
	o        *owner
	space    *Space
	snap     *projection.Snapshot
	drafted  []*memo.Memo
	observed memo.Vector // what the chain has behind it, those included
}

// add takes in memos that were drafted.
func (s *ownState) add(memos []*memo.Memo) {
	s.drafted = append(s.drafted, memos...)
	for _, m := range memos {
		observe(&s.observed, m)
	}
}

// row returns a row's state with every memo of this node that ever changed it.
func (s *ownState) row(topic, row string) (merge.Row, error) {
	if s.snap == nil {
		snap, err := s.o.n.proj.Snapshot()
		if err != nil {
			return merge.Row{}, fmt.Errorf("read projection: %w", err)
		}
		s.snap = snap
	}
	state, _, err := s.snap.Get(s.space.id, topic, row)
	if err != nil {
		return merge.Row{}, fmt.Errorf("read %s/%s: %w", topic, row, err)
	}
	for _, m := range s.drafted {
		e, ok := m.Edits(topic, row)
		if !ok {
			continue
		}
		delta, err := merge.Delta(merge.StampOf(m), e)
		if err != nil {
			return merge.Row{}, err
		}
		state = merge.Join(state, delta)
	}
	return state, nil
}

func (s *ownState) close() {
	if s.snap != nil {
		s.snap.Close()
	}
}
