package causal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"lightcone/memo"
)

// Limits of a token.
const (
	MaxTokenHeads = 24
	MaxTokenBytes = 2 << 10 // of text
	maxReading    = 8
)

// ErrBadToken reports a text that is no token.
var ErrBadToken = errors.New("not a context token; pass it exactly as it was returned")

const tokenVersion = 1

// Token is a context in short: which memos its holder has seen, by the first 8
// bytes of their author and digest. The zero Token asks for nothing.
type Token struct {
	Space  [8]byte
	Origin [8]byte // the peer that issued it and likely has what it names
	Root   memo.ID // digest of an encoded merge.Root: all that it covers; zero: none
	Heads  []TokenHead

	reading []memo.Raw // of a newer version: handed on as it came
}

// TokenHead names one memo of a token.
type TokenHead struct {
	_      struct{} `cbor:",toarray"`
	Author [8]byte
	Seq    uint64
	Digest [8]byte
}

// wireToken is [1, space₈, origin₈, root|null, heads, reading].
type wireToken struct {
	_       struct{} `cbor:",toarray"`
	V       uint64
	Space   [8]byte
	Origin  [8]byte
	Root    *memo.Link
	Heads   []TokenHead
	Reading []memo.Raw
}

// Token writes the context down for the API. origin is the issuing peer.
func (qc Context) Token(origin memo.Author) (Token, error) {
	if len(qc.Loose) > MaxTokenHeads {
		return Token{}, fmt.Errorf("%w: %d in a token, the limit is %d", ErrTooManyHeads, len(qc.Loose), MaxTokenHeads)
	}
	t := Token{Space: [8]byte(qc.Space[:8]), Origin: [8]byte(origin[:8]), Root: qc.Root}
	for _, h := range qc.Loose {
		t.Heads = append(t.Heads, TokenHead{
			Author: [8]byte(h.Author[:8]), Seq: h.Seq, Digest: [8]byte(h.ID[:8]),
		})
	}
	return t, nil
}

// IsZero reports whether t asks for nothing.
func (t Token) IsZero() bool { return len(t.Heads) == 0 && t.Root.IsZero() }

// String encodes t as base64url without padding of CBOR; "" for the zero Token.
func (t Token) String() string {
	if t.IsZero() {
		return ""
	}
	w := wireToken{V: tokenVersion, Space: t.Space, Origin: t.Origin, Heads: t.Heads, Reading: t.reading}
	if !t.Root.IsZero() {
		l := memo.Link(t.Root)
		w.Root = &l
	}
	b, err := memo.Marshal(w)
	if err != nil {
		panic(err) // fixed-size parts always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads what String wrote, strictly; "" is the zero Token.
func ParseToken(s string) (Token, error) {
	if s == "" {
		return Token{}, nil
	}
	if len(s) > MaxTokenBytes {
		return Token{}, fmt.Errorf("%w: %d characters, the limit is %d", ErrBadToken, len(s), MaxTokenBytes)
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	if base64.RawURLEncoding.EncodeToString(b) != s { // line breaks and spare bits
		return Token{}, fmt.Errorf("%w: not its one spelling", ErrBadToken)
	}
	var w wireToken
	if err := memo.Unmarshal(b, &w); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	switch {
	case w.V != tokenVersion:
		return Token{}, fmt.Errorf("%w: version %d, this program reads %d", ErrBadToken, w.V, tokenVersion)
	case len(w.Heads) > MaxTokenHeads || len(w.Reading) > maxReading:
		return Token{}, fmt.Errorf("%w: %d heads", ErrBadToken, len(w.Heads))
	case w.Root != nil && memo.ID(*w.Root).IsZero():
		return Token{}, fmt.Errorf("%w: it names a root that cannot be", ErrBadToken)
	case len(w.Heads) == 0 && w.Root == nil:
		return Token{}, fmt.Errorf("%w: it names nothing", ErrBadToken)
	case !slices.IsSortedFunc(w.Heads, byPrefix) || slices.ContainsFunc(w.Heads, func(h TokenHead) bool { return h.Seq == 0 }):
		return Token{}, fmt.Errorf("%w: its heads are out of order or place", ErrBadToken)
	}
	t := Token{Space: w.Space, Origin: w.Origin, Heads: w.Heads, reading: w.Reading}
	if w.Root != nil {
		t.Root = memo.ID(*w.Root)
	}
	return t, nil
}

// byPrefix orders the heads of a token; equal prefixes are of different authors.
func byPrefix(a, b TokenHead) int { return bytes.Compare(a.Author[:], b.Author[:]) }

// MissingHead is a memo that a token names and a cut lacks. Author is zero when
// no author of the cut has the token's prefix.
type MissingHead struct {
	TokenHead
	Known memo.Author
	// Conflict says that the cut has another memo at this place: the author forked
	// its chain, or the memo was lost and its place taken again.
	Conflict bool
}

// Missing returns what t names and c lacks, nil when c covers t. digest looks up
// the digest that the cut's owner holds at a covered place.
func (t Token) Missing(c Cut, digest func(memo.Author, uint64) (memo.ID, bool)) []MissingHead {
	var out []MissingHead
	for _, h := range t.Heads {
		a, covered := c.resolve(h.Author, h.Seq)
		if !covered {
			out = append(out, MissingHead{TokenHead: h, Known: a})
			continue
		}
		if id, ok := digest(a, h.Seq); !ok || [8]byte(id[:8]) != h.Digest {
			out = append(out, MissingHead{TokenHead: h, Known: a, Conflict: true})
		}
	}
	return out
}

// Resolve turns a covered token into a context with full identifiers.
func (t Token) Resolve(space memo.SpaceID, c Cut, digest func(memo.Author, uint64) (memo.ID, bool)) (Context, bool) {
	qc := Context{Space: space}
	for _, h := range t.Heads {
		a, covered := c.resolve(h.Author, h.Seq)
		if !covered {
			return Context{}, false
		}
		id, ok := digest(a, h.Seq)
		if !ok || [8]byte(id[:8]) != h.Digest {
			return Context{}, false
		}
		qc = qc.With(memo.Head{Author: a, Seq: h.Seq, ID: id})
	}
	return qc, true
}
