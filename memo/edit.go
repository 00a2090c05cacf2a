package memo

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of an edit. They are part of validity: every peer applies the same.
const (
	MaxEdit   = 192 << 10 // bytes of an encoded body
	MaxDeltas = 4096      // deltas and row tombstones of one edit
	MaxTopic  = 64        // bytes of a topic's name
	MaxRow    = 512       // bytes of a row's key
	MaxField  = 512       // bytes of a field's name
)

// ErrTooLarge reports something above a limit; its text names the limit.
var ErrTooLarge = errors.New("too large")

// CellType is the sort of a cell: which lattice its deltas join in.
type CellType uint64

// The cell types. This version knows those up to Set.
const (
	Register CellType = iota
	Multi
	Counter
	Set
	TextCell
	BlobCell
)

// known reports whether this version can apply a delta of type t.
func (t CellType) known() bool { return t <= Set }

// Edit is the body of KindEdit: deltas by topic, row and field, each list
// strictly ascending, so a cell has at most one delta and a row one tombstone.
type Edit struct {
	Topics []TopicEdit
}

// TopicEdit is the part of an edit in one topic (table).
type TopicEdit struct {
	_     struct{} `cbor:",toarray"`
	Topic string
	Rows  []RowEdit
}

// RowEdit is the part of an edit in one row. Row holds raw bytes. A Tombstone
// drops every atom of the row with a smaller stamp than this memo's.
type RowEdit struct {
	_         struct{} `cbor:",toarray"`
	Row       Bytes
	Tombstone bool
	Deltas    []Delta
}

func (e *Edit) kind() Kind { return KindEdit }

func (e *Edit) encode() ([]byte, error) { return Marshal(e.Topics) }

func decodeEdit(data []byte) (Body, error) {
	var e Edit
	if err := Unmarshal(data, &e.Topics); err != nil {
		return nil, fmt.Errorf("edit: %w", err)
	}
	return &e, nil
}

// check tells whether e is within the limits and strictly sorted.
func (e *Edit) check() error {
	if len(e.Topics) == 0 {
		return fmt.Errorf("%w: an edit changes at least one row", ErrInvalid)
	}
	deltas := 0
	for i, t := range e.Topics {
		if i > 0 && e.Topics[i-1].Topic >= t.Topic {
			return fmt.Errorf("%w: topics of an edit are not strictly ascending at %q", ErrInvalid, t.Topic)
		}
		n, err := t.check()
		if err != nil {
			return fmt.Errorf("topic %q: %w", t.Topic, err)
		}
		deltas += n
	}
	if deltas > MaxDeltas {
		return fmt.Errorf("%w: an edit of %d deltas, the limit is %d; split it", ErrTooLarge, deltas, MaxDeltas)
	}
	return nil
}

func (t TopicEdit) check() (deltas int, err error) {
	if err := CheckTopic(t.Topic); err != nil {
		return 0, err
	}
	if len(t.Rows) == 0 {
		return 0, fmt.Errorf("%w: no rows", ErrInvalid)
	}
	for i, r := range t.Rows {
		if i > 0 && t.Rows[i-1].Row >= r.Row {
			return 0, fmt.Errorf("%w: rows are not strictly ascending at %q", ErrInvalid, r.Row)
		}
		if err := r.check(); err != nil {
			return 0, fmt.Errorf("row %q: %w", r.Row, err)
		}
		deltas += len(r.Deltas)
		if r.Tombstone {
			deltas++
		}
	}
	return deltas, nil
}

func (r RowEdit) check() error {
	if err := CheckRow(string(r.Row)); err != nil {
		return err
	}
	if !r.Tombstone && len(r.Deltas) == 0 {
		return fmt.Errorf("%w: neither a tombstone nor a delta", ErrInvalid)
	}
	for i, d := range r.Deltas {
		if len(d.Field) > MaxField {
			return fmt.Errorf("%w: a field name of %d bytes, the limit is %d", ErrTooLarge, len(d.Field), MaxField)
		}
		if i > 0 && compareCells(r.Deltas[i-1], d) >= 0 {
			return fmt.Errorf("%w: deltas are not strictly ascending at field %q", ErrInvalid, d.Field)
		}
		if err := d.check(r.Tombstone); err != nil {
			return fmt.Errorf("field %q: %w", d.Field, err)
		}
	}
	return nil
}

// checkAuthor applies the rules that relate deltas to their memo.
func (e *Edit) checkAuthor(author Author, time Time) error {
	for _, t := range e.Topics {
		for _, r := range t.Rows {
			for _, d := range r.Deltas {
				if d.Op.Operands == nil {
					continue
				}
				if err := d.Op.Operands.checkAuthor(author, time); err != nil {
					return fmt.Errorf("topic %q: row %q: field %q: %w", t.Topic, r.Row, d.Field, err)
				}
			}
		}
	}
	return nil
}

// CheckTopic tells whether topic can name a topic: 1 to MaxTopic bytes of UTF-8
// without NUL, which separates topic and row in a key.
func CheckTopic(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("%w: the topic is empty", ErrInvalid)
	case len(topic) > MaxTopic:
		return fmt.Errorf("%w: a topic of %d bytes, the limit is %d", ErrTooLarge, len(topic), MaxTopic)
	case strings.ContainsRune(topic, 0):
		return fmt.Errorf("%w: the topic holds a NUL byte", ErrInvalid)
	case !utf8.ValidString(topic):
		return fmt.Errorf("%w: the topic is not UTF-8", ErrInvalid)
	}
	return nil
}

// CheckRow tells whether row can be a row's key: at most MaxRow bytes.
func CheckRow(row string) error {
	if len(row) > MaxRow {
		return fmt.Errorf("%w: a row key of %d bytes, the limit is %d", ErrTooLarge, len(row), MaxRow)
	}
	return nil
}

// Sort puts topics, rows and deltas into canonical order. It does not join
// duplicates: New refuses them.
func (e *Edit) Sort() {
	slices.SortFunc(e.Topics, func(a, b TopicEdit) int { return strings.Compare(a.Topic, b.Topic) })
	for _, t := range e.Topics {
		slices.SortFunc(t.Rows, func(a, b RowEdit) int { return strings.Compare(string(a.Row), string(b.Row)) })
		for _, r := range t.Rows {
			slices.SortFunc(r.Deltas, compareCells)
		}
	}
}

func compareCells(a, b Delta) int {
	if c := strings.Compare(a.Field, b.Field); c != 0 {
		return c
	}
	return cmp.Compare(a.Type, b.Type)
}
