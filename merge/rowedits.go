package merge

import (
	"iter"

	"lightcone/memo"
)

// RowEdits yields what a memo does to rows, by RowKey, ascending. Memos that are no
// edits yield nothing. What it yields shares memory with m.
func RowEdits(m *memo.Memo) iter.Seq2[string, memo.RowEdit] {
	return func(yield func(string, memo.RowEdit) bool) {
		e, ok := m.Body.(*memo.Edit)
		if !ok {
			return
		}
		for _, topic := range e.Topics {
			for _, row := range topic.Rows {
				if !yield(RowKey(topic.Topic, string(row.Row)), row) {
					return
				}
			}
		}
	}
}
