package causal

import (
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// MaxLoose bounds the loose heads of a context.
const MaxLoose = 256

// ErrOtherSpace reports contexts of two spaces that were to be joined.
var ErrOtherSpace = errors.New("contexts belong to different spaces")

// ErrTooManyHeads reports a context above MaxLoose heads, or a token above
// MaxTokenHeads; folding them into a root arrives with a later version.
var ErrTooManyHeads = errors.New("too many loose heads")

// Context is a causal cut of a space: everything below Root and, recursively,
// everything the Loose heads link to. At most one head per author, ascending by
// author. It is a value: methods return new ones.
type Context struct {
	Space memo.SpaceID
	Root  memo.ID // zero: nothing is folded
	Loose []memo.Head
}

// With returns the context that also holds the memo of h and its past.
func (qc Context) With(h memo.Head) Context {
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

// Join returns the context of both: the union of the two pasts.
func Join(a, b Context) (Context, error) {
	if a.Space != b.Space {
		return Context{}, fmt.Errorf("%w: %s and %s", ErrOtherSpace, a.Space, b.Space)
	}
	for _, h := range b.Loose {
		a = a.With(h)
	}
	if len(a.Loose) > MaxLoose {
		return Context{}, fmt.Errorf("%w: %d, the limit is %d", ErrTooManyHeads, len(a.Loose), MaxLoose)
	}
	return a, nil
}

// Covers reports whether the context holds the memo of h by what its own heads
// say; memos of other authors below the heads are not looked up.
func (qc Context) Covers(h memo.Head) bool {
	i, found := slices.BinarySearchFunc(qc.Loose, h, byAuthor)
	return found && qc.Loose[i].Seq >= h.Seq
}

// Missing returns the heads that the cut does not cover, nil when it covers the
// context.
func (qc Context) Missing(c Cut) []memo.Head {
	var out []memo.Head
	for _, h := range qc.Loose {
		if !c.Covers(h) {
			out = append(out, h)
		}
	}
	return out
}

func byAuthor(a, b memo.Head) int { return a.Author.Compare(b.Author) }

// ahead reports whether a wins over b of the same author: greater (seq, digest).
func ahead(a, b memo.Head) bool {
	if a.Seq != b.Seq {
		return a.Seq > b.Seq
	}
	return a.ID.Compare(b.ID) > 0
}
