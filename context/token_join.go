package causal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// ErrTwoRoots reports tokens of different roots, which cannot be one token without
// the trees below them.
var ErrTwoRoots = errors.New("two tokens name different roots; take both into one session of a node that holds them")

// JoinTokens returns the token of both: whoever covers it covers a and b. Of one
// author, known here by a prefix, the later memo stands for the earlier ones. Two
// different memos at one place of a chain both stay, since a token must never
// un-know: no peer covers both, and reading under them says that the author
// forked. Origin is that of the operand that names everything, or else a's.
// Errors are ErrOtherSpace and ErrTooManyHeads.
func JoinTokens(a, b Token) (Token, error) {
	switch {
	case a.IsZero():
		return b, nil
	case b.IsZero():
		return a, nil
	case a.Space != b.Space:
		return Token{}, fmt.Errorf("%w: %x… and %x…", ErrOtherSpace, a.Space, b.Space)
	case !a.Root.IsZero() && !b.Root.IsZero() && a.Root != b.Root:
		return Token{}, fmt.Errorf("%w: %s and %s", ErrTwoRoots, a.Root, b.Root)
	}
	out := Token{Space: a.Space, Origin: a.Origin, Root: a.Root, Heads: latest(slices.Concat(a.Heads, b.Heads))}
	switch {
	case !a.Root.IsZero(): // its issuer holds the root
	case !b.Root.IsZero():
		out.Root, out.Origin = b.Root, b.Origin
	case slices.Equal(out.Heads, latest(b.Heads)) && !slices.Equal(out.Heads, latest(a.Heads)):
		out.Origin = b.Origin
	}
	if len(out.Heads) > MaxTokenHeads {
		return Token{}, fmt.Errorf("%w: %d in a token, the limit is %d", ErrTooManyHeads, len(out.Heads), MaxTokenHeads)
	}
	out.reading = slices.CompactFunc(slices.SortedFunc(slices.Values(slices.Concat(a.reading, b.reading)), compareRaw), equalRaw)
	if len(out.reading) > maxReading {
		return Token{}, fmt.Errorf("%w: %d parts being read, the limit is %d", ErrTooManyHeads, len(out.reading), maxReading)
	}
	return out, nil
}

// Beyond returns the heads of t, not its root, that o does not name, neither themselves nor by a
// later memo of the same author; nil when o asks for all that t asks for. Both
// are of one space, else the error is ErrOtherSpace.
func (t Token) Beyond(o Token) ([]TokenHead, error) {
	if !t.IsZero() && !o.IsZero() && t.Space != o.Space {
		return nil, fmt.Errorf("%w: %x… and %x…", ErrOtherSpace, t.Space, o.Space)
	}
	var out []TokenHead
	for _, h := range t.Heads {
		named := slices.ContainsFunc(o.Heads, func(n TokenHead) bool {
			return n == h || n.Author == h.Author && n.Seq > h.Seq
		})
		if !named {
			out = append(out, h)
		}
	}
	return out, nil
}

// latest sorts heads and keeps those of the greatest seq of each author.
func latest(heads []TokenHead) []TokenHead {
	heads = slices.Clone(heads)
	slices.SortFunc(heads, func(a, b TokenHead) int {
		return cmp.Or(byPrefix(a, b), -cmp.Compare(a.Seq, b.Seq), bytes.Compare(a.Digest[:], b.Digest[:]))
	})
	out := heads[:0]
	for _, h := range heads {
		if n := len(out); n > 0 && out[n-1].Author == h.Author && (out[n-1].Seq > h.Seq || out[n-1] == h) {
			continue
		}
		out = append(out, h)
	}
	return out
}

func compareRaw(a, b memo.Raw) int { return bytes.Compare(a, b) }

func equalRaw(a, b memo.Raw) bool { return bytes.Equal(a, b) }
