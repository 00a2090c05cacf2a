package memo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// version is the first element of every encoded memo and run.
const version = 1

const (
	maxNesting  = 16      // the deepest body, an edit, nests 8 arrays
	maxElements = 1 << 17 // elements of one array, checked before allocation
)

// ErrNotCanonical reports bytes that decode but are not the one canonical
// DAG-CBOR encoding of what they decode to.
var ErrNotCanonical = errors.New("not canonical dag-cbor")

// ErrMalformed reports bytes that are not what they claim to be.
var ErrMalformed = errors.New("malformed")

// Raw is one encoded CBOR item.
type Raw = cbor.RawMessage

// Bytes is a CBOR byte string held in a Go string, so that keys stay
// comparable and immutable.
type Bytes = cbor.ByteString

var (
	encMode = mustEnc()
	decMode = mustDec()
)

// mustEnc builds the encoder of canonical DAG-CBOR restricted to arrays:
// definite lengths, shortest integers, finite 64-bit floats (ipld.io/specs/codecs/dag-cbor).
func mustEnc() cbor.EncMode {
	m, err := cbor.EncOptions{
		ShortestFloat: cbor.ShortestFloatNone,
		NaNConvert:    cbor.NaNConvertReject,
		InfConvert:    cbor.InfConvertReject,
		BigIntConvert: cbor.BigIntConvertReject,
		IndefLength:   cbor.IndefLengthForbidden,
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode()
	if err != nil {
		panic(err)
	}
	return m
}

func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  maxNesting,
		MaxArrayElements: maxElements,
		MaxMapPairs:      16, // the smallest the library takes; maps are refused by type
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}

// Marshal returns the canonical encoding of v: structs tagged `cbor:",toarray"`,
// slices, integers, strings, Bytes, Link and Value.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal decodes data into v strictly: what v encodes back to must be data,
// byte for byte. On an error v may be half filled; decode into a fresh value.
func Unmarshal(data []byte, v any) error {
	if err := decMode.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, data) {
		return ErrNotCanonical
	}
	return nil
}

// Link is a memo or block referred to by its CID: CBOR tag 42 around the
// binary CIDv1 behind a zero byte, as DAG-CBOR prescribes.
type Link ID

// linkTag is the CBOR tag of a link.
const linkTag = 42

// linkPrefix is everything of an encoded Link before the digest: tag 42, a byte
// string of 37 bytes, the multibase identity byte, CIDv1, dag-cbor, sha2-256/32.
var linkPrefix = []byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20}

// MarshalCBOR implements cbor.Marshaler.
func (l Link) MarshalCBOR() ([]byte, error) {
	return append(bytes.Clone(linkPrefix), l[:]...), nil
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (l *Link) UnmarshalCBOR(data []byte) error {
	digest, ok := bytes.CutPrefix(data, linkPrefix)
	if !ok || len(digest) != len(l) {
		return fmt.Errorf("%w: not a link to dag-cbor by sha2-256", ErrMalformed)
	}
	copy(l[:], digest)
	return nil
}

// linkTo returns id as an optional link: nil, encoded as null, when zero.
func linkTo(id ID) *Link {
	if id.IsZero() {
		return nil
	}
	l := Link(id)
	return &l
}

// id is the inverse of linkTo.
func (l *Link) id() ID {
	if l == nil {
		return ID{}
	}
	return ID(*l)
}
