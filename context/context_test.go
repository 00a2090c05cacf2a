package causal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/memo/memotest"
)

// someHeads draws heads of few authors, so that they meet: at one place of a
// chain there may be two memos, a fork.
func someHeads() *rapid.Generator[[]memo.Head] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) memo.Head {
		h := memo.Head{Seq: rapid.Uint64Range(1, 3).Draw(t, "seq")}
		h.Author[0] = rapid.ByteRange('a', 'e').Draw(t, "author")
		h.ID = memo.Sum([]byte{h.Author[0], byte(h.Seq), rapid.ByteRange(0, 1).Draw(t, "fork")})
		return h
	}), 0, 6)
}

func contexts() *rapid.Generator[causal.Context] {
	return rapid.Map(someHeads(), func(hs []memo.Head) causal.Context { return contextOf(hs...) })
}

func contextOf(hs ...memo.Head) causal.Context {
	qc := causal.Context{Space: memo.SpaceID{1}}
	for _, h := range hs {
		qc = qc.With(h)
	}
	return qc
}

// fataler is a *testing.T or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func join(t fataler, a, b causal.Context) causal.Context {
	t.Helper()
	qc, err := causal.Join(a, b)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	return qc
}

func same(t fataler, what string, a, b causal.Context) {
	t.Helper()
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("%s differ:\n%s", what, diff)
	}
}

func TestJoinLaws(t *testing.T) {
	law := func(name string, prop func(t *rapid.T)) {
		t.Run(name, func(t *testing.T) { rapid.Check(t, prop) })
	}
	law("commutative", func(t *rapid.T) {
		a, b := contexts().Draw(t, "a"), contexts().Draw(t, "b")
		same(t, "a∨b, b∨a", join(t, a, b), join(t, b, a))
	})
	law("associative", func(t *rapid.T) {
		a, b, c := contexts().Draw(t, "a"), contexts().Draw(t, "b"), contexts().Draw(t, "c")
		same(t, "(a∨b)∨c, a∨(b∨c)", join(t, join(t, a, b), c), join(t, a, join(t, b, c)))
	})
	law("idempotent", func(t *rapid.T) {
		a, b := contexts().Draw(t, "a"), contexts().Draw(t, "b")
		same(t, "a∨a, a", join(t, a, a), a)
		same(t, "(a∨b)∨b, a∨b", join(t, join(t, a, b), b), join(t, a, b))
	})
	law("an upper bound", func(t *rapid.T) {
		a, b := contexts().Draw(t, "a"), contexts().Draw(t, "b")
		ab := join(t, a, b)
		for _, h := range slices.Concat(a.Loose, b.Loose) {
			if !ab.Covers(h) {
				t.Fatalf("a∨b does not cover %s", h)
			}
		}
		for _, h := range ab.Loose {
			if !slices.Contains(a.Loose, h) && !slices.Contains(b.Loose, h) {
				t.Fatalf("a∨b names %s, which is of neither", h)
			}
		}
	})
	law("in any order", func(t *rapid.T) {
		hs := someHeads().Draw(t, "heads")
		same(t, "one order, another", contextOf(hs...), contextOf(rapid.Permutation(hs).Draw(t, "order")...))
	})
	law("one head an author, ascending", func(t *rapid.T) {
		ab := join(t, contexts().Draw(t, "a"), contexts().Draw(t, "b"))
		for i := 1; i < len(ab.Loose); i++ {
			if ab.Loose[i-1].Author.Compare(ab.Loose[i].Author) >= 0 {
				t.Fatalf("heads are not strictly ascending: %v", ab.Loose)
			}
		}
	})
	law("arguments unchanged", func(t *rapid.T) {
		a, b := contexts().Draw(t, "a"), contexts().Draw(t, "b")
		beforeA, beforeB := slices.Clone(a.Loose), slices.Clone(b.Loose)
		join(t, a, b)
		if !slices.Equal(a.Loose, beforeA) || !slices.Equal(b.Loose, beforeB) {
			t.Fatalf("Join changed an argument")
		}
	})
}

func TestJoinIsOfOneSpace(t *testing.T) {
	_, err := causal.Join(causal.Context{Space: memo.SpaceID{1}}, causal.Context{Space: memo.SpaceID{2}})
	if !errors.Is(err, causal.ErrOtherSpace) {
		t.Errorf("got %v, want ErrOtherSpace", err)
	}
}

// manyHeads is a context of n authors.
func manyHeads(n int) causal.Context {
	var hs []memo.Head
	for i := range n {
		id := memo.Sum([]byte{byte(i), byte(i >> 8)})
		hs = append(hs, memo.Head{Author: memo.Author(id), Seq: 1, ID: id})
	}
	return contextOf(hs...)
}

func TestContextsHaveALimit(t *testing.T) {
	full, over := manyHeads(causal.MaxLoose), manyHeads(causal.MaxLoose+1)
	if _, err := causal.Join(full, full); err != nil {
		t.Errorf("joining %d heads with themselves: %v", causal.MaxLoose, err)
	}
	if _, err := causal.Join(full, over); !errors.Is(err, causal.ErrTooManyHeads) {
		t.Errorf("joining %d heads: %v, want ErrTooManyHeads", causal.MaxLoose+1, err)
	}
}

// A cut is what its heads say and all of the past.
func TestCutsAndContexts(t *testing.T) {
	d := memotest.Draw(t, `
		G -> A1 -> A2 -> A3
		     | -> B1
		A2, B1 -> C1
	`)
	small, large := causal.NewCut(d.Cut("A2")), causal.NewCut(d.Cut("C1"))
	if !large.Includes(small) || small.Includes(large) || !small.Includes(causal.Cut{}) {
		t.Error("C1's past includes A2's, and not the other way round")
	}
	if large.Covers(d.Memo("A3").Head()) || !large.Covers(d.Memo("A1").Head()) {
		t.Error("C1's past has A1 and not A3")
	}
	qc := large.Context(d.Space)
	if len(qc.Loose) != 4 || !qc.Covers(d.Memo("A2").Head()) || qc.Covers(d.Memo("A3").Head()) {
		t.Errorf("the context of C1's past: %v", qc.Loose)
	}
	if missing := qc.Missing(large); missing != nil {
		t.Errorf("a cut lacks %v of its own context", missing)
	}
	want := []memo.Head{d.Memo("B1").Head(), d.Memo("C1").Head()}
	memo.SortDeps(want)
	if diff := cmp.Diff(want, qc.Missing(small)); diff != "" {
		t.Errorf("what A2's past lacks of C1's, - wanted + got:\n%s", diff)
	}
}
