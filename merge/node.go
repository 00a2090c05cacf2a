package merge

import (
	"errors"
	"fmt"
	"math/bits"

	"lightcone/memo"
)

// InlineMax bounds the bytes of a value in a leaf. What is longer becomes a
// block of its own and the leaf holds its digest.
const InlineMax = 96

// ErrNode reports a block that is no node of the tree it was reached in.
var ErrNode = errors.New("not a node of this tree")

// Node is one block of a search tree.
type Node struct {
	Level int // 0 is a leaf
	Items []Item
}

// Item is one item of a node: a leaf's is an entry, an inner node's describes
// a child.
type Item struct {
	Key   string // of a child: its first key
	Value []byte // leaf only: one canonical CBOR item of at most InlineMax bytes

	Child memo.ID // inner only
	Count uint64  // inner only: entries in the leaves below the child
	Dom   int     // inner only: the domain in which the child was short enough, 1 … D+1
}

// Count returns the number of entries in the leaves below n.
func (n Node) Count() uint64 {
	if n.Level == 0 {
		return uint64(len(n.Items))
	}
	var sum uint64
	for i := range n.Items {
		sum += n.Items[i].Count
	}
	return sum
}

// Place is what is known of a node before it is read: what its parent's item
// says. The zero Place is the root's.
type Place struct {
	Level int
	Dom   int    // 0 for a root only
	Count uint64 // entries below
	First string // first key
	Limit string // every key is smaller; "" is no bound
}

// Below returns the place of the i-th child of n, which is at p.
func (p Place) Below(n Node, i int) Place {
	it := &n.Items[i]
	below := Place{Level: n.Level - 1, Dom: it.Dom, Count: it.Count, First: it.Key, Limit: p.Limit}
	if i+1 < len(n.Items) {
		below.Limit = n.Items[i+1].Key
	}
	return below
}

// check tells whether n, whose items are strictly ascending, can be the node at
// place, but for its cuts.
func (n Node) check(p Params, place Place) error {
	size := len(n.Items)
	switch root := place.Dom == 0; {
	case root && n.Level > 0 && size < 2:
		return fmt.Errorf("%w: an inner root with %d items", ErrNode, size)
	case !root && size < p.W:
		return fmt.Errorf("%w: %d items, at least %d", ErrNode, size, p.W)
	case !root && n.Level != place.Level:
		return fmt.Errorf("%w: at level %d, its parent says %d", ErrNode, n.Level, place.Level)
	case !root && n.Items[0].Key != place.First:
		return fmt.Errorf("%w: begins with key %q, its parent says %q", ErrNode, n.Items[0].Key, place.First)
	case !root && place.Limit != "" && n.Items[size-1].Key >= place.Limit:
		return fmt.Errorf("%w: key %q belongs into the next node", ErrNode, n.Items[size-1].Key)
	}
	if err := n.checkCounts(p); err != nil {
		return err
	}
	if place.Dom != 0 && n.Count() != place.Count {
		return fmt.Errorf("%w: %d entries below, its parent says %d", ErrNode, n.Count(), place.Count)
	}
	return nil
}

// checkCounts tells whether what an inner node says of its children is possible
// at all: a node of level l other than a root has at least w^(l+1) entries below.
func (n Node) checkCounts(p Params) error {
	if n.Level == 0 {
		return nil
	}
	least := uint64(1)
	for range n.Level {
		hi, lo := bits.Mul64(least, uint64(p.W))
		if hi != 0 {
			return fmt.Errorf("%w: a tree of %d levels", ErrNode, n.Level+1)
		}
		least = lo
	}
	var sum uint64
	for i := range n.Items {
		it := &n.Items[i]
		if it.Count < least || sum+it.Count < sum {
			return fmt.Errorf("%w: child %d counts %d entries", ErrNode, i, it.Count)
		}
		if it.Dom < 1 || it.Dom > p.D+1 {
			return fmt.Errorf("%w: child %d in domain %d, need 1 … %d", ErrNode, i, it.Dom, p.D+1)
		}
		sum += it.Count
	}
	return nil
}

// checkCuts tells whether a natural cut was missed. A node of domain d came
// whole through the domains below d, so in none of them may an item be the
// greatest of a window that lies within the node: such a window lay within the
// run as well. For a root, which is a whole run of domain 0, this is exact.
//
// It returns the priorities of domain 0, if it needed them.
func (n Node) checkCuts(p Params, of *priorities, place Place) ([]priority, error) {
	if len(n.Items) <= 2*p.W {
		return nil, nil // no window fits
	}
	prios := make([]priority, len(n.Items))
	for dom := range max(place.Dom, 1) {
		found := peaks{w: p.W}
		for i := range n.Items {
			prio := of.of(n.Level, dom, n.Items[i].Key)
			if dom == 0 {
				prios[i] = prio
			}
			if cut, ok := found.push(prio); ok {
				return nil, fmt.Errorf("%w: a natural cut missed at key %q", ErrNode, n.Items[cut].Key)
			}
		}
	}
	return prios, nil
}
