package causal_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	causal "lightcone/context"
	"lightcone/memo"
)

// tokens draws tokens of few authors, forked ones among them.
func tokens() *rapid.Generator[causal.Token] {
	return rapid.Custom(func(t *rapid.T) causal.Token { return token(t, contexts().Draw(t, "qc")) })
}

func joinTokens(t fataler, a, b causal.Token) causal.Token {
	t.Helper()
	out, err := causal.JoinTokens(a, b)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	return out
}

func beyond(t fataler, a, b causal.Token) []causal.TokenHead {
	t.Helper()
	out, err := a.Beyond(b)
	if err != nil {
		t.Fatalf("beyond: %v", err)
	}
	return out
}

// sameNames compares what two tokens name; an origin is a hint only.
func sameNames(t fataler, law string, a, b causal.Token) {
	t.Helper()
	if diff := cmp.Diff(a, b, cmpopts.IgnoreUnexported(causal.Token{}), cmpopts.IgnoreFields(causal.Token{}, "Origin", "Space"),
		cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s:\n%s", law, diff)
	}
}

func TestTokenJoinLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := tokens().Draw(t, "a"), tokens().Draw(t, "b"), tokens().Draw(t, "c")
		ab := joinTokens(t, a, b)
		sameNames(t, "commutative", ab, joinTokens(t, b, a))
		sameNames(t, "associative", joinTokens(t, ab, c), joinTokens(t, a, joinTokens(t, b, c)))
		sameNames(t, "idempotent", a, joinTokens(t, a, a))
		for _, part := range []causal.Token{a, b} {
			if lost := beyond(t, part, ab); lost != nil {
				t.Fatalf("the join un-knows %v", lost)
			}
		}
		if more := beyond(t, ab, a); (more == nil) != (beyond(t, b, a) == nil) {
			t.Fatalf("beyond a: the join names %v, b %v", more, beyond(t, b, a))
		}
		back, err := causal.ParseToken(ab.String())
		if err != nil {
			t.Fatalf("a joined token is not accepted: %v", err)
		}
		sameNames(t, "round trip", ab, back)
	})
}

// Without forks, joining tokens and writing down joined contexts is the same.
func TestTokenJoinIsThatOfContexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		honest := rapid.Map(contexts(), func(qc causal.Context) causal.Context {
			for i, h := range qc.Loose {
				qc.Loose[i].ID = memo.Sum([]byte{h.Author[0], byte(h.Seq)})
			}
			return qc
		})
		a, b := honest.Draw(t, "a"), honest.Draw(t, "b")
		sameNames(t, "join", token(t, join(t, a, b)), joinTokens(t, token(t, a), token(t, b)))
	})
}

// A fork is never dropped from a token: whoever holds one side lacks the other.
func TestTokenJoinKeepsForks(t *testing.T) {
	one := memo.Head{Author: memo.Author{'a'}, Seq: 2, ID: memo.Sum([]byte("one"))}
	other := memo.Head{Author: memo.Author{'a'}, Seq: 2, ID: memo.Sum([]byte("other"))}
	a, b := token(t, contextOf(one)), token(t, contextOf(other))
	ab := joinTokens(t, a, b)
	if len(ab.Heads) != 2 || len(beyond(t, ab, a)) != 1 || len(beyond(t, ab, b)) != 1 {
		t.Errorf("%v and %v became %v", a.Heads, b.Heads, ab.Heads)
	}
	later := token(t, contextOf(memo.Head{Author: memo.Author{'a'}, Seq: 3, ID: memo.Sum([]byte("later"))}))
	if got := joinTokens(t, ab, later); len(got.Heads) != 1 {
		t.Errorf("a later memo stands for both, not %v", got.Heads)
	}
}

func TestTokenJoinOrigin(t *testing.T) {
	h := func(seq uint64) causal.Context {
		return contextOf(memo.Head{Author: memo.Author{'a'}, Seq: seq, ID: memo.Sum([]byte{byte(seq)})})
	}
	early, _ := h(1).Token(memo.Author{1})
	late, _ := h(2).Token(memo.Author{2})
	for _, got := range []causal.Token{joinTokens(t, early, late), joinTokens(t, late, early)} {
		if got.Origin != late.Origin {
			t.Errorf("origin %x, want that of the token that names all", got.Origin)
		}
	}
	if got := joinTokens(t, causal.Token{}, late); got.Origin != late.Origin {
		t.Errorf("origin %x after joining with nothing", got.Origin)
	}
}

func TestTokenJoinErrors(t *testing.T) {
	a := token(t, manyHeads(causal.MaxTokenHeads))
	foreign := a
	foreign.Space = [8]byte{7}
	if _, err := causal.JoinTokens(a, foreign); !errors.Is(err, causal.ErrOtherSpace) {
		t.Errorf("join: %v, want ErrOtherSpace", err)
	}
	if _, err := a.Beyond(foreign); !errors.Is(err, causal.ErrOtherSpace) {
		t.Errorf("beyond: %v, want ErrOtherSpace", err)
	}
	more := token(t, causal.Context{Space: manyHeads(1).Space}.With(memo.Head{Author: memo.Author{0xff, 0xff}, Seq: 1}))
	if _, err := causal.JoinTokens(a, more); !errors.Is(err, causal.ErrTooManyHeads) {
		t.Errorf("%d heads: %v, want ErrTooManyHeads", causal.MaxTokenHeads+1, err)
	}
	rooted, other := a, a
	rooted.Root, other.Root = memo.ID{1}, memo.ID{2}
	if _, err := causal.JoinTokens(rooted, other); !errors.Is(err, causal.ErrTwoRoots) {
		t.Errorf("two roots: %v, want ErrTwoRoots", err)
	}
}

func TestTokenJoinKeepsTheRoot(t *testing.T) {
	heads := token(t, manyHeads(2))
	rooted := causal.Token{Space: heads.Space, Origin: [8]byte{7}, Root: memo.ID{1}}
	for name, pair := range map[string][2]causal.Token{
		"the first":  {rooted, heads},
		"the second": {heads, rooted},
		"both":       {joinTokens(t, rooted, heads), rooted},
	} {
		got := joinTokens(t, pair[0], pair[1])
		if got.Root != rooted.Root || len(got.Heads) != 2 || got.Origin != rooted.Origin {
			t.Errorf("%s has a root: %+v", name, got)
		}
	}
}
