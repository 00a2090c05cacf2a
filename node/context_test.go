package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/merge"
	"lightcone/store"
)

// crowd delivers memos of n authors to s, each of a row of its own, and returns
// their heads as contexts list them.
func crowd(t *testing.T, s *Space, from, n int) (heads []memo.Head) {
	t.Helper()
	for i := from; i < from+n; i++ {
		r := foreign(t, s, i, fmt.Sprint("row ", i))
		deliver(t, s.node, r)
		heads = append(heads, r.Head())
	}
	memo.SortDeps(heads)
	return heads
}

func scan(t *testing.T, x *Session) (rows []string) {
	t.Helper()
	for r, err := range x.Scan(context.Background(), Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, fmt.Sprint(r))
	}
	return rows
}

// causesFrom returns what the own memos from seq on name, and their number.
func causesFrom(t *testing.T, s *Space, seq uint64) (deps []memo.Head, memos int) {
	t.Helper()
	v := s.node.view.Load()
	for ; v.cut(s.id).Vector().Covers(s.node.id, seq); seq++ {
		m, _, err := v.store.Memo(s.id, s.node.id, seq)
		if err != nil {
			t.Fatal(err)
		}
		deps, memos = append(deps, m.Deps...), memos+1
	}
	memo.SortDeps(deps)
	return deps, memos
}

func ownSeq(s *Space) uint64 {
	m, _ := s.node.view.Load().cut(s.id).Vector().Get(s.node.id)
	return m.Seq
}

// A session that scanned many authors' memos names a root, and no memo is written
// for that. The root is the one that the folder computes of the same cut, so that
// other sessions share it.
func TestScansNameARoot(t *testing.T) {
	s := newSpace(t)
	crowd(t, s, 0, 70)
	before := ownSeq(s)
	x := s.Session()
	want := scan(t, x)
	token := x.Token()
	if token.Root.IsZero() || len(token.Heads) != 0 || len(token.String()) > 200 {
		t.Fatalf("token %s: root %s, %d heads, %d characters", token, token.Root, len(token.Heads), len(token.String()))
	}
	folded, err := s.fold(context.Background())
	if err != nil || folded.id != token.Root {
		t.Errorf("the session's root is %s, the folder's %s (%v)", token.Root, folded.id, err)
	}
	crowd(t, s, 70, 7)
	y := s.Session()
	scan(t, y)
	if got := y.Context(); got.Root != folded.id || len(got.Loose) != 7 || got.Below.Len() != 71 {
		t.Errorf("a later scan has root %s and %d loose heads", got.Root, len(got.Loose))
	}
	if tok := y.Token(); tok.Root != folded.id || len(tok.Heads) != 7 {
		t.Errorf("its token has root %s and %d heads", tok.Root, len(tok.Heads))
	}
	if got := ownSeq(s); got != before {
		t.Errorf("%d memos were written by reading", got-before)
	}
	if got := scan(t, s.Session(From(y.Token()), Read{Wait: -1})); len(got) != len(want)+7 {
		t.Errorf("under the token there are %d rows", len(got))
	}
	if got := shows(t, at(t, s, token)); len(got) == 0 || len(scan(t, at(t, s, token))) != len(want) {
		t.Errorf("exactly under the first token there is %s", got)
	}
}

// After a write the session's context is one memo; of rows alone it names heads
// again, and gathers them.
func TestWritesMakeContextsPlain(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	crowd(t, s, 0, 30)
	x := s.Session()
	scan(t, x)
	r, err := x.Put(ctx, "t", "mine", Fields{"x": memo.Int(1)})
	if err != nil || !r.Token.Root.IsZero() || len(r.Token.Heads) != 1 {
		t.Fatalf("the write's token has root %s and %d heads (%v)", r.Token.Root, len(r.Token.Heads), err)
	}
	crowd(t, s, 30, 30)
	for i := range 30 {
		if _, err := x.Get(ctx, "t", fmt.Sprint("row ", 30+i)); err != nil {
			t.Fatal(err)
		}
	}
	if tok := x.Token(); !tok.Root.IsZero() || len(tok.Heads) != 1 {
		t.Errorf("a token of rows has root %s and %d heads", tok.Root, len(tok.Heads))
	}
}

// Few heads need no root: any peer decides them.
func TestFewHeadsNeedNoRoot(t *testing.T) {
	s := newSpace(t)
	crowd(t, s, 0, plainHeads-1)
	if _, err := s.fold(context.Background()); err != nil {
		t.Fatal(err)
	}
	x := s.Session()
	scan(t, x)
	if got := x.Context(); got.Root.IsZero() || len(got.Loose) != 0 {
		t.Errorf("the session's context is %v", got)
	}
	if tok := x.Token(); !tok.Root.IsZero() || len(tok.Heads) != plainHeads || len(tok.String()) > 200 {
		t.Errorf("token %s of %d characters", tok, len(tok.String()))
	}
}

// A fold amid a transaction changes neither what it reads nor what its memo names.
func TestFoldsAmidATransaction(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	heads := crowd(t, s, 0, 40)
	unread := crowd(t, s, 40, 10)
	if _, err := s.fold(ctx); err != nil { // a root that no session goes over to
		t.Fatal(err)
	}
	before := ownSeq(s)
	x := s.Session()
	_, err := x.Update(ctx, func(tx *Tx) error {
		read := func(i int) string {
			r, err := tx.Get("t", fmt.Sprint("row ", i))
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(r)
		}
		var want []string
		for i := range 30 {
			want = append(want, read(i))
		}
		deliver(t, s.node, foreign(t, s, 99, "row 3")) // after the snapshot
		if err := x.Fold(ctx, causal.Policy{Part: causal.Budget{Memos: 12}}); err != nil {
			t.Fatal(err)
		}
		if got := len(x.Context().Loose); got < 18 || got >= 30 {
			t.Errorf("%d loose heads after a fold of twelve memos of thirty", got)
		}
		for i := range 40 {
			if got := read(i); i < 30 && got != want[i] {
				t.Errorf("after the fold row %d is %s, was %s", i, got, want[i])
			}
		}
		if err := x.Fold(ctx, causal.Policy{}); err != nil {
			t.Fatal(err)
		}
		if got := x.Context(); len(got.Loose) != 0 || got.Root.IsZero() {
			t.Errorf("folded in full the context has root %s, %d loose heads", got.Root, len(got.Loose))
		}
		if slices.ContainsFunc(unread, x.Context().Covers) {
			t.Error("a fold took in what was never read")
		}
		return tx.Put("t", "mine", Fields{"x": memo.Int(1)})
	})
	if err != nil {
		t.Fatal(err)
	}
	got, memos := causesFrom(t, s, before+1)
	if diff := cmp.Diff(heads, got); diff != "" || memos != 2 {
		t.Errorf("%d memos name, - wanted + got:\n%s", memos, diff)
	}
}

// Whatever is folded and when, the causes of a session are those of one that
// never folds, and so is what it has seen.
func TestFoldsNeverShow(t *testing.T) {
	t.Parallel() // it waits for disks and links
	for seed := range Seeds(6) {
		rng, ctx, s := rand.New(rand.NewPCG(seed, 7)), context.Background(), newSpace(t)
		x, y := s.Session(), s.Session()
		var made []memo.Head
		for range 60 {
			switch rng.IntN(8) {
			case 0, 1, 2:
				var deps []memo.Head
				if len(made) > 0 {
					deps = append(deps, made[rng.IntN(len(made))])
				}
				r := foreign(t, s, len(made), fmt.Sprint("row ", rng.IntN(20)), deps...)
				deliver(t, s.node, r)
				made = append(made, r.Head())
			case 3:
				if err := x.Fold(ctx, causal.Policy{Part: causal.Budget{Memos: rng.IntN(6)}}); err != nil {
					t.Fatal(err)
				}
			case 4:
				if _, err := s.fold(ctx); err != nil {
					t.Fatal(err)
				}
			case 5:
				if rng.IntN(4) == 0 {
					scan(t, x)
					scan(t, y)
				}
			default:
				row := fmt.Sprint("row ", rng.IntN(20))
				for _, z := range []*Session{x, y} {
					if _, err := z.Get(ctx, "t", row); err != nil && !errors.Is(err, ErrNotFound) {
						t.Fatal(err)
					}
				}
			}
			if diff := cmp.Diff(y.causes(), x.causes()); diff != "" {
				t.Fatalf("seed %d: the causes differ, - never folded + folded:\n%s", seed, diff)
			}
			for h := range y.Context().Heads() {
				if !x.Context().Covers(h) {
					t.Fatalf("seed %d: the folded session lost %s", seed, h)
				}
			}
		}
		if !x.Context().Root.IsZero() && len(x.Context().Loose) > len(y.Context().Loose) {
			t.Errorf("seed %d: the folded context has %d loose heads, the other %d", seed, len(x.Context().Loose), len(y.Context().Loose))
		}
	}
}

// A scan that would take in too many heads has the space folded first, so that its
// context is over a root that others share. Beyond MaxLoose heads of rows a session
// folds by itself, and its causes stay.
func TestSessionsFoldWhenTheyMust(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	heads := crowd(t, s, 0, causal.MaxLoose+10)
	y := s.Session()
	scan(t, y)
	if got := y.Context(); got.Root.IsZero() || len(got.Loose) != 0 {
		t.Errorf("after a scan: root %s, %d loose heads", got.Root, len(got.Loose))
	}
	x := s.Session()
	for i := range heads {
		if _, err := x.Get(ctx, "t", fmt.Sprint("row ", i)); err != nil {
			t.Fatal(err)
		}
		if n := len(x.Context().Loose); n > causal.MaxLoose+1 {
			t.Fatalf("%d loose heads", n)
		}
	}
	if got := x.Context(); got.Root.IsZero() || got.Root == y.Context().Root || len(got.Loose) > 10 {
		t.Errorf("root %s, %d loose heads", got.Root, len(got.Loose))
	}
	if diff := cmp.Diff(heads, x.causes()); diff != "" {
		t.Errorf("the causes, - wanted + got:\n%s", diff)
	}
	if got := ownSeq(s); got != 1 {
		t.Errorf("reading wrote %d memos", got-1)
	}
}

// A memo does not name what the own chain has behind it already, in this run of
// the node or the next one; all else it does.
func TestCausesAreNamedOnce(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	heads := crowd(t, s, 0, 40)
	write := func(want []memo.Head, memos int) {
		t.Helper()
		before := ownSeq(s)
		x := s.Session()
		scan(t, x)
		if _, err := x.Put(ctx, "t", "mine", Fields{"x": memo.Int(1)}); err != nil {
			t.Fatal(err)
		}
		got, n := causesFrom(t, s, before+1)
		if diff := cmp.Diff(want, got); diff != "" || n != memos {
			t.Errorf("%d memos name, - wanted + got:\n%s", n, diff)
		}
	}
	write(heads, 2)
	write(nil, 1)
	write(crowd(t, s, 40, 1), 1)
	n.Close()
	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	write(nil, 1)
	write(crowd(t, s, 41, 2), 1)

	// To gather what is gathered takes no memo.
	before := ownSeq(s)
	x := s.Session()
	for i := range 43 {
		if _, err := x.Get(ctx, "t", fmt.Sprint("row ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if tok := x.Token(); ownSeq(s) != before || len(tok.Heads) != 1 || tok.Heads[0].Seq != before {
		t.Errorf("token %v, and %d memos were written", tok, ownSeq(s)-before)
	}
}

// Another memo at an observed place is named: its author forked the chain.
func TestForkedCausesAreNamed(t *testing.T) {
	h := memo.Head{Author: memo.Author{1}, Seq: 4, ID: memo.ID{4}}
	var v memo.Vector
	observe(&v, &memo.Memo{Deps: []memo.Head{h}})
	other := h
	other.ID = memo.ID{5}
	earlier := memo.Head{Author: h.Author, Seq: 3, ID: memo.ID{3}}
	if got := unobserved(&v, []memo.Head{h, other, earlier}); !slices.Equal(got, []memo.Head{other}) {
		t.Errorf("named are %v", got)
	}
}

// A write that did not get into the log has named nothing, whether it broke a rule
// or the disk failed it.
func TestFailedWritesNameNothing(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	crowd(t, s, 0, 1)
	x := s.Session()
	scan(t, x)
	if _, err := x.Put(ctx, "t", "r", Fields{"x": memo.Int(0)}); err != nil {
		t.Fatal(err)
	}
	head := crowd(t, s, 1, 1)
	scan(t, x)
	if _, err := x.Put(ctx, "t", "r", Fields{"x": memo.Blob(make([]byte, 1<<20))}); !errors.Is(err, memo.ErrTooLarge) {
		t.Fatal(err)
	}
	lost := &draftOnly{s: s, heads: head, done: make(chan int, 1)}
	if err := s.node.submit(ctx, lost); err != nil || <-lost.done != 1 {
		t.Fatal(err)
	}
	if _, err := x.Put(ctx, "t", "r", Fields{"x": memo.Int(1)}); err != nil {
		t.Fatal(err)
	}
	if got, _ := causesFrom(t, s, 3); !slices.Equal(got, head) {
		t.Errorf("the memo names %v, want %v", got, head)
	}
}

// draftOnly drafts a memo and goes no further, as when the log does not take it.
type draftOnly struct {
	s     *Space
	heads []memo.Head
	done  chan int
}

func (d *draftOnly) do(o *owner) {
	d.done <- len(o.drafts(d.s, []*write{{space: d.s, deps: d.heads, done: make(chan written, 1)}}))
}

// A peer's word about a state never becomes the base of a root computed here.
func TestForeignRootsAreNoBase(t *testing.T) {
	ctx, s := context.Background(), newSpace(t)
	crowd(t, s, 0, 3)
	now, err := s.fold(ctx)
	if err != nil {
		t.Fatal(err)
	}
	other := foreign(t, s, 7, "more")
	deliver(t, s.node, other)
	lie, id := now.root, memo.ID{}
	blocks := s.node.store.Blocks(s.id)
	if err := blocks.Write(func(put merge.BlockPutter) (err error) {
		lie.State, err = merge.BuildState(lie.Params, func(func(merge.KeyedRow, error) bool) {}, put) // nothing was written
		if err == nil {
			id, err = putRoot(lie, put)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := blocks.Pin(store.Pin{Root: id, Until: s.node.opts.Now().Add(s.node.opts.Retention), Foreign: true}); err != nil {
		t.Fatal(err)
	}
	x := s.Session()
	x.See(causal.Context{Space: s.id, Root: id, Below: now.vector})
	x.saw(other.Head())
	if err := x.Fold(ctx, causal.Policy{}); !errors.Is(err, ErrContextUnavailable) {
		t.Errorf("folded over a root of others: %v", err)
	}
	if got := x.Context(); got.Root != id || len(got.Loose) != 1 {
		t.Errorf("the context became %v", got)
	}
}

// After a restart contexts are over the last root at once.
func TestContextsAfterARestart(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	crowd(t, s, 0, 3)
	folded, err := s.fold(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	if got := s.Context(); got.Root != folded.id || len(got.Loose) != 0 || got.Below.Len() != 4 {
		t.Errorf("the context is %v, want root %s", got, folded.id)
	}
}

// A root that a token names is there for the retention window from then on, also one
// that was folded long before.
func TestNamedRootsAreKept(t *testing.T) {
	start, later := time.Now(), atomic.Int64{} // how much; the folder reads the clock too
	now := func() time.Time { return start.Add(time.Duration(later.Load())) }
	n := openNode(t, t.TempDir(), Options{Retention: 24 * time.Hour, Now: now})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	crowd(t, s, 0, 20)
	if _, err := s.fold(context.Background()); err != nil {
		t.Fatal(err)
	}
	var named [2]causal.Token
	for i := range named {
		x := s.Session()
		scan(t, x)
		named[i] = x.Token()
		later.Add(int64(23 * time.Hour))
	}
	if named[0].Root.IsZero() || named[0].Root != named[1].Root {
		t.Fatalf("the tokens name roots %s and %s", named[0].Root, named[1].Root)
	}
	crowd(t, s, 20, 1)
	if _, err := s.fold(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.store.Blocks(s.id).Collect(now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.root(named[1].Root); err != nil {
		t.Errorf("the root that was named last 23 hours ago: %v", err)
	}
	if got := scan(t, at(t, s, named[1])); len(got) != 20 {
		t.Errorf("it shows %d rows", len(got))
	}
}

// A context with one head and a long tail is folded in parts: each goes on from the
// one before, though the head stays loose until the last.
func TestPartialFoldsAdvance(t *testing.T) {
	s := newSpace(t)
	a := newAuthor(1)
	for range 6 {
		deliver(t, s.node, a.run(t, s, 9))
	}
	x := s.Session()
	x.See(causal.Context{Space: s.id}.With(a.last.Head))
	want := s.Context().Heads
	for folds := 1; len(x.Context().Loose) > 0; folds++ {
		if err := x.Fold(t.Context(), causal.Policy{Part: causal.Budget{Memos: 10}}); err != nil {
			t.Fatal(err)
		}
		if below := lead(x.Context().Below, memo.Vector{}); folds > 6 || below < uint64(10*folds) && below < 55 {
			t.Fatalf("after %d folds the root covers %d memos", folds, below)
		}
	}
	if got := slices.Collect(x.Context().Heads()); !slices.Equal(got, slices.Collect(want())) {
		t.Errorf("folded, the context has the heads %v", got)
	}
}
