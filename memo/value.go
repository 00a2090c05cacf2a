package memo

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// ErrBadValue reports a value that no cell can hold.
var ErrBadValue = errors.New("not a value a cell can hold")

// ValueKind tells which of the six sorts of value a Value is.
type ValueKind uint8

// The sorts of value.
const (
	NullValue ValueKind = iota
	BoolValue
	IntValue
	FloatValue
	TextValue
	BytesValue
)

// Value is what a register holds: null, a bool, an int64, a finite float64, a
// UTF-8 text or bytes. It is comparable and immutable; the zero Value is null.
type Value struct {
	kind ValueKind
	num  uint64 // bool, int and float bits
	str  string // text and bytes
}

// Null returns the null value.
func Null() Value { return Value{} }

// Bool returns a truth value.
func Bool(b bool) Value {
	if b {
		return Value{kind: BoolValue, num: 1}
	}
	return Value{kind: BoolValue}
}

// Int returns an integer.
func Int(i int64) Value { return Value{kind: IntValue, num: uint64(i)} }

// Float returns a floating point number, or ErrBadValue for NaN and infinity.
func Float(f float64) (Value, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("%w: %v is not finite", ErrBadValue, f)
	}
	return Value{kind: FloatValue, num: math.Float64bits(f)}, nil
}

// Text returns a text, or ErrBadValue when s is not UTF-8 (store it as Bytes).
func Text(s string) (Value, error) {
	if !utf8.ValidString(s) {
		return Value{}, fmt.Errorf("%w: text is not UTF-8; store it as bytes", ErrBadValue)
	}
	return Value{kind: TextValue, str: s}, nil
}

// Blob returns bytes.
func Blob(b []byte) Value { return Value{kind: BytesValue, str: string(b)} }

// Kind tells what v holds.
func (v Value) Kind() ValueKind { return v.kind }

// Bool returns the truth value, false for other kinds.
func (v Value) Bool() bool { return v.kind == BoolValue && v.num == 1 }

// Int returns the integer, 0 for other kinds.
func (v Value) Int() int64 {
	if v.kind != IntValue {
		return 0
	}
	return int64(v.num)
}

// Float returns the floating point number, 0 for other kinds.
func (v Value) Float() float64 {
	if v.kind != FloatValue {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Text returns the text, "" for other kinds.
func (v Value) Text() string {
	if v.kind != TextValue {
		return ""
	}
	return v.str
}

// Bytes returns the bytes, nil for other kinds.
func (v Value) Bytes() []byte {
	if v.kind != BytesValue {
		return nil
	}
	return []byte(v.str)
}

// Size returns the length in bytes of the text or bytes, else 8 at most.
func (v Value) Size() int { return max(len(v.str), 8) }

// Compare orders values: null, bools, integers, floating point numbers, texts,
// bytes. Among themselves false comes before true, numbers ascend (floating point
// ones by totalOrder of IEEE 754: -0 before 0), texts and bytes ascend bytewise.
func (v Value) Compare(o Value) int {
	switch {
	case v.kind != o.kind:
		return cmp.Compare(v.kind, o.kind)
	case v.kind == IntValue:
		return cmp.Compare(int64(v.num), int64(o.num))
	case v.kind == FloatValue:
		return cmp.Compare(totalOrder(v.num), totalOrder(o.num))
	default:
		return cmp.Or(cmp.Compare(v.num, o.num), strings.Compare(v.str, o.str))
	}
}

// totalOrder maps the bits of a floating point number to an integer that orders
// as the numbers do: those of negative numbers turn round.
func totalOrder(bits uint64) int64 {
	n := int64(bits)
	return n ^ int64(uint64(n>>63)>>1)
}

// String shows v to people: text as it is, bytes as 0x…, null as "null".
func (v Value) String() string {
	switch v.kind {
	case BoolValue:
		return strconv.FormatBool(v.Bool())
	case IntValue:
		return strconv.FormatInt(v.Int(), 10)
	case FloatValue:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case TextValue:
		return v.str
	case BytesValue:
		return "0x" + hex.EncodeToString([]byte(v.str))
	default:
		return "null"
	}
}

// MarshalCBOR implements cbor.Marshaler.
func (v Value) MarshalCBOR() ([]byte, error) {
	switch v.kind {
	case BoolValue:
		return Marshal(v.Bool())
	case IntValue:
		return Marshal(v.Int())
	case FloatValue:
		return binary.BigEndian.AppendUint64([]byte{0xfb}, v.num), nil
	case TextValue:
		return Marshal(v.str)
	case BytesValue:
		return Marshal(Bytes(v.str))
	default:
		return []byte{0xf6}, nil
	}
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (v *Value) UnmarshalCBOR(data []byte) error {
	var a any
	if err := decMode.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	got, err := valueOf(a)
	if err != nil {
		return err
	}
	*v = got
	return nil
}

func valueOf(a any) (Value, error) {
	switch x := a.(type) {
	case nil:
		return Null(), nil
	case bool:
		return Bool(x), nil
	case uint64:
		if x > math.MaxInt64 {
			return Value{}, fmt.Errorf("%w: %d is above the largest int64", ErrBadValue, x)
		}
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case float64:
		return Float(x)
	case string:
		return Text(x)
	case []byte:
		return Blob(x), nil
	case cbor.ByteString:
		return Value{kind: BytesValue, str: string(x)}, nil
	default:
		return Value{}, fmt.Errorf("%w: %T", ErrBadValue, a)
	}
}
