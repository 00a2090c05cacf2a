package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

// feedIDs reads a feed up to an LSN.
func feedIDs(t tester, f *Feed, upTo uint64) (out []memo.ID) {
	for {
		rec, ok, err := f.Next(upTo)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		for _, m := range rec.Memos {
			out = append(out, m.ID())
		}
	}
}

// A feed yields what Replay does, stops where it is told to, goes on as more
// attaches, and starts at any record.
func TestFeed(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		s := fresh(t, w, o)
		attach(t, s, w.runs...)
		f, err := s.View().Feed(1)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		last := s.log.Last
		got := feedIDs(t, f, last())
		for range 5 {
			attach(t, s, w.run(1, 3))
			if early := feedIDs(t, f, last()-1); early != nil {
				t.Fatalf("a record above the bound: %v", early)
			}
			got = append(got, feedIDs(t, f, last())...)
		}
		want := replay(t, s, w.space)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		g, err := s.View().Feed(last())
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if diff := cmp.Diff(want[len(want)-3:], feedIDs(t, g, last())); diff != "" {
			t.Error(diff)
		}
		if _, err := s.View().Feed(last() + 2); !errors.Is(err, ErrPruned) {
			t.Errorf("far beyond the end: %v", err)
		}
	})
}

// Own memos that come back sealed, with more behind them, are fed once, and stay
// so when the index is rebuilt.
func TestFeedOfMemosGivenBack(t *testing.T) {
	w := newWorld(t, 2)
	dir := tempDir(t, "")
	s := open(t, dir, Options{})
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	own := w.next(1, 3)
	if _, err := s.AppendOwn(walfs.None, own[:2], nil); err != nil {
		t.Fatal(err)
	}
	attach(t, s, w.seal(1, own...))
	for range 2 {
		f, err := s.View().Feed(1)
		if err != nil {
			t.Fatal(err)
		}
		want := []memo.ID{w.genesis().ID(), own[0].ID(), own[1].ID(), own[2].ID()}
		if diff := cmp.Diff(want, feedIDs(t, f, s.log.Last())); diff != "" {
			t.Error(diff)
		}
		f.Close()
		closeStore(t, s)
		removeIndex(t, dir)
		s = open(t, dir, Options{})
	}
	closeStore(t, s)
}
