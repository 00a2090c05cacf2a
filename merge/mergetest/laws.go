package mergetest

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Lattice describes a join semilattice of T to Laws.
type Lattice[T any] struct {
	Element  *rapid.Generator[T] // states of related histories, so that they overlap
	Deltas   *rapid.Generator[[]T]
	Join     func(a, b T) T
	Includes func(state, delta T) bool // delta ⊑ state
	Encode   func(T) ([]byte, error)   // canonical: equal bytes mean equal states
}

// Laws proves, as subtests: Join is commutative, associative and idempotent,
// grows, leaves its arguments alone, takes in each of its deltas in any order,
// and Includes says just what Join does.
func Laws[T any](t *testing.T, l Lattice[T]) {
	law := func(name string, prop func(t *rapid.T)) {
		t.Run(name, func(t *testing.T) { rapid.Check(t, prop) })
	}
	law("commutative", func(t *rapid.T) {
		a, b := l.draw(t, "a"), l.draw(t, "b")
		l.same(t, "a∨b, b∨a", l.Join(a, b), l.Join(b, a))
	})
	law("associative", func(t *rapid.T) {
		a, b, c := l.draw(t, "a"), l.draw(t, "b"), l.draw(t, "c")
		l.same(t, "(a∨b)∨c, a∨(b∨c)", l.Join(l.Join(a, b), c), l.Join(a, l.Join(b, c)))
	})
	law("idempotent", func(t *rapid.T) {
		a, b := l.draw(t, "a"), l.draw(t, "b")
		l.same(t, "a∨a, a", l.Join(a, a), a)
		l.same(t, "(a∨b)∨b, a∨b", l.Join(l.Join(a, b), b), l.Join(a, b))
	})
	law("monotone", func(t *rapid.T) {
		a, b, c := l.draw(t, "a"), l.draw(t, "b"), l.draw(t, "c")
		ab := l.Join(a, b)
		if !l.Includes(ab, a) || !l.Includes(ab, b) {
			t.Fatal("a∨b does not include a and b")
		}
		if !l.Includes(l.Join(ab, c), l.Join(a, c)) {
			t.Fatal("a ⊑ a∨b, but a∨c is not ⊑ a∨b∨c")
		}
	})
	law("includes", func(t *rapid.T) {
		a, b := l.draw(t, "a"), l.draw(t, "b")
		want := bytes.Equal(l.bytes(t, l.Join(a, b)), l.bytes(t, a))
		if got := l.Includes(a, b); got != want {
			t.Fatalf("Includes says %v; a∨b = a is %v", got, want)
		}
	})
	law("deltas", func(t *rapid.T) {
		ds := l.Deltas.Draw(t, "deltas")
		var up, down T
		for i := range ds {
			up, down = l.Join(up, ds[i]), l.Join(ds[len(ds)-1-i], down)
		}
		l.same(t, "deltas forward, backward", up, down)
		for i, d := range ds {
			if !l.Includes(up, d) {
				t.Fatalf("delta %d is not ⊑ the state it was joined into", i)
			}
		}
	})
	law("arguments unchanged", func(t *rapid.T) {
		a, b := l.draw(t, "a"), l.draw(t, "b")
		beforeA, beforeB := l.bytes(t, a), l.bytes(t, b)
		l.Join(a, b)
		if !bytes.Equal(l.bytes(t, a), beforeA) || !bytes.Equal(l.bytes(t, b), beforeB) {
			t.Fatal("Join changed an argument")
		}
	})
}

func (l Lattice[T]) draw(t *rapid.T, label string) T { return l.Element.Draw(t, label) }

func (l Lattice[T]) bytes(t *rapid.T, v T) []byte {
	b, err := l.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l Lattice[T]) same(t *rapid.T, what string, a, b T) {
	x, y := l.bytes(t, a), l.bytes(t, b)
	if !bytes.Equal(x, y) {
		t.Fatalf("%s differ:\n%x\n%x", what, x, y)
	}
}
