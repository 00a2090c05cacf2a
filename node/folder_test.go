package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
)

// A space at rest is folded without being asked, once.
func TestIdleSpacesAreFolded(t *testing.T) {
	n := openNode(t, t.TempDir(), Options{Durability: None})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	f := newFolder(n) // beside the node's own, which looks too seldom for a test
	edit(t, rand.New(rand.NewPCG(1, 1)), s, 30)
	f.look()
	if _, ok := f.latest(s.id); ok {
		t.Fatal("folded a space that changed since the last look")
	}
	f.look()
	last, ok := f.latest(s.id)
	if !ok {
		t.Fatal("a space at rest is not folded")
	}
	written := f.written
	if f.look(); written == 0 || f.written != written {
		t.Errorf("%d blocks were written, then %d", written, f.written-written)
	}
	if d, err := s.Digest(context.Background()); err != nil || d != last.root.State {
		t.Errorf("digest %x, want %s (%v)", d, last.root.State, err)
	}
}

// After a restart a fold goes on from the root before, and costs what changed.
func TestFoldsGoOnAfterARestart(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n := openNode(t, dir, Options{})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.fill(ctx, 3000)
	if err != nil {
		t.Fatal(err)
	}
	exactToken(t, s)
	if _, err := s.Put(ctx, "t", "row7", Fields{"v": text(t, "changed")}); err != nil {
		t.Fatal(err)
	}
	n.Close()

	n = openNode(t, dir, Options{})
	if s, err = n.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	f := newFolder(n)
	next, err := f.fold(s)
	if err != nil {
		t.Fatal(err)
	}
	if f.written == 0 || f.written > 10 {
		t.Errorf("a fold of one changed row wrote %d blocks", f.written)
	}
	m, err := n.sealedMoment(s)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if whole, err := m.snap.Digest(s.params(m.view)); err != nil || whole != next.root.State {
		t.Errorf("state %s, want %s (%v)", next.root.State, whole, err)
	}
}

// fill writes n short rows at once.
func (s *Space) fill(ctx context.Context, n int) error {
	for from := 0; from < n; from += 500 {
		_, err := s.Update(ctx, func(tx *Tx) error {
			var err error
			for i := from; i < min(from+500, n); i++ {
				v := memo.Int(int64(i))
				err = errors.Join(err, tx.Put("t", fmt.Sprint("row", i), Fields{"v": v}))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Old roots are collected once enough was written, and only when their time is up.
func TestTheFolderCollects(t *testing.T) {
	start, later := time.Now(), atomic.Int64{}
	n := openNode(t, t.TempDir(), Options{Now: func() time.Time { return start.Add(time.Duration(later.Load())) }})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	edit(t, rng, s, 20)
	old := exactToken(t, s)
	edit(t, rng, s, 20)
	exactToken(t, s)
	for _, c := range []struct {
		later   time.Duration
		written int
		held    bool
	}{
		{DefaultRetention - time.Minute, collectAfter, true},
		{DefaultRetention + time.Minute, collectAfter - 1, true},
		{DefaultRetention + time.Minute, collectAfter, false},
	} {
		later.Store(int64(c.later))
		f := newFolder(n)
		f.written = c.written
		f.collect()
		if _, err := s.root(old.Root); (err == nil) != c.held {
			t.Errorf("%v after, with %d blocks written: held is %v, want %v", c.later, c.written, err == nil, c.held)
		}
	}
}

// Folds, exact reads, writes and collections go on at once.
func TestFoldsBesideWrites(t *testing.T) {
	ctx := context.Background()
	n := openNode(t, t.TempDir(), Options{Durability: None})
	s, err := n.CreateSpace("default", Policy{})
	if err != nil {
		t.Fatal(err)
	}
	edit(t, rand.New(rand.NewPCG(0, 0)), s, 10)
	done := make(chan error, 3)
	for worker := range uint64(3) {
		go func() {
			rng := rand.New(rand.NewPCG(worker, 1))
			var err error
			for i := 0; i < 25 && err == nil; i++ {
				v := memo.Int(int64(rng.IntN(1000)))
				if _, err = s.Put(ctx, "t", fmt.Sprint("row", rng.IntN(9)), Fields{"v": v}); err != nil {
					break
				}
				x := s.Session()
				tok, failed := x.ExactToken(ctx)
				if err = failed; err != nil {
					break
				}
				past := s.Session(From(tok), Read{Mode: Exact})
				first, _ := past.Digest(ctx)
				for r, failed := range past.Scan(ctx, Query{}) {
					if err = errors.Join(err, failed); failed == nil {
						_, failed = past.Get(ctx, r.Topic, r.Key)
						err = errors.Join(err, failed)
					}
				}
				if again, failed := s.Session(From(tok), Read{Mode: Exact}).Digest(ctx); again != first || failed != nil {
					err = errors.Join(err, failed, fmt.Errorf("digest %x, then %x", first, again))
				}
			}
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
