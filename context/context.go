package causal

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"lightcone/memo"
)

// MaxLoose bounds the loose heads of a context.
const MaxLoose = 256

// ErrOtherSpace reports contexts of two spaces that were to be joined.
var ErrOtherSpace = errors.New("contexts belong to different spaces")

// ErrTooManyHeads reports a context above MaxLoose heads, or a token above
// MaxTokenHeads. Trees.Join and Context.Fold put heads into a root.
var ErrTooManyHeads = errors.New("too many loose heads")

// Context is a causal cut of a space: everything below Root and, recursively,
// everything the Loose heads link to. It is a value: methods return new ones, and
// those share memory, so nobody changes what a Context holds.
type Context struct {
	Space memo.SpaceID
	Root  memo.ID // digest of an encoded merge.Root; zero: nothing is folded
	// Below is what Root covers, empty without one: closed under causes. Goroutines
	// may share it, so it is neither to be changed nor to be cloned.
	Below memo.Vector
	// Loose are the heads beyond Root: at most one an author, ascending by author,
	// each ahead of the author's entry of Below, if it has one. What they link to down
	// to Below is the tail of the context.
	Loose []memo.Head
}

// With returns the context that also holds the memo of h and its past.
func (qc Context) With(h memo.Head) Context {
	if m, ok := qc.Below.Get(h.Author); ok && !ahead(h, m.Head) {
		return qc
	}
	out := qc
	i, found := slices.BinarySearchFunc(qc.Loose, h, byAuthor)
	switch {
	case !found:
		out.Loose = slices.Insert(slices.Clone(qc.Loose), i, h)
	case ahead(h, qc.Loose[i]):
		out.Loose = slices.Clone(qc.Loose)
		out.Loose[i] = h
	}
	return out
}

// Over returns the context that also holds all that root covers, which is below:
// the heads that root covers are loose no more. It takes the place of qc's own
// root, whose uncovered heads become loose.
func (qc Context) Over(root memo.ID, below memo.Vector) Context {
	if qc.Root == root {
		return qc
	}
	out := Context{Space: qc.Space, Root: root, Below: below}
	out.Loose = slices.Collect(func(yield func(memo.Head) bool) {
		for h := range newest(qc.Below, qc.Loose) {
			if m, ok := below.Get(h.Author); (!ok || ahead(h, m.Head)) && !yield(h) {
				return
			}
		}
	})
	return out
}

// Join returns the context of both: the union of the two pasts. Of two roots it
// keeps the one that covers more memos, and what only the other covers becomes
// loose. Above MaxLoose heads the error is ErrTooManyHeads; Trees.Join goes on from
// there.
func Join(a, b Context) (Context, error) {
	if a.Space != b.Space {
		return Context{}, fmt.Errorf("%w: %s and %s", ErrOtherSpace, a.Space, b.Space)
	}
	out := a.Take(b)
	if len(out.Loose) > MaxLoose {
		return Context{}, fmt.Errorf("%w: %d, the limit is %d", ErrTooManyHeads, len(out.Loose), MaxLoose)
	}
	return out, nil
}

// Take is Join without its bound, of contexts of one space: for who folds the
// result or counts its heads himself.
func (qc Context) Take(o Context) Context {
	if qc.compareRoots(o) < 0 {
		qc, o = o, qc
	}
	o = o.Over(qc.Root, qc.Below)
	qc.Loose = slices.Collect(newest(vectorOf(qc.Loose), o.Loose))
	return qc
}

// compareRoots puts the root that covers more memos behind the other. The order is
// total, so that joins may come in any order.
func (qc Context) compareRoots(o Context) int {
	if qc.Root == o.Root {
		return 0
	}
	return cmp.Or(cmp.Compare(memos(qc.Below), memos(o.Below)), qc.Root.Compare(o.Root))
}

// memos counts the memos of a cut, 2⁶⁴−1 if they are more.
func memos(v memo.Vector) (n uint64) {
	for m := range v.All() {
		if n+m.Seq < n {
			return 1<<64 - 1
		}
		n += m.Seq
	}
	return n
}

// Covers reports whether the context holds the memo of h by what its root covers
// and its own heads say; memos of other authors below the loose heads are not
// looked up.
func (qc Context) Covers(h memo.Head) bool {
	if qc.Below.Covers(h.Author, h.Seq) {
		return true
	}
	i, found := slices.BinarySearchFunc(qc.Loose, h, byAuthor)
	return found && qc.Loose[i].Seq >= h.Seq
}

// Heads yields one head an author, ascending: the loose one, or else the last that
// the root covers. All the context is in their past.
func (qc Context) Heads() iter.Seq[memo.Head] { return newest(qc.Below, qc.Loose) }

// Missing returns those of Heads that the cut does not cover, nil when it covers
// the context: what a memo has to name for all of the context to be in its past,
// if the cut is what is there already.
func (qc Context) Missing(c Cut) []memo.Head {
	var out []memo.Head
	for h := range qc.Heads() {
		if !c.Covers(h) {
			out = append(out, h)
		}
	}
	return out
}

// IsEmpty reports whether the context holds no memo.
func (qc Context) IsEmpty() bool { return qc.Below.Len() == 0 && len(qc.Loose) == 0 }

// Equal reports whether both are the same root and the same loose heads. Contexts
// that are not equal may hold the same memos, folded differently.
func (qc Context) Equal(o Context) bool {
	return qc.Space == o.Space && qc.Root == o.Root && slices.Equal(qc.Loose, o.Loose) &&
		slices.Equal(slices.Collect(qc.Below.All()), slices.Collect(o.Below.All()))
}

// newest yields, ascending by author, the heads of both, of each author the one
// that is ahead. Those of loose are ascending by author.
func newest(v memo.Vector, loose []memo.Head) iter.Seq[memo.Head] {
	return func(yield func(memo.Head) bool) {
		rest := loose
		for m := range v.All() {
			for len(rest) > 0 && byAuthor(rest[0], m.Head) < 0 {
				if !yield(rest[0]) {
					return
				}
				rest = rest[1:]
			}
			h := m.Head
			if len(rest) > 0 && rest[0].Author == h.Author {
				if ahead(rest[0], h) {
					h = rest[0]
				}
				rest = rest[1:]
			}
			if !yield(h) {
				return
			}
		}
		for _, h := range rest {
			if !yield(h) {
				return
			}
		}
	}
}

// vectorOf returns the heads as a vector, for its order; it knows no times.
func vectorOf(heads []memo.Head) (v memo.Vector) {
	for _, h := range heads {
		v.Set(memo.Mark{Head: h})
	}
	return v
}

func byAuthor(a, b memo.Head) int { return a.Author.Compare(b.Author) }

// ahead reports whether a wins over b of the same author: greater (seq, digest).
func ahead(a, b memo.Head) bool {
	if a.Seq != b.Seq {
		return a.Seq > b.Seq
	}
	return a.ID.Compare(b.ID) > 0
}
