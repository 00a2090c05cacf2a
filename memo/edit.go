package memo

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
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

// The cell types. This version knows Register alone.
const (
	Register CellType = iota
	Multi
	Counter
	Set
	TextCell
	BlobCell
)

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

// Delta is one operation on one cell.
type Delta struct {
	Field string // raw bytes
	Type  CellType
	Op    Op
}

// Op is what a delta does. For a Register: write Value when Set, else delete.
// For a type this version does not know, Opaque keeps the operands as they came.
type Op struct {
	Set    bool
	Value  Value
	Opaque []Raw
}

// registerSet and registerDel are the wire forms of a register's delta:
// [field, 0, 1, value] and [field, 0, 0].
type registerSet struct {
	_     struct{} `cbor:",toarray"`
	Field Bytes
	Type  CellType
	Set   uint64
	Value Value
}

type registerDel struct {
	_     struct{} `cbor:",toarray"`
	Field Bytes
	Type  CellType
	Set   uint64
}

// MarshalCBOR implements cbor.Marshaler.
func (d Delta) MarshalCBOR() ([]byte, error) {
	switch {
	case d.Type != Register:
		items := []any{Bytes(d.Field), d.Type}
		for _, op := range d.Op.Opaque {
			items = append(items, op)
		}
		return Marshal(items)
	case d.Op.Set:
		return Marshal(registerSet{Field: Bytes(d.Field), Type: d.Type, Set: 1, Value: d.Op.Value})
	default:
		return Marshal(registerDel{Field: Bytes(d.Field), Type: d.Type})
	}
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (d *Delta) UnmarshalCBOR(data []byte) error {
	var items []Raw
	if err := decMode.Unmarshal(data, &items); err != nil {
		return err
	}
	if len(items) < 3 {
		return fmt.Errorf("%w: a delta has a field, a type and an operation", ErrMalformed)
	}
	var got Delta
	var field Bytes
	if err := decMode.Unmarshal(items[0], &field); err != nil {
		return err
	}
	got.Field = string(field)
	if err := decMode.Unmarshal(items[1], &got.Type); err != nil {
		return err
	}
	var err error
	if got.Op, err = decodeOp(got.Type, items[2:]); err != nil {
		return err
	}
	*d = got
	return nil
}

func decodeOp(t CellType, items []Raw) (Op, error) {
	if t != Register {
		return Op{Opaque: items}, nil
	}
	var set uint64
	if err := decMode.Unmarshal(items[0], &set); err != nil {
		return Op{}, err
	}
	switch {
	case set == 0 && len(items) == 1:
		return Op{}, nil
	case set == 1 && len(items) == 2:
		op := Op{Set: true}
		err := op.Value.UnmarshalCBOR(items[1])
		return op, err
	default:
		return Op{}, fmt.Errorf("%w: a register's operation is [1, value] or [0]", ErrMalformed)
	}
}

// canonical checks that raw is one canonical item of a shape that every version
// of the format may use, see plain.
func canonical(raw Raw) error {
	var a any
	if err := decMode.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := plain(a); err != nil {
		return err
	}
	return Unmarshal(raw, &a)
}

// plain refuses what DAG-CBOR of arrays does not have: maps, whose pairs Go also
// hands out in random order, so that encoding them again proves nothing; simple
// values beside null and bools; tags beside links, and links that are no CID.
func plain(a any) error {
	switch x := a.(type) {
	case nil, bool, uint64, int64, float64, string, []byte:
		return nil
	case []any:
		for _, item := range x {
			if err := plain(item); err != nil {
				return err
			}
		}
		return nil
	case cbor.Tag:
		if link, ok := x.Content.([]byte); ok && x.Number == linkTag && len(link) > 1 && link[0] == 0 {
			if _, err := cid.Cast(link[1:]); err != nil {
				return fmt.Errorf("%w: a link to no CID: %w", ErrMalformed, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: an item of Go type %T; the format has arrays, links and plain values", ErrMalformed, a)
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
		if err := d.Op.check(d.Type); err != nil {
			return fmt.Errorf("field %q: %w", d.Field, err)
		}
	}
	return nil
}

// check tells whether o says, for a cell of type t, just what its encoding says.
func (o Op) check(t CellType) error {
	switch {
	case t == Register && !o.Set && o.Value != Null():
		return fmt.Errorf("%w: a delete with a value", ErrInvalid)
	case t != Register && len(o.Opaque) == 0:
		return fmt.Errorf("%w: an operation on a cell of type %d without operands", ErrInvalid, t)
	}
	for _, item := range o.Opaque {
		if err := canonical(item); err != nil {
			return err
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
