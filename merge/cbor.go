package merge

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"lightcone/memo"
)

// Rows and nodes are encoded and decoded by hand: they are the bulk of what a
// peer reads and writes, and a reader that refuses every other form of an item
// needs no second pass to be strict. The form is memo's: canonical DAG-CBOR
// (RFC 8949 §4.2.1, ipld.io/specs/codecs/dag-cbor) of arrays, without maps.

// Major types of CBOR, in the top three bits of an item's first byte.
const (
	majorUint  = 0 << 5
	majorNeg   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorTag   = 6 << 5
	majorOther = 7 << 5
	majorMask  = 7 << 5
)

// The items of major type 7 that the format knows.
const (
	itemFalse = majorOther | 20
	itemTrue  = majorOther | 21
	itemNull  = majorOther | 22
	itemFloat = majorOther | 27
)

// maxDepth bounds the nesting of arrays in an embedded item.
const maxDepth = 8

// linkSize is the encoded size of a memo.Link, the one tagged item allowed.
const linkSize = 41

// appendHead appends the head of an item: its type and, in the shortest form,
// its number or length.
func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n <= math.MaxUint8:
		return append(b, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}

func appendUint(b []byte, n uint64) []byte { return appendHead(b, majorUint, n) }

func appendArray(b []byte, n int) []byte { return appendHead(b, majorArray, uint64(n)) }

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}

// reader takes canonical items off the front of b. After the first mistake err
// is set and every further read returns zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", memo.ErrMalformed, fmt.Sprintf(format, args...))
		r.b = nil
	}
}

// peek returns the first byte of the next item; 0xff, which begins none, at the end.
func (r *reader) peek() byte {
	if len(r.b) == 0 {
		return 0xff
	}
	return r.b[0]
}

// take removes n bytes.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("ends %d bytes too early", n-uint64(len(r.b)))
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// head reads the head of an item of the given type.
func (r *reader) head(major byte, what string) uint64 {
	first := r.peek()
	if r.err != nil || first&majorMask != major || first&0x1f > 27 {
		r.fail("expected %s", what)
		return 0
	}
	r.b = r.b[1:]
	n := uint64(first & 0x1f)
	if n < 24 {
		return n
	}
	size := uint64(1) << (n - 24)
	arg := r.take(size)
	if r.err != nil {
		return 0
	}
	var wide [8]byte
	copy(wide[8-size:], arg)
	n = binary.BigEndian.Uint64(wide[:])
	if n < 24 || size > 1 && n>>(size*4) == 0 {
		r.err = fmt.Errorf("%w: a number or length not in its shortest form", memo.ErrNotCanonical)
		r.b = nil
		return 0
	}
	return n
}

func (r *reader) uint() uint64 { return r.head(majorUint, "an unsigned integer") }

// array reads the head of an array of at most limit items. Every item takes at
// least a byte, so the result is also bounded by the bytes there are.
func (r *reader) array(limit int) int {
	n := r.head(majorArray, "an array")
	if n > uint64(len(r.b)) || n > uint64(limit) {
		r.fail("an array of %d items, at most %d fit here", n, min(limit, len(r.b)))
		return 0
	}
	return int(n)
}

// arrayOf reads the head of an array of exactly n items.
func (r *reader) arrayOf(n int, what string) {
	if got := r.array(math.MaxInt32); got != n && r.err == nil {
		r.fail("%s has %d parts, not %d", what, n, got)
	}
}

// bytes reads a byte string of at most limit bytes; it shares memory with b.
func (r *reader) bytes(limit int) []byte {
	n := r.head(majorBytes, "a byte string")
	if n > uint64(limit) {
		r.fail("a byte string of %d bytes, the limit is %d", n, limit)
	}
	return r.take(n)
}

// digest reads a byte string of 32 bytes.
func (r *reader) digest() (d [32]byte) {
	if n := copy(d[:], r.bytes(len(d))); n != len(d) {
		r.fail("a byte string of %d bytes, not %d", n, len(d))
		return [32]byte{}
	}
	return d
}

// item reads one item of any allowed kind and returns its bytes, which share
// memory with b.
func (r *reader) item() []byte {
	start := r.b
	r.skip(0)
	if r.err != nil {
		return nil
	}
	n := len(start) - len(r.b)
	return start[:n:n]
}

func (r *reader) skip(depth int) {
	switch first := r.peek(); first & 0xe0 {
	case majorUint:
		r.uint()
	case majorNeg:
		if r.head(majorNeg, "an integer") > math.MaxInt64 {
			r.fail("an integer below the smallest int64")
		}
	case majorBytes:
		r.bytes(len(r.b))
	case majorText:
		if s := r.take(r.head(majorText, "a text")); !utf8.Valid(s) {
			r.fail("a text that is not UTF-8")
		}
	case majorArray:
		if depth == maxDepth {
			r.fail("arrays nested deeper than %d", maxDepth)
			return
		}
		for range r.array(len(r.b)) {
			r.skip(depth + 1)
		}
	case majorTag:
		var l memo.Link
		if err := l.UnmarshalCBOR(r.take(linkSize)); err != nil {
			r.fail("a tag that is not a link")
		}
	default:
		r.skipOther(first)
	}
}

func (r *reader) skipOther(first byte) {
	switch first {
	case itemFalse, itemTrue, itemNull:
		r.take(1)
	case itemFloat:
		if raw := r.take(9); raw != nil {
			if f := math.Float64frombits(binary.BigEndian.Uint64(raw[1:])); math.IsNaN(f) || math.IsInf(f, 0) {
				r.fail("a float that is not finite")
			}
		}
	default:
		r.fail("an item of a kind the format does not have")
	}
}

// null takes a null if it is next.
func (r *reader) null() bool {
	if r.peek() != itemNull {
		return false
	}
	r.take(1)
	return true
}

// end returns the first mistake, trailing bytes included.
func (r *reader) end() error {
	if len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	return r.err
}
