package node

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	causal "lightcone/context"
	"lightcone/memo"
)

var (
	// ErrBadCursor reports a cursor that says nothing here.
	ErrBadCursor = errors.New("cursor cannot be used; start again with `start` or `now`: " +
		"a feed's or history's cursor is good on the node and space that gave it, a scan's for the same scan")
	// ErrGap reports a cursor below what is left of the log. This version prunes
	// nothing and so never returns it.
	ErrGap = errors.New("changes after the cursor are no longer in the log; scan the rows, then watch from now")
)

// maxCursor bounds the text of a cursor: a row's key, or the heads of a context.
const maxCursor = 2 << 10

// The first item of a cursor's CBOR says what it is and in which version.
const (
	feedCursorV1    = 1
	scanCursorV1    = 2
	historyCursorV1 = 3
)

// Cursor is a place in a node's change feed: behind one change and before the
// next. The zero Cursor is the beginning of the space. A cursor belongs to the
// log of the node that gave it; to go on elsewhere, see Token.
type Cursor struct {
	space, node [8]byte
	lsn         uint64 // of a record of the log; 0: before the first
	index       uint64 // steps of that record that are behind the cursor
	sum         uint32 // of that record's bytes: a log that lost it has another
	heads       []causal.TokenHead
}

// wireCursor is [1, space₈, node₈, lsn, index, sum, heads].
type wireCursor struct {
	_           struct{} `cbor:",toarray"`
	V           uint64
	Space, Node [8]byte
	LSN, Index  uint64
	Sum         uint32
	Heads       []causal.TokenHead
}

// IsZero reports whether c is the beginning.
func (c Cursor) IsZero() bool { return c.lsn == 0 }

// Token returns the context of everything before the cursor. A consumer that
// moves to another node takes it into a session there, asks that node for Now,
// scans the rows, which then show at least what the consumer has seen, and
// watches from there. It is zero at the beginning of a space, and where more
// than causal.MaxTokenHeads memos are needed to name what is before.
func (c Cursor) Token() causal.Token {
	return causal.Token{Space: c.space, Origin: c.node, Heads: c.heads}
}

// String returns the cursor as one word; "" for the zero Cursor.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	return encodeCursor(wireCursor{
		V: feedCursorV1, Space: c.space, Node: c.node, LSN: c.lsn, Index: c.index, Sum: c.sum, Heads: c.heads,
	})
}

// ParseCursor reads what Cursor.String wrote, strictly; "" is the zero Cursor.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	var w wireCursor
	if err := decodeCursor(s, feedCursorV1, &w); err != nil {
		return Cursor{}, err
	}
	if w.LSN == 0 || len(w.Heads) > causal.MaxTokenHeads || !slices.IsSortedFunc(w.Heads, byAuthorPrefix) {
		return Cursor{}, fmt.Errorf("%w (its parts do not fit together)", ErrBadCursor)
	}
	return Cursor{space: w.Space, node: w.Node, lsn: w.LSN, index: w.Index, sum: w.Sum, heads: w.Heads}, nil
}

// encodeCursor writes a cursor of either sort as base64url without padding.
func encodeCursor(w any) string {
	b, err := memo.Marshal(w)
	if err != nil {
		panic(err) // numbers and bytes always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// decodeCursor reads a cursor whose first item must be kind into w. A text has
// one spelling only.
func decodeCursor(s string, kind uint64, w any) error {
	if len(s) > maxCursor {
		return fmt.Errorf("%w (%d characters, the limit is %d)", ErrBadCursor, len(s), maxCursor)
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s {
		return fmt.Errorf("%w (it is not a cursor's text)", ErrBadCursor)
	}
	var items []memo.Raw
	var got uint64
	if err := memo.Unmarshal(b, &items); err != nil || len(items) == 0 || memo.Unmarshal(items[0], &got) != nil {
		return fmt.Errorf("%w (it is not a cursor's text)", ErrBadCursor)
	}
	if got != kind {
		return fmt.Errorf("%w (it is of kind %d, and %d is asked for)", ErrBadCursor, got, kind)
	}
	if err := memo.Unmarshal(b, w); err != nil {
		return fmt.Errorf("%w (%w)", ErrBadCursor, err)
	}
	return nil
}
