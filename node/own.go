package node

import (
	"fmt"
	"slices"
	"strings"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/projection"
)

// ownState is what the owner knows of rows while it builds memos of one space: the
// projection, which has every memo in the log, and the memos that were built since
// and are on their way there. It takes its snapshot when it is first asked.
type ownState struct {
	o       *owner
	space   *Space
	snap    *projection.Snapshot
	drafted []*memo.Memo
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
		e, ok := rowEdit(m, topic, row)
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

// rowEdit returns what m does to a row.
func rowEdit(m *memo.Memo, topic, row string) (memo.RowEdit, bool) {
	e, ok := m.Body.(*memo.Edit)
	if !ok {
		return memo.RowEdit{}, false
	}
	t, ok := slices.BinarySearchFunc(e.Topics, topic, func(t memo.TopicEdit, topic string) int { return strings.Compare(t.Topic, topic) })
	if !ok {
		return memo.RowEdit{}, false
	}
	rows := e.Topics[t].Rows
	r, ok := slices.BinarySearchFunc(rows, row, func(r memo.RowEdit, row string) int { return strings.Compare(string(r.Row), row) })
	if !ok {
		return memo.RowEdit{}, false
	}
	return rows[r], true
}

func (s *ownState) close() {
	if s.snap != nil {
		s.snap.Close()
	}
}
