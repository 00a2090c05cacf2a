package node

import (
	"fmt"

	"lightcone/memo"
)

// ScanCursor is a place in the order of rows: at a row, whether it still exists
// or not. It holds on every node and for as long as anybody keeps it. The zero
// ScanCursor is the beginning of a scan.
type ScanCursor struct{ Topic, Key string }

// wireScanCursor is [2, topic, key].
type wireScanCursor struct {
	_     struct{} `cbor:",toarray"`
	V     uint64
	Topic string
	Key   memo.Bytes
}

// Cursor returns the place of a row: a scan with it as Query.After goes on with
// the next.
func (r Row) Cursor() ScanCursor { return ScanCursor{Topic: r.Topic, Key: r.Key} }

// IsZero reports whether c is the beginning.
func (c ScanCursor) IsZero() bool { return c == ScanCursor{} }

// String returns the cursor as one word; "" for the zero ScanCursor.
func (c ScanCursor) String() string {
	if c.IsZero() {
		return ""
	}
	return encodeCursor(wireScanCursor{V: scanCursorV1, Topic: c.Topic, Key: memo.Bytes(c.Key)})
}

// ParseScanCursor reads what ScanCursor.String wrote, strictly; "" is the zero
// ScanCursor.
func ParseScanCursor(s string) (ScanCursor, error) {
	if s == "" {
		return ScanCursor{}, nil
	}
	var w wireScanCursor
	if err := decodeCursor(s, scanCursorV1, &w); err != nil {
		return ScanCursor{}, err
	}
	c := ScanCursor{Topic: w.Topic, Key: string(w.Key)}
	if err := checkKey(c.Topic, c.Key); err != nil {
		return ScanCursor{}, fmt.Errorf("%w (%w)", ErrBadCursor, err)
	}
	return c, nil
}
