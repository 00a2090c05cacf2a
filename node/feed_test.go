package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/store"
)

// touched is what identifies a change in the tests.
type touched struct {
	ID         memo.ID
	Topic, Key string
}

func touchedBy(c Change) touched { return touched{c.ID, c.Topic, c.Key} }

// author writes foreign runs of several memos that touch several rows each.
type author struct {
	key  ed25519.PrivateKey
	last memo.Mark
}

func newAuthor(i int) *author {
	seed := memo.Sum(fmt.Appendf(nil, "feed author %d", i))
	return &author{key: ed25519.NewKeyFromSeed(seed[:])}
}

// run makes the author's next run of n memos; the first depends on deps.
func (a *author) run(t testing.TB, s *Space, n int, deps ...memo.Head) *memo.Run {
	t.Helper()
	id := memo.Author(a.key.Public().(ed25519.PublicKey))
	if a.last.Seq == 0 {
		g, _ := s.node.view.Load().store.Genesis(s.id)
		deps = append([]memo.Head{g.Head()}, deps...)
		a.last.Time = g.Time
	}
	r := &memo.Run{Space: s.id}
	for range n {
		e := newDraftEdit()
		for i := range 1 + a.last.Seq%3 {
			e.row("t", fmt.Sprintf("f%d/%d", a.last.Seq%7, i)).ops["n"] = memo.Op{Set: true, Value: memo.Int(int64(a.last.Seq))}
		}
		body, err := e.build(id, e.seenRows)
		if err != nil {
			t.Fatal(err)
		}
		m, err := memo.New(memo.Memo{
			Space: s.id, Author: id, Seq: a.last.Seq + 1, Prev: a.last.ID, Deps: deps,
			Time: memo.Next(uint64(time.Now().UnixMilli()), a.last.Time), Body: body,
		})
		if err != nil {
			t.Fatal(err)
		}
		a.last, deps = memo.Mark{Head: m.Head(), Time: m.Time}, nil
		r.Memos = append(r.Memos, m)
	}
	r.Seal = memo.Sign(a.key, s.id, a.last.Head)
	return r
}

// scribble makes k writes of every sort, own and foreign, in a random order.
func scribble(t *testing.T, s *Space, rnd *rand.Rand, k int) {
	t.Helper()
	ctx := context.Background()
	authors := []*author{newAuthor(rnd.Int()), newAuthor(rnd.Int())}
	for i := range k {
		var err error
		key := fmt.Sprintf("k%d", rnd.IntN(5))
		switch rnd.IntN(5) {
		case 0:
			deliver(t, s.node, authors[rnd.IntN(2)].run(t, s, 1+rnd.IntN(4)))
		case 1:
			_, err = s.Delete(ctx, "t", key)
		case 2:
			_, err = s.Update(ctx, func(tx *Tx) error {
				return errors.Join(tx.Put("t", key, Fields{"n": memo.Int(int64(i))}), tx.Delete("u", key, "a", "b"),
					tx.Delete("t", "x"+key), tx.Put("t", "x"+key, Fields{"n": memo.Null()}))
			})
		default: // after all that is attached: heads meet
			x := s.Session()
			x.See(s.Context())
			_, err = x.Put(ctx, "t", key, Fields{"n": memo.Int(int64(i))})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// take returns the changes from a cursor to the present.
func take(t testing.TB, s *Space, q Query, from Cursor) []Change {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f, err := s.Session().Follow(ctx, q, from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []Change
	for end := s.node.view.Load().lsn; ; {
		// Behind the last step of the last record there is nothing to wait for.
		if c := f.Cursor(); c.lsn == end && c.index == uint64(len(f.steps)) {
			return out
		}
		next, stop := context.WithTimeout(ctx, 2*time.Millisecond)
		c, err := f.Next(next)
		stop()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			continue
		case err == io.EOF:
			return out
		case err != nil:
			t.Fatal(err)
		}
		out = append(out, c)
	}
}

// logged returns what the log says, the way the projection is rebuilt from it.
func logged(t testing.TB, s *Space) (out []touched, memos []*memo.Memo) {
	t.Helper()
	err := s.node.store.Replay(0, func(rec store.Record) error {
		for _, m := range rec.Memos {
			if m.SpaceID() != s.id {
				continue
			}
			memos = append(memos, m)
			if e, ok := m.Body.(*memo.Edit); ok {
				for _, tp := range e.Topics {
					for _, r := range tp.Rows {
						out = append(out, touched{m.ID(), tp.Topic, string(r.Row)})
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, memos
}

// The feed is the log: filtered, and continued at any of its cursors.
func TestFeedIsTheLog(t *testing.T) {
	t.Parallel() // it waits for disks and links
	dir := t.TempDir()
	n := openNode(t, dir, Options{Durability: None})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := n.CreateSpace("other", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		scribble(t, s, rnd, 12)
		scribble(t, other, rnd, 3)
	}
	want, _ := logged(t, s)
	all := take(t, s, Query{}, Cursor{})
	rapid.Check(t, func(rt *rapid.T) {
		q := Query{Topic: rapid.SampledFrom([]string{"", "t", "u"}).Draw(rt, "topic")}
		if q.Topic != "" {
			keys := rapid.SampledFrom([]string{"", "f", "f3", "k", "k2", "x", "xk1"})
			q.Prefix, q.From, q.To = keys.Draw(rt, "prefix"), keys.Draw(rt, "from"), keys.Draw(rt, "to")
		}
		from, rest := Cursor{}, want
		if i := rapid.IntRange(-1, len(all)-1).Draw(rt, "after"); i >= 0 {
			if from, err = ParseCursor(all[i].Cursor.String()); err != nil {
				rt.Fatal(err)
			}
			rest = want[i+1:]
		}
		var expect, got []touched
		for _, w := range rest {
			in := q.Topic == "" || w.Topic == q.Topic && strings.HasPrefix(w.Key, q.Prefix) && w.Key >= q.From && (q.To == "" || w.Key < q.To)
			if in {
				expect = append(expect, w)
			}
		}
		for _, c := range take(t, s, q, from) {
			got = append(got, touchedBy(c))
		}
		if diff := cmp.Diff(expect, got); diff != "" {
			rt.Fatalf("query %+v: %s", q, diff)
		}
	})
}

// A cursor's token names exactly the memos whose changes are all behind it.
func TestCursorToken(t *testing.T) {
	s := newSpace(t)
	scribble(t, s, rand.New(rand.NewPCG(3, 4)), 40)
	_, memos := logged(t, s)
	byID := map[memo.ID]*memo.Memo{}
	for _, m := range memos {
		byID[m.ID()] = m
	}
	all := take(t, s, Query{}, Cursor{})
	for i, c := range all {
		past := map[memo.ID]bool{}
		var visit func(id memo.ID)
		visit = func(id memo.ID) {
			if m := byID[id]; m != nil && !past[id] {
				past[id] = true
				visit(m.Prev)
				for _, d := range m.Deps {
					visit(d.ID)
				}
			}
		}
		v := s.node.view.Load()
		qc, ok := c.Cursor.Token().Resolve(s.id, v.cut(s.id), v.digest(s.id))
		if !ok {
			t.Fatalf("change %d: its token does not resolve", i)
		}
		for _, h := range qc.Loose {
			visit(h.ID)
		}
		at := slices.IndexFunc(memos, func(m *memo.Memo) bool { return m.ID() == c.ID })
		if i+1 == len(all) || all[i+1].ID != c.ID {
			at++ // its memo is whole
		}
		for j, m := range memos {
			if past[m.ID()] != (j < at) {
				t.Fatalf("change %d, behind %d memos: memo %d is in its context: %v", i, at, j, past[m.ID()])
			}
		}
	}
	if end := all[len(all)-1].Cursor; len(take(t, s, Query{}, end)) != 0 {
		t.Error("changes behind the last one")
	}
}

// mixed makes k writes, a third of them foreign runs, and a last one.
func mixed(t *testing.T, s *Space, k int) {
	t.Helper()
	a := newAuthor(9)
	for i := range k {
		if i%3 == 0 {
			deliver(t, s.node, a.run(t, s, 1+i%5))
			continue
		}
		if _, err := s.Put(t.Context(), "t", fmt.Sprintf("k%03d", i), Fields{"n": memo.Int(int64(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(t.Context(), "t", "last", Fields{"n": memo.Null()}); err != nil {
		t.Fatal(err)
	}
}

// A hundred consumers, while own writes and deliveries come: one of them does
// not move until all is written, one ends half-way and goes on by its cursor.
func TestHundredConsumers(t *testing.T) {
	consumers, writes := 100, 150
	if testing.Short() {
		consumers, writes = 20, 50
	}
	n := openNode(t, t.TempDir(), Options{Durability: None, SegmentSize: 1 << 20})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	written, resumed := make(chan struct{}), make(chan struct{}, 1)
	got := make([][]touched, consumers)
	var wg sync.WaitGroup
	for i := range consumers {
		wg.Go(func() {
			from := Cursor{}
			for {
				for c, err := range s.Watch(ctx, Query{Topic: "t"}, from) {
					if err != nil {
						t.Errorf("consumer %d: %v", i, err)
						return
					}
					got[i] = append(got[i], touchedBy(c))
					from = c.Cursor
					if i%10 == 0 { // what is announced can be read: nothing is deleted here
						if _, err := s.Get(ctx, c.Topic, c.Key); err != nil {
							t.Errorf("consumer %d: %s/%s is announced and %v", i, c.Topic, c.Key, err)
							return
						}
					}
					if c.Key == "last" {
						return
					}
					if i == 0 && len(got[i]) == 1 {
						<-written
					}
					if i == 1 && len(got[i]) == writes/2 {
						resumed <- struct{}{}
						break // and a new feed, from the text of the cursor
					}
				}
				if from, err = ParseCursor(from.String()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	mixed(t, s, writes)
	close(written) // the writer is done: the first consumer did not hold it up
	wg.Wait()
	want, _ := logged(t, s)
	for i := range got {
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Fatalf("consumer %d: %s", i, diff)
		}
	}
	if n := len(resumed); n != 1 {
		t.Errorf("%d consumers were resumed, want 1", n)
	}
}

// A cursor outlives the process, and the files that are derived from the log.
func TestFeedSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	scribble(t, s, rnd, 20)
	before := take(t, s, Query{}, Cursor{})
	now, err := s.Now()
	if err != nil {
		t.Fatal(err)
	}
	half := before[len(before)/2].Cursor
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, derived := range []string{"kv", "projection.db"} {
		if err := os.RemoveAll(filepath.Join(dir, derived)); err != nil {
			t.Fatal(err)
		}
	}

	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	scribble(t, s, rnd, 20)
	want, _ := logged(t, s)
	for _, tt := range []struct {
		name string
		from Cursor
		done int
	}{{"half", half, len(before)/2 + 1}, {"last", before[len(before)-1].Cursor, len(before)}, {"now", now, len(before)}} {
		var got []touched
		for _, c := range take(t, s, Query{}, tt.from) {
			got = append(got, touchedBy(c))
		}
		if diff := cmp.Diff(want[tt.done:], got); diff != "" {
			t.Errorf("from %s: %s", tt.name, diff)
		}
	}
}

// Cursors of another node, another space, or of writes that the log lost are
// refused, and so are texts that are none.
func TestBadCursors(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := n.CreateSpace("other", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	scribble(t, s, rand.New(rand.NewPCG(7, 8)), 5)
	scribble(t, other, rand.New(rand.NewPCG(7, 8)), 5)
	last := func(s *Space) Cursor {
		all := take(t, s, Query{}, Cursor{})
		return all[len(all)-1].Cursor
	}
	good := last(other)
	beyond, lost, inside := good, good, good
	beyond.lsn += 100
	lost.sum++
	inside.index += 100
	foreignNode := newSpace(t)
	scribble(t, foreignNode, rand.New(rand.NewPCG(7, 8)), 5)
	for name, c := range map[string]Cursor{
		"other space": last(s), "other node": last(foreignNode), "beyond": beyond, "lost": lost, "inside": inside,
	} {
		for _, err := range other.Watch(ctx, Query{}, c) {
			if !errors.Is(err, ErrBadCursor) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, text := range []string{"x", "!", good.String() + "A", good.String()[1:], ScanCursor{Topic: "t", Key: "k"}.String()} {
		if _, err := ParseCursor(text); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if c, err := ParseCursor(good.String()); err != nil || c.String() != good.String() {
		t.Errorf("%v, %v", c, err)
	}
}

// Closing the node ends its feeds.
func TestCloseEndsFeeds(t *testing.T) {
	s := newSpace(t)
	now, err := s.Now()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		for _, err := range s.Watch(context.Background(), Query{}, now) {
			ended <- err
		}
		close(ended)
	}()
	if err := s.node.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	if _, more := <-ended; more {
		t.Error("went on after its end")
	}
}
