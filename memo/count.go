package memo

import (
	"bytes"
	"fmt"
	"math"
)

// MaxCount bounds what counts: the number k of an operation, and an author's
// sums of increments and of decrements. It is the largest int64, so that every
// reader of CBOR can hold one.
const MaxCount = math.MaxInt64

// Count is the operation on a Counter: what its author has added and taken away
// in all, this memo included. K numbers the author's operations on the cell from
// 1 since Base. Sums instead of steps make a memo that arrives twice harmless.
type Count struct {
	Base        Base
	K           uint64
	Plus, Minus uint64
}

// Base is the row tombstone that a count started after: one that its author had
// seen, or the memo's Own. The zero Base is none.
type Base struct {
	Own    bool
	Time   Time
	Author Author
	ID     ID
}

// ownBase is the wire form of Base{Own: true}.
const ownBase = 1

type wireBase struct {
	_      struct{} `cbor:",toarray"`
	Time   Time
	Author Author
	ID     ID
}

// IsZero reports whether there is no base.
func (b Base) IsZero() bool { return b == Base{} }

// items leaves out sums of zero at the end.
func (c *Count) items(CellType) []any {
	items := []any{any(nil), c.K, c.Plus, c.Minus}
	switch {
	case c.Base.Own:
		items[0] = uint64(ownBase)
	case !c.Base.IsZero():
		items[0] = wireBase{Time: c.Base.Time, Author: c.Base.Author, ID: c.Base.ID}
	}
	switch {
	case c.Minus > 0:
		return items
	case c.Plus > 0:
		return items[:3]
	default:
		return items[:2]
	}
}

func decodeCount(items []Raw) (Operands, error) {
	if len(items) < 2 || len(items) > 4 {
		return nil, fmt.Errorf("%w: a counter's operation is [base, k, plus, minus]", ErrMalformed)
	}
	c := new(Count)
	switch {
	case bytes.Equal(items[0], []byte{0xf6}): // null
	case bytes.Equal(items[0], []byte{ownBase}):
		c.Base.Own = true
	default:
		var w wireBase
		if err := decMode.Unmarshal(items[0], &w); err != nil {
			return nil, err
		}
		c.Base = Base{Time: w.Time, Author: w.Author, ID: w.ID}
	}
	for i, n := range []*uint64{&c.K, &c.Plus, &c.Minus}[:len(items)-1] {
		if err := decMode.Unmarshal(items[1+i], n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Count) check(t CellType, clears bool) error {
	switch {
	case t != Counter:
		return errOperands("a count", t)
	case c.K == 0 || c.K > MaxCount:
		return fmt.Errorf("%w: operation %d on a counter; they are numbered from 1 to %d", ErrInvalid, c.K, uint64(MaxCount))
	case c.Plus > MaxCount || c.Minus > MaxCount:
		return fmt.Errorf("%w: a counter's sum above %d", ErrTooLarge, uint64(MaxCount))
	case c.Base.Own != clears:
		return fmt.Errorf("%w: a counter starts anew in just those memos that clear its row", ErrInvalid)
	case c.Base.Own && c.Base != Base{Own: true}:
		return fmt.Errorf("%w: a counter with two bases", ErrInvalid)
	case !c.Base.Own && !c.Base.IsZero() && c.Base.ID.IsZero():
		return fmt.Errorf("%w: a counter's base that is no memo", ErrInvalid)
	}
	return nil
}

func (c *Count) checkAuthor(_ Author, time Time) error {
	if !c.Base.IsZero() && !c.Base.Own && c.Base.Time >= time {
		return fmt.Errorf("%w: a counter's base of time %d in a memo of time %d, whose author had seen it", ErrInvalid, c.Base.Time, time)
	}
	return nil
}
