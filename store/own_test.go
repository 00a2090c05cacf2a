package store

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

func appendOwn(t tester, s *Store, d walfs.Durability, memos []*memo.Memo, seal *memo.Seal) []Placed {
	t.Helper()
	placed, err := s.AppendOwn(d, memos, seal)
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func seqs(memos []*memo.Memo) (out []uint64) {
	for _, m := range memos {
		out = append(out, m.Seq)
	}
	return out
}

func TestOwnMemosAreOfferedWhenSealed(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 1)
		s := fresh(t, w, o)
		seal := w.sign(0, w.genesis())
		appendOwn(t, s, walfs.None, []*memo.Memo{w.genesis()}, &seal)
		if s.log.Durable() != s.log.Last() {
			t.Fatal("a sealed memo is not synced")
		}
		memos := w.next(0, 3)
		appendOwn(t, s, walfs.None, memos[:2], nil)
		appendOwn(t, s, walfs.None, memos[2:], nil)
		v := s.View()
		if own, offered := v.All(w.space), v.Vector(w.space); !own.Covers(w.author(0), 4) || offered.Covers(w.author(0), 2) {
			t.Fatalf("all %v, sealed %v", marks(own), marks(offered))
		}
		if m, ok, err := v.Memo(w.space, w.author(0), 3); err != nil || !ok || m.ID() != memos[1].ID() {
			t.Fatalf("memo 3: %v %v", ok, err)
		}
		if diff := cmp.Diff([]uint64{2, 3, 4}, seqs(s.Unsealed(w.space, w.author(0)))); diff != "" {
			t.Fatal(diff)
		}
		if err := s.SealOwn(w.space, w.author(0), w.sign(0, memos[1])); !errors.Is(err, memo.ErrBadSeal) {
			t.Fatalf("a seal of another memo: %v", err)
		}
		if err := s.SealOwn(w.space, w.author(0), w.sign(0, memos[2])); err != nil {
			t.Fatal(err)
		}
		if err := s.SealOwn(w.space, w.author(0), w.sign(0, memos[2])); !errors.Is(err, ErrNoUnsealed) {
			t.Fatalf("nothing to seal: %v", err)
		}
		if s.log.Durable() != s.log.Last() {
			t.Fatal("a seal is not synced")
		}
		if v.Vector(w.space).Covers(w.author(0), 2) {
			t.Fatal("a view changed")
		}
		v = s.View()
		data, err := v.Run(w.space, w.author(0), 4)
		if err != nil {
			t.Fatal(err)
		}
		r, err := memo.DecodeRun(data)
		if err != nil || r.Verify() != nil {
			t.Fatal(err, r.Verify())
		}
		if diff := cmp.Diff([]uint64{2, 3, 4}, seqs(r.Memos)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestOwnMemosThatDoNotFit(t *testing.T) {
	w := newWorld(t, 2)
	s := fresh(t, w, Options{WAL: smallSegments, KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	far := w.run(1, 1).Memos[0]
	own := w.next(0, 2, far)
	before := s.Size()
	for name, c := range map[string]struct {
		memos []*memo.Memo
		want  error
	}{
		"nothing":           {nil, ErrNotAttachable},
		"gap":               {own[1:], ErrNotAttachable},
		"cause not held":    {own, ErrNotAttachable},
		"two authors":       {append(own[:1:1], far), ErrNotAttachable},
		"no such space":     {newWorldOf(t, 1, memo.Members).next(0, 1), ErrUnknownSpace},
		"more than a run":   {w.next(1, memo.MaxRunMemos+1)[1:], ErrNotAttachable},
		"genesis once more": {w.runs[0].Memos, ErrNotAttachable},
	} {
		if _, err := s.AppendOwn(walfs.None, c.memos, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if s.Size() != before {
		t.Error("a refused memo left something in the log")
	}
}

func TestUnsealedMemosFitOneRun(t *testing.T) {
	w := newWorld(t, 1)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	seal := w.sign(0, w.genesis())
	appendOwn(t, s, walfs.None, w.runs[0].Memos, &seal)
	appendOwn(t, s, walfs.None, w.next(0, memo.MaxRunMemos-1), nil)
	last := w.next(0, 2)
	if _, err := s.AppendOwn(walfs.None, last, nil); !errors.Is(err, ErrRunFull) {
		t.Fatalf("one memo too many: %v", err)
	}
	appendOwn(t, s, walfs.None, last[:1], nil)
	if err := s.SealOwn(w.space, w.author(0), w.sign(0, last[0])); err != nil {
		t.Fatal(err)
	}
	appendOwn(t, s, walfs.None, last[1:], nil)
	if _, last, ok, err := s.View().NextRun(w.space, w.author(0), 1); err != nil || !ok || last != memo.MaxRunMemos+1 {
		t.Fatalf("the run ends at %d, %v, %v", last, ok, err)
	}
}

// A foreign run may wait for an own memo (this store lost its end and the
// author wrote it anew): sealing it wakes the run, the next Attach reports it.
func TestOwnMemosFreePendingRuns(t *testing.T) {
	w := newWorld(t, 2)
	w.run(1, 1)
	own := w.next(0, 1)
	w.run(1, 1, own[0])
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs...)
	appendOwn(t, s, walfs.None, own, nil)
	if res := attach(t, s); len(res.Runs) != 0 {
		t.Fatal("attached behind an unsealed cause")
	}
	if err := s.SealOwn(w.space, w.author(0), w.sign(0, own[0])); err != nil {
		t.Fatal(err)
	}
	if res := attach(t, s); len(res.Runs) != 1 {
		t.Fatalf("attached %d runs", len(res.Runs))
	}
	replay(t, s, w.space)
}

// The log of an own chain was restored from an older copy, and what came behind
// comes back from peers: sealed, and over memos still unsealed here.
func TestOwnChainComesBackFromPeers(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 1)
		r := w.run(0, 3)
		dir := t.TempDir()
		s := open(t, dir, o)
		seal := w.sign(0, w.genesis())
		appendOwn(t, s, walfs.Group, w.runs[0].Memos, &seal)
		appendOwn(t, s, walfs.Group, r.Memos[:2], nil)
		w.heads[0] = w.genesis()
		other := w.seal(0, w.next(0, 2, w.memo(memo.Memo{
			Space: w.space, Author: memo.Author{1}, Seq: 1, Deps: []memo.Head{w.genesis().Head()}, Body: edit(1),
		}))...)
		if res := attach(t, s, other); len(res.Orphans) != 1 { // a branch, whose cause is not here
			t.Fatalf("another chain than the own: %+v", res)
		}
		if res := attach(t, s, r); len(res.Runs) != 1 {
			t.Fatalf("refused %v", res.Refused)
		}
		for range 2 {
			if n := len(s.Unsealed(w.space, w.author(0))); n != 0 {
				t.Fatalf("%d memos wait for a seal", n)
			}
			if diff := cmp.Diff(marks(w.vector()), marks(s.View().Vector(w.space))); diff != "" {
				t.Fatal(diff)
			}
			closeStore(t, s)
			s = open(t, dir, o)
		}
		closeStore(t, s)
	})
}
