package merge

import (
	"fmt"

	"lightcone/memo"
)

// check tells whether r is a row: whether all holds that the types of its parts
// promise. What joins made of rows needs no check, what was read does.
func (r Row) check() error {
	for i := range r.Cells {
		c := &r.Cells[i]
		err := c.check(r.Tombstone)
		if err == nil && i > 0 && r.Cells[i-1].compareKey(c) >= 0 {
			err = malformed("cells are not strictly ascending")
		}
		if err != nil {
			return fmt.Errorf("field %q: %w", c.Field, err)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", memo.ErrMalformed, fmt.Sprintf(format, args...))
}

func (c *Cell) check(tombstone Stamp) error {
	switch {
	case c.Counter != nil:
		return c.Counter.check(tombstone)
	case c.Atoms != nil:
		return c.Atoms.check(tombstone)
	case c.Register.droppedBy(tombstone):
		return malformed("a register that is older than the row's tombstone")
	}
	return nil
}

func (c *Counter) check(tombstone Stamp) error {
	for i := range c.Tallies {
		switch t := &c.Tallies[i]; {
		case t.K == 0:
			return malformed("a tally of no operation")
		case t.droppedBy(tombstone):
			return malformed("a tally that began before the row's tombstone")
		case t.Base.Time >= t.Stamp.Time && !t.Base.IsZero() && t.Base != t.Stamp.asBase():
			return malformed("a tally that began after its memo")
		case i > 0 && c.Tallies[i-1].Stamp.Author.Compare(t.Stamp.Author) >= 0:
			return malformed("tallies are not strictly ascending by author")
		}
	}
	return nil
}

func (x *Atoms) check(tombstone Stamp) error {
	if len(x.Writers) == 0 || len(x.Seen) == 0 {
		return malformed("nobody wrote it, or nothing was ever in it")
	}
	for i := 1; i < len(x.Writers); i++ {
		if x.Writers[i-1].Author.Compare(x.Writers[i].Author) >= 0 {
			return malformed("writers are not strictly ascending by author")
		}
	}
	for i := 1; i < len(x.Seen); i++ {
		if x.Seen[i-1].Author.Compare(x.Seen[i].Author) >= 0 {
			return malformed("what was seen is not strictly ascending by author")
		}
	}
	for i := range x.Live {
		switch a := &x.Live[i]; {
		case i > 0 && x.Live[i-1].compare(a) >= 0:
			return malformed("atoms are not strictly ascending")
		case !x.Seen.has(a.Stamp.Author, a.K):
			return malformed("an atom whose dot was not seen")
		case x.lastOf(a.Stamp.Author).compareProvenance(a.Stamp) < 0:
			return malformed("an atom of a later memo than its author's last")
		case a.Stamp.Compare(tombstone) < 0:
			return malformed("an atom that is older than the row's tombstone")
		}
	}
	return nil
}
