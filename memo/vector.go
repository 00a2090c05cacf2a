package memo

import (
	"encoding/binary"
	"iter"

	"github.com/tidwall/btree"
)

// Mark is one author's entry of a Vector: the head of its attached chain, and the
// greatest time of the author's memos up to it. That is the head's own unless the
// author's clock ran backward.
type Mark struct {
	Head
	Time Time
	// Forked says that the cut holds a proof that the author forked its chain. What
	// the cut has of him is then more than a prefix that ends in Head: of all his
	// branches, of which Head is the greatest by (seq, digest).
	Forked bool
}

// Join returns the mark of both chains: the greater head by (seq, digest), the
// greater time; forked if either says so.
func (m Mark) Join(o Mark) Mark {
	t, forked := max(m.Time, o.Time), m.Forked || o.Forked
	if m.before(o) {
		m = o
	}
	m.Time, m.Forked = t, forked
	return m
}

// Vector maps each author to the head of its chain: a causal cut, since chains
// attach as prefixes. The zero Vector is empty. Copies share memory: Clone is
// O(1) and the copies diverge on write; a Vector that nobody writes may be read
// by any number of goroutines.
type Vector struct {
	tree *btree.BTreeG[Mark]
}

func newMarks() *btree.BTreeG[Mark] {
	return btree.NewBTreeGOptions(
		func(a, b Mark) bool { return a.Author.Compare(b.Author) < 0 },
		btree.Options{NoLocks: true},
	)
}

// Len returns the number of authors.
func (v Vector) Len() int {
	if v.tree == nil {
		return 0
	}
	return v.tree.Len()
}

// Get returns the head of author's chain.
func (v Vector) Get(author Author) (Mark, bool) {
	if v.tree == nil {
		return Mark{}, false
	}
	return v.tree.Get(Mark{Head: Head{Author: author}})
}

// Covers reports whether the author's memo seq is in the cut.
func (v Vector) Covers(author Author, seq uint64) bool {
	m, ok := v.Get(author)
	return ok && seq <= m.Seq
}

// Set replaces the author's entry.
func (v *Vector) Set(m Mark) {
	if v.tree == nil {
		v.tree = newMarks()
	}
	v.tree.Set(m)
}

// Add joins the mark into the author's entry, as for a memo that the cut has too.
func (v *Vector) Add(m Mark) {
	if mine, ok := v.Get(m.Author); ok {
		m = mine.Join(m)
	}
	v.Set(m)
}

// Clone returns a copy that changes on its own, in O(1). Like Set it belongs to
// the owner of v.
func (v Vector) Clone() Vector {
	if v.tree == nil {
		return Vector{}
	}
	return Vector{tree: v.tree.Copy()}
}

// Join adds the entries of o: per author the greater head by (seq, digest).
func (v *Vector) Join(o Vector) {
	for m := range o.All() {
		v.Add(m)
	}
}

// CoversAll reports whether every entry of o is in the cut v.
func (v Vector) CoversAll(o Vector) bool {
	for m := range o.All() {
		if !v.Covers(m.Author, m.Seq) {
			return false
		}
	}
	return true
}

// All yields the entries in ascending order of author.
func (v Vector) All() iter.Seq[Mark] {
	return func(yield func(Mark) bool) {
		if v.tree != nil {
			v.tree.Scan(yield)
		}
	}
}

// Hint is the wrapping sum of the first 8 bytes of the heads' digests: equal
// vectors have equal hints, and a change of one entry updates it in O(1).
func (v Vector) Hint() (h uint64) {
	for m := range v.All() {
		h += m.Hint()
	}
	return h
}

// Hint is the mark's summand in Vector.Hint.
func (m Mark) Hint() uint64 { return binary.BigEndian.Uint64(m.ID[:8]) }

func (m Mark) before(o Mark) bool {
	if m.Seq != o.Seq {
		return m.Seq < o.Seq
	}
	return m.ID.Compare(o.ID) < 0
}
