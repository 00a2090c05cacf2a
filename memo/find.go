package memo

import (
	"slices"
	"strings"
)

// Edits returns what m does to a row; ok is false when it leaves the row alone.
// The result shares memory with m.
func (m *Memo) Edits(topic, row string) (e RowEdit, ok bool) {
	edit, ok := m.Body.(*Edit)
	if !ok {
		return e, false
	}
	t, ok := slices.BinarySearchFunc(edit.Topics, topic, func(t TopicEdit, topic string) int { return strings.Compare(t.Topic, topic) })
	if !ok {
		return e, false
	}
	rows := edit.Topics[t].Rows
	r, ok := slices.BinarySearchFunc(rows, row, func(r RowEdit, row string) int { return strings.Compare(string(r.Row), row) })
	if !ok {
		return e, false
	}
	return rows[r], true
}
