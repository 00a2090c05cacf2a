package forest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// start is when authors begin to write.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// grow makes a forest of which every author wrote all memos.
func grow(t testing.TB, c Config) *Forest {
	t.Helper()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Authors * c.Each {
		f.Write(i%c.Authors, start.Add(time.Duration(i)*37*time.Millisecond))
	}
	return f
}

// small has trees of more than one node, and rows that several authors write.
var small = Config{Seed: 1, Authors: 40, Each: 6, Rows: 170, Value: 90}

// cuts is how many times a test draws cuts.
const cuts = 25

// draw draws a cut, added memo by memo.
func (f *Forest) draw(rng *rand.Rand) Root {
	r, authors := Empty, rng.Float64()
	for a := range f.cfg.Authors {
		if rng.Float64() < authors {
			for range rng.IntN(f.cfg.Each + 1) {
				r = f.Add(r, a)
			}
		}
	}
	return r
}

// scratch makes the root of a cut of its memos alone, in a store of its own.
func scratch(t *testing.T, f *Forest, r Root) merge.Root {
	var blocks store
	c := f.at(r)
	root := merge.Root{Params: f.params}
	var v memo.Vector
	v.Set(f.genesis)
	empty := &cut{seqs: make([]uint16, len(c.seqs))}
	for m := range f.marks(empty, c) {
		v.Set(m)
	}
	var err error
	if root.Vector, err = merge.BuildVector(f.params, v, &blocks); err != nil {
		t.Fatal(err)
	}
	rows := map[string]merge.Row{}
	for a, n := range c.seqs {
		for seq := 1; seq <= int(n); seq++ {
			m := f.Run(a, seq).Memos[0]
			for key, edit := range merge.RowEdits(m) {
				delta, err := merge.Delta(merge.StampOf(m), edit)
				if err != nil {
					t.Fatal(err)
				}
				rows[key] = merge.Join(rows[key], delta)
			}
		}
	}
	root.State, err = merge.BuildState(f.params, func(yield func(merge.KeyedRow, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(rows)) {
			state, err := rows[key].Encode()
			if !yield(merge.KeyedRow{Key: key, State: state}, err) {
				return
			}
		}
	}, &blocks)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestJoin: of handles as of contents. Merging is commutative, associative and
// idempotent, a merge is merge.MergeRoot of the real roots, and the root of a cut is what its
// memos alone make, whichever way led there.
func TestJoin(t *testing.T) {
	f := grow(t, small)
	rng := rand.New(rand.NewPCG(1, 1))
	for range cuts {
		a, b, c := f.draw(rng), f.draw(rng), f.draw(rng)
		ab := f.Merge(a, b).Root
		if ba := f.Merge(b, a).Root; ab != ba || f.Join(a, b) != ab {
			t.Fatalf("a with b is %d, b with a %d, their cut %d", ab, ba, f.Join(a, b))
		}
		if f.Merge(a, a).Root != a || f.Merge(ab, b).Root != ab {
			t.Fatal("what is there already changed something")
		}
		if x, y := f.Merge(ab, c).Root, f.Merge(a, f.Merge(b, c).Root).Root; x != y {
			t.Fatalf("(a b) c is %d, a (b c) %d", x, y)
		}
		ra, blocks := f.Real(a)
		rb, _ := f.Real(b)
		got, err := merge.MergeRoot(blocks, ra, rb, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := f.Real(ab)
		if alone := scratch(t, f, ab); got != want || want != alone {
			t.Fatalf("the forest has %v, merge makes %v, the memos make %v", want, got, alone)
		}
		if f.Covers(a, b) != (ab == a) || f.Lacks(a, b) != f.Size(ab)-f.Size(a) || (f.ID(a) == f.ID(b)) != (a == b) {
			t.Fatal("covers, lacks or ids do not agree with the join")
		}
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// held is what a peer holds: all blocks of one root.
type held map[memo.ID][]byte

func (h held) Block(id memo.ID) ([]byte, error) {
	if b, ok := h[id]; ok {
		return b, nil
	}
	return nil, merge.ErrNoBlock
}

// walk brings a tree as a fetch does, and returns how many blocks it asked for.
func (h held) walk(t *testing.T, f *Forest, tree, base memo.ID, rows bool) (n int) {
	w, err := merge.NewWalk(h, merge.WalkOptions{Params: f.params, Tree: tree, Base: base, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	for !w.Done() {
		ids, err := w.Next(1 << 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			data, err := f.blocks.Block(id)
			if err == nil {
				err = w.Take(id, data)
			}
			if err != nil {
				t.Fatal(err)
			}
			h[id] = data
			n++
		}
	}
	return n
}

// TestCost: it is what a peer that holds the blocks of one root asks for in two walks,
// as p2p/gossip fetches a root, and the rows that it then joins.
func TestCost(t *testing.T) {
	f := grow(t, small)
	rng := rand.New(rand.NewPCG(2, 2))
	for range cuts {
		a, b := f.draw(rng), f.draw(rng)
		own, blocks := f.Real(a)
		other, _ := f.Real(b)
		h := held{}
		err := merge.Reach(blocks, own, func(id memo.ID) bool {
			data, err := blocks.Block(id)
			if err != nil {
				t.Fatal(err)
			}
			h[id] = data
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		want := Cost{}
		if a != b {
			want.Blocks = 1 + h.walk(t, f, other.Vector, own.Vector, false) + h.walk(t, f, other.State, own.State, true)
		}
		mine, said := map[string]merge.Row{}, map[string]merge.Row{}
		for rows, root := range map[*map[string]merge.Row]merge.Root{&mine: own, &said: other} {
			for r, err := range merge.StateRows(f.params, blocks, root.State, "") {
				if err != nil {
					t.Fatal(err)
				}
				(*rows)[r.Key] = r.Row
			}
		}
		for key, row := range said {
			if !mine[key].Includes(row) {
				want.Rows++
			}
		}
		if got := f.Cost(a, b); got != want {
			t.Fatalf("it is said to cost %+v, a walk takes %+v", got, want)
		}
	}
}

// TestManyAtOnce: what several make at the same time, each in an order of its own, is
// what one makes alone.
func TestManyAtOnce(t *testing.T) {
	c := Config{Seed: 2, Authors: 6, Each: 8, Rows: 5, Value: 40}
	work := func(f *Forest, step int) (sum uint64) {
		const n = 41
		roots := make([]Root, n)
		for k := range n {
			i := k * step % n // a permutation: n is prime
			r := Empty
			for a := range c.Authors {
				for range (i >> a) % 4 {
					r = f.Add(r, a)
				}
			}
			roots[i] = r
		}
		for k := range n * n {
			i := k * step % (n * n)
			a, b := roots[i/n], roots[i%n]
			m, c := f.Merge(a, b), f.Cost(a, b)
			sum += (f.Sum(m.Root) ^ uint64(c.Blocks+c.Rows<<8+m.Read<<16+m.Put<<24)) * uint64(2*i+1)
		}
		return sum
	}
	alone := grow(t, c)
	want := work(alone, 1)
	together := grow(t, c)
	var wait sync.WaitGroup
	sums := make([]uint64, 4)
	for i := range sums {
		wait.Go(func() { sums[i] = work(together, 2*i+1) })
	}
	wait.Wait()
	for i, sum := range sums {
		if sum != want {
			t.Errorf("goroutine %d of several makes %x, one alone %x", i, sum, want)
		}
	}
	if alone.Stats() != together.Stats() {
		t.Errorf("alone there are %+v, together %+v", alone.Stats(), together.Stats())
	}
	if err := together.Err(); err != nil {
		t.Error(err)
	}
}

// TestMemosAreReal: each is sealed by its author, follows the one before it, and is later.
func TestMemosAreReal(t *testing.T) {
	f := grow(t, Config{Seed: 3, Authors: 3, Each: 4, Rows: 2, Value: 10})
	for a := range 3 {
		var last *memo.Memo
		for seq := 1; seq <= 4; seq++ {
			run := f.Run(a, seq)
			if err := run.Verify(); err != nil {
				t.Fatal(err)
			}
			m := run.Memos[0]
			if m.Author != f.Author(a) || m.Seq != uint64(seq) || last != nil && (m.Prev != last.ID() || m.Time <= last.Time) {
				t.Fatalf("memo %d of %d is %+v after %+v", seq, a, m, last)
			}
			last = m
		}
	}
}

func TestConfig(t *testing.T) {
	good := Config{Authors: 1, Each: 1, Rows: 1}
	for _, change := range []func(*Config){
		func(c *Config) { c.Authors = 0 },
		func(c *Config) { c.Authors = MaxAuthors + 1 },
		func(c *Config) { c.Each = 0 },
		func(c *Config) { c.Each = MaxEach + 1 },
		func(c *Config) { c.Rows = 0 },
		func(c *Config) { c.Roots = -1 },
		func(c *Config) { c.Roots = MaxRoots + 1 },
	} {
		bad := good
		change(&bad)
		if _, err := New(bad); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestFull: where there is no room for another root the one below it stays, those that
// are there are as they were, and why is told; also where many come at once.
func TestFull(t *testing.T) {
	const each = 20
	f := grow(t, Config{Seed: 5, Authors: 4, Each: each, Rows: 3, Value: 10, Roots: 1 + 2*each})
	var wait sync.WaitGroup
	tops := make([]Root, 4)
	for a := range tops {
		wait.Go(func() {
			for range each {
				tops[a] = f.Add(tops[a], a)
			}
		})
	}
	wait.Wait()
	n := 0
	for a, r := range tops {
		n += f.Seq(r, a)
		if f.Size(r) != f.Seq(r, a) {
			t.Errorf("author %d's root has memos of others", a)
		}
	}
	if n != 2*each || f.Stats().Cuts != 1+2*each {
		t.Errorf("%d roots of authors, %d in all, there may be %d", n, f.Stats().Cuts, 1+2*each)
	}
	if err := f.Err(); !errors.Is(err, ErrFull) {
		t.Fatalf("the error is %v", err)
	}
	tops = slices.DeleteFunc(tops, func(r Root) bool { return r == Empty }) // who came when there was no room; two at least had some
	if m := f.Merge(tops[0], tops[1]); m.Root != tops[0] || !errors.Is(f.Err(), ErrFull) {
		t.Errorf("a merge made %d of %d, the error is %v", m.Root, tops[0], f.Err())
	}
}
