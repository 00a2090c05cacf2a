package merge

import (
	"fmt"
	"strings"
)

// nest is a nested row that a walk brings. A nil nest stands for the state tree
// itself, whose values are rows, not pieces.
type nest struct {
	key string // the row's
	nestHead
	base   *basis // the tree of the row in the base, if it is nested there
	looked bool   // for that
}

// row checks a value and returns the block, or the root of the nested row, that it
// stands for; the zero want if it stands for itself.
func (in *nest) row(it *Item) (want, error) {
	ref, err := rowRefOf(it.Value)
	switch {
	case err != nil:
		return want{}, err
	case !ref.block.IsZero():
		return want{id: ref.block, place: Place{First: it.Key}, row: true, in: in}, nil
	case ref.nested.root.IsZero():
		return want{}, in.check(it.Key, ref.state, false)
	case in != nil:
		return want{}, errNestedTwice
	}
	return want{id: ref.nested.root, in: &nest{key: it.Key, nestHead: ref.nested}}, nil
}

// check checks the bytes of a row state or, within a nested row, of a piece, which
// are a block or not.
func (in *nest) check(key string, state []byte, block bool) error {
	if err := checkBlock(state); block && err != nil {
		return err
	}
	if in == nil {
		_, err := decodeWhole(state)
		return err
	}
	p, err := decodePiece(key, state)
	if err == nil {
		err = p.encodesTo(state)
	}
	if err != nil {
		return fmt.Errorf("piece %x: %w", key, err)
	}
	return nil
}

// nestRoot tells whether a nested row's root node is wanted.
func (at *want) nestRoot() bool { return at.in != nil && !at.row && at.place == (Place{}) }

// before orders wants by row, those of one nested row by piece.
func (at *want) before(o *want) bool {
	if at.in != nil && o.in != nil && at.in.key == o.in.key {
		return at.place.First < o.place.First
	}
	return strings.Compare(at.outer(), o.outer()) < 0
}

// outer returns the first key of the state tree that the want is about.
func (at *want) outer() string {
	if at.in != nil {
		return at.in.key
	}
	return at.place.First
}

// hasPiece is has for what is in a nested row.
func (b *basis) hasPiece(at want) (bool, error) {
	if in := at.in; !in.looked {
		n, ok, err := b.find(0, in.key)
		if err != nil {
			return false, err
		}
		in.looked = true
		if ok {
			in.base, err = b.nested(n, in.key)
		}
		if err != nil {
			return false, err
		}
	}
	switch {
	case at.in.base == nil:
		return false, nil
	case at.nestRoot():
		return at.id == at.in.base.root, nil
	}
	at.in, b = nil, at.in.base
	return b.has(at)
}

// nested returns the tree of the row in a leaf, nil if the row is not nested there.
func (b *basis) nested(leaf *placed, key string) (*basis, error) {
	i, found := leaf.find(key)
	if !found {
		return nil, nil
	}
	ref, err := rowRefOf(leaf.Items[i].Value)
	if err != nil || ref.nested.root.IsZero() {
		return nil, err
	}
	return &basis{loader: b.loader, root: ref.nested.root}, nil
}
