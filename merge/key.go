package merge

import (
	"strings"

	"lightcone/memo"
)

// MaxKey bounds the bytes of a key in a search tree. The longest is a piece's of a
// nested row: a field all of zero bytes, which are written as two, then three bytes,
// author and k. A row's is shorter, memo.MaxTopic + 1 + memo.MaxRow.
const MaxKey = 2*memo.MaxField + 3 + len(memo.Author{}) + 8

// RowKey returns the key of a row in the state tree: topic, a zero byte, row.
// Rows of one topic are neighbours and a topic holds no zero byte, so the order
// of keys is the order of (topic, row).
func RowKey(topic, row string) string { return topic + "\x00" + row }

// SplitRowKey is the inverse of RowKey; ok tells whether k is a row's key.
func SplitRowKey(k string) (topic, row string, ok bool) {
	topic, row, ok = strings.Cut(k, "\x00")
	if !ok || memo.CheckTopic(topic) != nil || memo.CheckRow(row) != nil {
		return "", "", false
	}
	return topic, row, true
}
