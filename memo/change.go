package memo

import "fmt"

// Limits of one operation on a Multi or Set. They are part of validity.
const (
	MaxElements = 4096 // elements a set's delta adds
	MaxRemoved  = 4096 // dots a delta removes
)

// Change is the operation on a Multi or Set. It adds atoms, named by dots: pairs
// of author and k, which number what an author ever added to the cell from 1. The
// atoms that Add makes have K, K+1, …; K is 0 when there are none. A multi's
// change adds one value at most, a set's elements are ascending by Value.Compare.
// Remove lists the dots of atoms that the author saw and that go.
type Change struct {
	K      uint64
	Add    []Value
	Remove []Dots // ascending by author
}

// Dots are dots of one author. The zero Author stands for the memo's own.
type Dots struct {
	Author Author
	Ks     []uint64 // strictly ascending
}

// MarshalCBOR implements cbor.Marshaler: [author, k, …].
func (d Dots) MarshalCBOR() ([]byte, error) {
	items := make([]any, 1, 1+len(d.Ks))
	if d.Author != (Author{}) {
		items[0] = d.Author
	}
	for _, k := range d.Ks {
		items = append(items, k)
	}
	return Marshal(items)
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (d *Dots) UnmarshalCBOR(data []byte) error {
	var items []Raw
	if err := decMode.Unmarshal(data, &items); err != nil {
		return err
	}
	if len(items) < 2 {
		return fmt.Errorf("%w: removed dots are an author and at least one k", ErrMalformed)
	}
	got := Dots{Ks: make([]uint64, len(items)-1)}
	if err := decMode.Unmarshal(items[0], &got.Author); err != nil {
		return err
	}
	for i, item := range items[1:] {
		if err := decMode.Unmarshal(item, &got.Ks[i]); err != nil {
			return err
		}
	}
	*d = got
	return nil
}

func (c *Change) items(t CellType) []any {
	items := []any{c.K}
	switch {
	case len(c.Add) > 0 && t == Multi:
		items = append(items, c.Add[0])
	case len(c.Add) > 0:
		items = append(items, c.Add)
	}
	if len(c.Remove) > 0 {
		items = append(items, c.Remove)
	}
	return items
}

func decodeChange(t CellType, items []Raw) (Operands, error) {
	c := new(Change)
	if err := decMode.Unmarshal(items[0], &c.K); err != nil {
		return nil, err
	}
	rest := items[1:]
	if c.K > 0 && len(rest) > 0 {
		var err error
		if t == Multi {
			c.Add = make([]Value, 1)
			err = c.Add[0].UnmarshalCBOR(rest[0])
		} else {
			err = decMode.Unmarshal(rest[0], &c.Add)
		}
		if err != nil {
			return nil, err
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		if err := decMode.Unmarshal(rest[0], &c.Remove); err != nil {
			return nil, err
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: an operation of %d operands on a cell of type %d", ErrMalformed, len(items), t)
	}
	return c, nil
}

func (c *Change) check(t CellType, _ bool) error {
	switch n := uint64(len(c.Add)); {
	case t != Multi && t != Set:
		return errOperands("a change", t)
	case n > MaxElements:
		return fmt.Errorf("%w: %d elements added at once, the limit is %d; split the edit", ErrTooLarge, n, MaxElements)
	case t == Multi && n > 1:
		return fmt.Errorf("%w: a multi takes one value at a time", ErrInvalid)
	case (c.K == 0) != (n == 0):
		return fmt.Errorf("%w: k is %d for %d added atoms; it numbers the first of them", ErrInvalid, c.K, n)
	case c.K > MaxCount-n:
		return fmt.Errorf("%w: k above %d", ErrInvalid, uint64(MaxCount))
	case n == 0 && len(c.Remove) == 0:
		return fmt.Errorf("%w: an operation that neither adds nor removes", ErrInvalid)
	}
	for i := 1; i < len(c.Add); i++ {
		if c.Add[i-1].Compare(c.Add[i]) >= 0 {
			return fmt.Errorf("%w: the elements added to a set are not strictly ascending at %v", ErrInvalid, c.Add[i])
		}
	}
	return c.checkRemove()
}

func (c *Change) checkRemove() error {
	removed := 0
	for i, r := range c.Remove {
		if i > 0 && c.Remove[i-1].Author.Compare(r.Author) >= 0 {
			return fmt.Errorf("%w: removed dots are not strictly ascending by author", ErrInvalid)
		}
		if len(r.Ks) == 0 {
			return fmt.Errorf("%w: an author of removed dots without a dot", ErrInvalid)
		}
		own := r.Author == (Author{})
		for j, k := range r.Ks {
			switch {
			case k == 0 || j > 0 && r.Ks[j-1] >= k:
				return fmt.Errorf("%w: removed dots are not strictly ascending from 1 at %d", ErrInvalid, k)
			case k > MaxCount:
				return fmt.Errorf("%w: removes dot %d, the greatest is %d", ErrInvalid, k, uint64(MaxCount))
			case own && k >= c.K && k < c.K+uint64(len(c.Add)):
				return fmt.Errorf("%w: removes dot %d, which it adds", ErrInvalid, k)
			}
		}
		removed += len(r.Ks)
	}
	if removed > MaxRemoved {
		return fmt.Errorf("%w: %d dots removed at once, the limit is %d; split the edit", ErrTooLarge, removed, MaxRemoved)
	}
	return nil
}

func (c *Change) checkAuthor(author Author, _ Time) error {
	for _, r := range c.Remove {
		if r.Author == author {
			return fmt.Errorf("%w: a removal names the memo's own author; null stands for it", ErrInvalid)
		}
	}
	return nil
}
