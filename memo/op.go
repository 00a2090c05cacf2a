package memo

import "fmt"

// A delta is an array that begins with its cell and goes on with its operands:
//
//	[field, 0 register, 1, value] | [field, 0, 0]
//	[field, 1 multi,    k, value] | [field, 1, k, value, removed] | [field, 1, 0, removed]
//	[field, 2 counter,  base, k] | [field, 2, base, k, plus] | [field, 2, base, k, plus, minus]
//	[field, 3 set,      k, [element, …]] | [field, 3, k, [element, …], removed] | [field, 3, 0, removed]
//	  removed: [[author, k, …], …], an author's k ascending; null is the memo's own author, who comes first
//	  base: null | [time, author, digest] | 1
//	[field, later type, operand, …]

// Delta is one operation on one cell.
type Delta struct {
	Field string // raw bytes
	Type  CellType
	Op    Op
}

// Op is what a delta does. A Register is written with Value when Set, and deleted
// else; cells of every other type have Operands.
type Op struct {
	Set      bool
	Value    Value
	Operands Operands
}

// Operands is what a delta of a cell beside registers says: *Count for a Counter,
// *Change for a Multi or Set, Unknown for a type of a later version.
type Operands interface {
	// items returns what follows the type t in a delta.
	items(t CellType) []any
	// check tells whether the operands are valid for a cell of type t, in a memo
	// that clears the cell's row or not.
	check(t CellType, clears bool) error
	// checkAuthor applies the rules that relate them to their memo.
	checkAuthor(author Author, time Time) error
}

// Unknown are the operands of a type this version does not know, as they came.
type Unknown []Raw

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
	case d.Op.Operands != nil:
		return Marshal(append([]any{Bytes(d.Field), d.Type}, d.Op.Operands.items(d.Type)...))
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

func decodeOp(t CellType, items []Raw) (op Op, err error) {
	switch t {
	case Register:
		return decodeRegister(items)
	case Counter:
		op.Operands, err = decodeCount(items)
	case Multi, Set:
		op.Operands, err = decodeChange(t, items)
	default:
		op.Operands = Unknown(items)
	}
	return op, err
}

func decodeRegister(items []Raw) (Op, error) {
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

// check tells whether d says just what its encoding says, and keeps the limits.
// clears tells whether the same memo clears the row.
func (d *Delta) check(clears bool) error {
	o := &d.Op
	switch {
	case d.Type != Register && (o.Set || o.Value != Null()):
		return fmt.Errorf("%w: a register's operation on a cell of type %d", ErrInvalid, d.Type)
	case d.Type != Register && o.Operands == nil:
		return fmt.Errorf("%w: an operation on a cell of type %d without operands", ErrInvalid, d.Type)
	case o.Operands != nil:
		return o.Operands.check(d.Type, clears)
	case !o.Set && o.Value != Null():
		return fmt.Errorf("%w: a delete with a value", ErrInvalid)
	}
	return nil
}

// errOperands reports operands of another type than their cell's.
func errOperands(what string, t CellType) error {
	return fmt.Errorf("%w: %s on a cell of type %d", ErrInvalid, what, t)
}

func (u Unknown) items(CellType) []any {
	out := make([]any, len(u))
	for i, item := range u {
		out[i] = item
	}
	return out
}

func (u Unknown) check(t CellType, _ bool) error {
	if t.known() || len(u) == 0 {
		return errOperands("unknown operands, or none,", t)
	}
	for _, item := range u {
		if err := canonical(item); err != nil {
			return err
		}
	}
	return nil
}

func (Unknown) checkAuthor(Author, Time) error { return nil }
