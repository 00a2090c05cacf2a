package memotest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lightcone/memo"
)

var words = regexp.MustCompile(`;|(?:[^\s;"]|"(?:[^"\\]|\\.)*")+`)

// parseEdit reads "topic/row CHANGE… ; topic/row CHANGE…".
func parseEdit(text string) (*memo.Edit, error) {
	if strings.TrimSpace(words.ReplaceAllString(text, "")) != "" {
		return nil, fmt.Errorf("a quote is not closed")
	}
	e := &memo.Edit{}
	var row *memo.RowEdit // being read
	for _, w := range append(words.FindAllString(text, -1), ";") {
		var err error
		switch {
		case w == ";" && row == nil:
			err = fmt.Errorf("a topic/row and its changes are missing")
		case w == ";":
			row = nil
		case row == nil:
			row, err = addRow(e, w)
		default:
			err = change(row, w)
		}
		if err != nil {
			return nil, err
		}
	}
	e.Sort()
	return e, nil
}

// addRow adds the row that "topic/row" names to e.
func addRow(e *memo.Edit, place string) (*memo.RowEdit, error) {
	topic, row, ok := strings.Cut(place, "/")
	if !ok {
		return nil, fmt.Errorf("%q is no topic/row", place)
	}
	i := slices.IndexFunc(e.Topics, func(t memo.TopicEdit) bool { return t.Topic == topic })
	if i < 0 {
		i = len(e.Topics)
		e.Topics = append(e.Topics, memo.TopicEdit{Topic: topic})
	}
	rows := append(e.Topics[i].Rows, memo.RowEdit{Row: memo.Bytes(row)})
	e.Topics[i].Rows = rows
	return &rows[len(rows)-1], nil
}

// change adds "field=value", "-field" or "!" to a row.
func change(row *memo.RowEdit, word string) error {
	field, text, isSet := strings.Cut(word, "=")
	deleted, isDelete := strings.CutPrefix(word, "-")
	switch {
	case word == "!":
		row.Tombstone = true
	case isSet:
		v, err := value(text)
		if err != nil {
			return fmt.Errorf("field %q: %w", field, err)
		}
		row.Deltas = append(row.Deltas, memo.Delta{Field: field, Op: memo.Op{Set: true, Value: v}})
	case isDelete:
		row.Deltas = append(row.Deltas, memo.Delta{Field: deleted})
	default:
		return fmt.Errorf("%q is neither a ! nor field=value nor -field", word)
	}
	return nil
}

// value reads what a register is to hold.
func value(text string) (memo.Value, error) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return memo.Int(i), nil
	}
	switch {
	case text == "null":
		return memo.Null(), nil
	case text == "true", text == "false":
		return memo.Bool(text == "true"), nil
	case strings.HasPrefix(text, `"`):
		s, err := strconv.Unquote(text)
		if err != nil {
			return memo.Value{}, fmt.Errorf("%s is not quoted as in Go", text)
		}
		return memo.Text(s)
	}
	return memo.Text(text)
}
