package causal_test

import (
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
)

var origin = memo.Author{9, 9, 9}

func token(t fataler, qc causal.Context) causal.Token {
	t.Helper()
	tok, err := qc.Token(origin)
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return tok
}

func TestTokenRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tok := token(t, contexts().Draw(t, "qc"))
		back, err := causal.ParseToken(tok.String())
		if err != nil {
			t.Fatalf("%q: %v", tok, err)
		}
		if tok.IsZero() { // says nothing, not even of which space
			tok = causal.Token{}
		}
		if diff := cmp.Diff(tok, back, cmpopts.IgnoreUnexported(causal.Token{})); diff != "" {
			t.Fatalf("%q came back different:\n%s", tok, diff)
		}
	})
}

// The context of every session must be written the same way, for ever.
func TestGoldenToken(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1@alice -> A2@alice
		     | -> B1@bob
	`)
	qc := causal.Context{Space: d.Space}.With(d.Memo("A2").Head()).With(d.Memo("B1").Head())
	tok, err := qc.Token(d.Memo("B1").Author)
	if err != nil {
		t.Fatal(err)
	}
	const want = "hgFI9ZWxxfjmdmhI7MG1hyfz8Sv2goNI1b9KP8znF7ACSHbDs_I_EWcAg0jswbWHJ_PxKwFIHHXiIJYWFsuA"
	if got := tok.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A typical session has met a handful of authors of a thousand memos each.
func TestGoldenTokenWithRoot(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1@alice
	`)
	tok, err := causal.Context{Space: d.Space, Root: memo.Sum([]byte("a root"))}.With(d.Memo("A1").Head()).Token(d.Memo("A1").Author)
	if err != nil {
		t.Fatal(err)
	}
	const want = "hgFI9ZWxxfjmdmhI1b9KP8znF7DYKlglAAFxEiBQsxL1y8cWdZ9WINc6fMEUFXBzSfQbDOC3z3t4B-wx2oGDSNW_Sj_M5xewAUief6WhY73JAoA"
	if got := tok.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if back, err := causal.ParseToken(want); err != nil || back.Root != tok.Root || len(back.Heads) != 1 {
		t.Errorf("came back as %+v (%v)", back, err)
	}
}

func TestTokensAreShort(t *testing.T) {
	qc := manyHeads(5)
	for i := range qc.Loose {
		qc.Loose[i].Seq = 1000
	}
	if s := token(t, qc).String(); len(s) > 200 {
		t.Errorf("a token of %d characters for 5 heads: %s", len(s), s)
	}
	full := manyHeads(causal.MaxTokenHeads)
	for i := range full.Loose {
		full.Loose[i].Seq = 1<<64 - 1
	}
	s := token(t, full).String()
	if _, err := causal.ParseToken(s); err != nil || len(s) > causal.MaxTokenBytes {
		t.Errorf("the largest token has %d characters: %v", len(s), err)
	}
	if _, err := manyHeads(causal.MaxTokenHeads + 1).Token(origin); !errors.Is(err, causal.ErrTooManyHeads) {
		t.Errorf("%d heads: %v, want ErrTooManyHeads", causal.MaxTokenHeads+1, err)
	}
}

// A text that is far too long is refused on its length: nothing of it is decoded.
func TestLongTokens(t *testing.T) {
	long := strings.Repeat("A", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := causal.ParseToken(long)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, causal.ErrBadToken) || n > 64<<10 {
		t.Errorf("refusing %d characters allocates %d bytes: %v", len(long), n, err)
	}
}

// rewritten parses s and, if it is accepted, checks that nothing of it is lost.
func rewritten(t *testing.T, s string) (accepted bool) {
	t.Helper()
	tok, err := causal.ParseToken(s)
	if err != nil {
		if !errors.Is(err, causal.ErrBadToken) {
			t.Errorf("%q: %v, want ErrBadToken", s, err)
		}
		return false
	}
	if again := tok.String(); again != s {
		t.Errorf("accepted %q and wrote %q", s, again)
	}
	return true
}

func TestTokensAreStrict(t *testing.T) {
	s := token(t, manyHeads(3)).String()
	for i := 1; i < len(s); i++ {
		if rewritten(t, s[:i]) {
			t.Errorf("accepted the first %d characters", i)
		}
	}
	for i := range s {
		if rewritten(t, s[:i]+"\n"+s[i:]) {
			t.Errorf("accepted a line break at %d", i)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if rewritten(t, base64.RawURLEncoding.EncodeToString(raw)) {
			accepted++ // another space, author, seq or digest
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	if accepted == 0 {
		t.Error("no bit of a token means anything")
	}
	for name, bad := range map[string]string{
		"padding":         s + "=",
		"space":           s + " ",
		"other alphabet":  strings.Map(func(rune) rune { return '+' }, s),
		"a token twice":   s + s,
		"too long":        strings.Repeat("A", causal.MaxTokenBytes+1),
		"some other word": "bafyreigxuwuhrrhjyc2kz7debdgw6lgp5ikfmccxy4lqfpnlhptiuxgdvi",
	} {
		if rewritten(t, bad) {
			t.Errorf("%s: accepted %q", name, bad)
		}
	}
}

// wire encodes [v, space, origin, root, heads, reading].
func wire(t *testing.T, v uint64, root any, heads []causal.TokenHead, reading []any) string {
	t.Helper()
	b, err := memo.Marshal([]any{v, [8]byte{1}, [8]byte{2}, root, heads, reading})
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func TestTokensOfOtherShapes(t *testing.T) {
	head := func(author byte, seq uint64) causal.TokenHead {
		return causal.TokenHead{Author: [8]byte{author}, Seq: seq, Digest: [8]byte{7}}
	}
	one := []causal.TokenHead{head(1, 1)}
	var many []causal.TokenHead
	for i := range byte(causal.MaxTokenHeads + 1) {
		many = append(many, head(i, 1))
	}
	for name, c := range map[string]struct {
		token string
		fine  bool
	}{
		"one head":                 {wire(t, 1, nil, one, nil), true},
		"two prefixes alike":       {wire(t, 1, nil, []causal.TokenHead{head(1, 1), head(1, 2)}, nil), true},
		"a reading, kept":          {wire(t, 1, nil, one, []any{uint64(5), []any{"ping"}}), true},
		"too long a reading":       {wire(t, 1, nil, one, make([]any, 9)), false},
		"version 2":                {wire(t, 2, nil, one, nil), false},
		"a root":                   {wire(t, 1, memo.Link{1}, one, nil), true},
		"a root and no heads":      {wire(t, 1, memo.Link{1}, nil, nil), true},
		"the zero root":            {wire(t, 1, memo.Link{}, one, nil), false},
		"something else as root":   {wire(t, 1, uint64(7), one, nil), false},
		"no heads":                 {wire(t, 1, nil, nil, nil), false},
		"as many heads as may be":  {wire(t, 1, nil, many[1:], nil), true},
		"too many heads":           {wire(t, 1, nil, many, nil), false},
		"seq 0":                    {wire(t, 1, nil, []causal.TokenHead{head(1, 0)}, nil), false},
		"heads in the wrong order": {wire(t, 1, nil, []causal.TokenHead{head(2, 1), head(1, 1)}, nil), false},
	} {
		if got := rewritten(t, c.token); got != c.fine {
			t.Errorf("%s: accepted is %v, want %v", name, got, c.fine)
		}
	}
}

// FuzzParseToken tries the input as a token, and as the bytes that a token spells.
func FuzzParseToken(f *testing.F) {
	f.Add("")
	f.Add(token(f, manyHeads(1)).String())
	f.Add(token(f, manyHeads(24)).String())
	f.Fuzz(func(t *testing.T, s string) {
		rewritten(t, s)
		rewritten(t, base64.RawURLEncoding.EncodeToString([]byte(s)))
	})
}
