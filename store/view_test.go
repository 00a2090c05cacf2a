package store

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// holdings is what the replication protocol reads (p2p/gossip's Holdings, which
// this room must not import).
type holdings interface {
	Vector(space memo.SpaceID) memo.Vector
	VecRoot(space memo.SpaceID) (memo.ID, error)
	NextRun(space memo.SpaceID, author memo.Author, after uint64) (order, last uint64, ok bool, err error)
	Run(space memo.SpaceID, author memo.Author, last uint64) ([]byte, error)
}

var _ holdings = (*View)(nil)

// feed sends every run of from that to lacks, merged over the authors by order,
// which is how recon sends them, and fails unless each attaches on arrival.
func feed(t tester, from holdings, to *Store, space memo.SpaceID) {
	t.Helper()
	at := map[memo.Author]uint64{}
	for m := range from.Vector(space).All() {
		have, _ := to.View().Vector(space).Get(m.Author)
		at[m.Author] = have.Seq
	}
	for {
		var author memo.Author
		var order, last uint64
		for m := range from.Vector(space).All() {
			o, l, ok, err := from.NextRun(space, m.Author, at[m.Author])
			if err != nil {
				t.Fatal(err)
			}
			if ok && (order == 0 || o < order) {
				author, order, last = m.Author, o, l
			}
		}
		if order == 0 {
			return
		}
		data, err := from.Run(space, author, last)
		if err != nil {
			t.Fatal(err)
		}
		r, err := memo.DecodeRun(data)
		if err != nil || r.Verify() != nil {
			t.Fatalf("run of %s to %d: %v %v", author, last, err, r.Verify())
		}
		if res := attach(t, to, r); len(res.Runs) != 1 {
			t.Fatalf("run of %s to %d did not attach: %+v", author, last, res)
		}
		at[author] = last
	}
}

// What one store offers in order attaches elsewhere with nothing waiting,
// whatever order it came in itself.
func TestRunsInOrderAttachAtOnce(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 4)
		w.draw(t)
		a := open(t, tempDir(t, base), Options{WAL: smallSegments, KV: NewMemoryKV()})
		b := open(t, tempDir(t, base), Options{WAL: smallSegments, KV: NewMemoryKV()})
		defer closeStore(t, a)
		defer closeStore(t, b)
		a.AddSpace(w.space)
		b.AddSpace(w.space)
		attach(t, a, w.shuffle(t)...)
		attach(t, b, w.runs[:rapid.IntRange(0, len(w.runs)).Draw(t, "held")]...)
		feed(t, a.View(), b, w.space)
		if diff := cmp.Diff(marks(a.View().Vector(w.space)), marks(b.View().Vector(w.space))); diff != "" {
			t.Fatalf("(-a +b):\n%s", diff)
		}
		ra, err := a.View().VecRoot(w.space)
		if err != nil {
			t.Fatal(err)
		}
		rb, err := b.View().VecRoot(w.space)
		if err != nil || ra != rb {
			t.Fatalf("vecRoot %s and %s, %v", ra, rb, err)
		}
	})
}

// The same with own memos sealed late, between foreign runs.
func TestOwnRunsInOrderAttachAtOnce(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 4)
		s := fresh(t, w, o)
		fill(t, s, w, rand.New(rand.NewPCG(5, 6)), func(uint64) {})
		to := fresh(t, w, Options{WAL: smallSegments})
		feed(t, s.View(), to, w.space)
		if diff := cmp.Diff(marks(s.View().Vector(w.space)), marks(to.View().Vector(w.space))); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestVecRootIsTheVectorsTree(t *testing.T) {
	w := newWorld(t, 2)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	empty, err := s.View().VecRoot(w.space)
	if err != nil {
		t.Fatal(err)
	}
	attach(t, s, w.runs[0], w.run(1, 2))
	got, err := s.View().VecRoot(w.space)
	if err != nil {
		t.Fatal(err)
	}
	want, err := merge.BuildVector(merge.DefaultParams(w.space), w.vector(), nil)
	if err != nil || got != want || got == empty {
		t.Fatalf("vecRoot %s, want %s, empty %s, %v", got, want, empty, err)
	}
	tree, err := s.View().Had(w.space).Tree()
	if err != nil {
		t.Fatal(err)
	}
	marks, err := merge.ReadVector(merge.DefaultParams(w.space), tree, got)
	if err != nil || marks.Len() != w.vector().Len() || !marks.CoversAll(w.vector()) {
		t.Fatalf("the tree under vecRoot holds %d authors, want %d: %v", marks.Len(), w.vector().Len(), err)
	}
	if _, err := tree.Block(memo.ID{9}); !errors.Is(err, merge.ErrNoBlock) {
		t.Errorf("a block of no tree: %v", err)
	}
	if _, err := s.View().Had(memo.SpaceID{}).Tree(); !errors.Is(err, ErrUnknownSpace) {
		t.Errorf("a space nobody added: %v", err)
	}
}

func TestWhatAViewDoesNotHold(t *testing.T) {
	w := newWorld(t, 2)
	s := fresh(t, w, Options{KV: NewMemoryKV()})
	attach(t, s, w.runs[0], w.run(1, 3))
	v, author := s.View(), w.author(1)
	attach(t, s, w.run(1, 3)) // behind the view
	if _, _, ok, err := v.NextRun(w.space, author, 3); ok || err != nil {
		t.Errorf("a run behind the view: %v %v", ok, err)
	}
	if _, ok, err := v.Memo(w.space, author, 4); ok || err != nil {
		t.Errorf("a memo behind the view: %v %v", ok, err)
	}
	if _, ok, err := v.ID(w.space, author, 4); ok || err != nil {
		t.Errorf("a digest behind the view: %v %v", ok, err)
	}
	for _, last := range []uint64{0, 2, 6} {
		if _, err := v.Run(w.space, author, last); !errors.Is(err, ErrNoRun) {
			t.Errorf("run to %d: %v", last, err)
		}
	}
	var other memo.SpaceID
	if _, err := v.VecRoot(other); !errors.Is(err, ErrUnknownSpace) || v.Vector(other).Len() != 0 {
		t.Errorf("a space nobody added: %v", err)
	}
	if g, ok := v.Genesis(w.space); !ok || g.ID() != w.genesis().ID() {
		t.Error("no genesis")
	}
}

// Readers go on while the owner writes, and each view stays what it was.
func TestViewsAreReadWhileTheOwnerWrites(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 4)
		s := fresh(t, w, o)
		done := make(chan struct{})
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						readView(t, s.View(), w.space)
					}
				}
			})
		}
		fill(t, s, w, rand.New(rand.NewPCG(7, 8)), func(uint64) {})
		close(done)
		readers.Wait()
	})
}

// readView reads every head of v. It runs beside the test's goroutine.
func readView(t *testing.T, v *View, space memo.SpaceID) {
	root, err := v.VecRoot(space)
	if err != nil {
		t.Error(err)
	}
	for m := range v.All(space).All() {
		got, ok, err := v.Memo(space, m.Author, m.Seq)
		if err != nil || !ok || got.ID() != m.ID {
			t.Errorf("memo %s: %v %v", m.Head, ok, err)
		}
		if id, ok, err := v.ID(space, m.Author, m.Seq); err != nil || !ok || id != m.ID {
			t.Errorf("digest of %s: %s %v %v", m.Head, id, ok, err)
		}
	}
	for m := range v.Vector(space).All() {
		_, last, ok, err := v.NextRun(space, m.Author, m.Seq-1)
		if err != nil || !ok || last != m.Seq {
			t.Errorf("run to %s: %d %v %v", m.Head, last, ok, err)
		}
		if _, err := v.Run(space, m.Author, last); err != nil {
			t.Error(err)
		}
	}
	if again, err := v.VecRoot(space); err != nil || again != root {
		t.Errorf("vecRoot of one view: %s, then %s, %v", root, again, err)
	}
}

func TestReadersOfAClosedStoreGetErrors(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 1)
		s := open(t, t.TempDir(), o)
		s.AddSpace(w.space)
		attach(t, s, w.runs...)
		v := s.View()
		closeStore(t, s)
		if _, err := v.Run(w.space, w.author(0), 1); !errors.Is(err, ErrClosed) && !errors.Is(err, walfs.ErrClosed) {
			t.Errorf("run: %v", err)
		}
		if _, _, err := v.Memo(w.space, w.author(0), 1); !errors.Is(err, ErrClosed) && !errors.Is(err, walfs.ErrClosed) {
			t.Errorf("memo: %v", err)
		}
		if _, err := s.Attach(w.runs); !errors.Is(err, ErrClosed) {
			t.Errorf("attach: %v", err)
		}
		if err := s.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
}
