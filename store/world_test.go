package store

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lightcone/memo"
	"lightcone/walfs"
)

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// smallSegments makes the log rotate within a test.
var smallSegments = walfs.Options{SegmentSize: MinSegmentSize}

// world makes memos and sealed runs of a few authors in one space.
type world struct {
	t      tester
	space  memo.SpaceID
	keys   []ed25519.PrivateKey
	heads  []*memo.Memo // the end of each author's chain, nil before it
	runs   []*memo.Run  // in the order they were made, a causal one
	rights memo.Rights
	trust  memo.Trust
	roots  []int // authors whose keys the genesis lists
	name   string
}

func newWorld(t tester, authors int) *world { return newWorldOf(t, authors, memo.Open) }

// newWorldOf makes a space by author 0, whose genesis is the first run.
func newWorldOf(t tester, authors int, rights memo.Rights) *world {
	return begin(&world{t: t, heads: make([]*memo.Memo, authors), rights: rights})
}

// newAdoptWorld is newWorld, in a space where state is adopted.
func newAdoptWorld(t tester, authors int) *world {
	return begin(&world{t: t, heads: make([]*memo.Memo, authors), trust: memo.Adopt})
}

func begin(w *world) *world {
	for i := range w.heads {
		seed := memo.Sum([]byte{byte(i)})
		w.keys = append(w.keys, ed25519.NewKeyFromSeed(seed[:]))
	}
	var roots []memo.Author
	for _, i := range w.roots {
		roots = append(roots, w.author(i))
	}
	g := w.memo(memo.Memo{Author: w.author(0), Seq: 1, Time: memo.Next(1), Body: &memo.Genesis{
		Name: "test" + w.name, RootKeys: roots, Rights: w.rights, Trust: w.trust, W: memo.DefaultW, M: memo.DefaultM, D: memo.DefaultD, Rho: memo.DefaultRho,
	}})
	w.space, w.heads[0] = g.SpaceID(), g
	w.runs = append(w.runs, w.seal(0, g))
	return w
}

func (w *world) author(i int) memo.Author {
	return memo.Author(w.keys[i].Public().(ed25519.PublicKey))
}

func (w *world) memo(m memo.Memo) *memo.Memo {
	w.t.Helper()
	out, err := memo.New(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) genesis() *memo.Memo { return w.runs[0].Memos[0] }

func (w *world) sign(i int, m *memo.Memo) memo.Seal { return memo.Sign(w.keys[i], w.space, m.Head()) }

func (w *world) seal(i int, memos ...*memo.Memo) *memo.Run {
	return &memo.Run{Space: w.space, Memos: memos, Seal: w.sign(i, memos[len(memos)-1])}
}

func edit(n int) *memo.Edit {
	return &memo.Edit{Topics: []memo.TopicEdit{{Topic: "t", Rows: []memo.RowEdit{{
		Row:    memo.Bytes(fmt.Sprintf("row %d", n)),
		Deltas: []memo.Delta{{Field: "f", Op: memo.Op{Set: true, Value: memo.Int(int64(n))}}},
	}}}}}
}

// next extends the chain of author i by n memos, the first of which depends on
// deps, and on the genesis if it is the author's first.
func (w *world) next(i, n int, deps ...*memo.Memo) []*memo.Memo {
	w.t.Helper()
	byAuthor := map[memo.Author]memo.Head{}
	for _, d := range deps {
		if d.Author != w.author(i) {
			byAuthor[d.Author] = d.Head()
		}
	}
	if w.heads[i] == nil {
		byAuthor[w.genesis().Author] = w.genesis().Head()
	}
	heads := slices.Collect(maps.Values(byAuthor))
	memo.SortDeps(heads)
	var memos []*memo.Memo
	for k := range n {
		m := memo.Memo{Space: w.space, Author: w.author(i), Seq: 1, Time: memo.Next(uint64(len(w.runs))), Body: edit(k)}
		if prev := w.heads[i]; prev != nil {
			m.Seq, m.Prev, m.Time = prev.Seq+1, prev.ID(), memo.Next(0, prev.Time)
		}
		if k == 0 {
			m.Deps = heads
		}
		w.heads[i] = w.memo(m)
		memos = append(memos, w.heads[i])
	}
	return memos
}

// run is next, sealed.
func (w *world) run(i, n int, deps ...*memo.Memo) *memo.Run {
	w.t.Helper()
	r := w.seal(i, w.next(i, n, deps...)...)
	w.runs = append(w.runs, r)
	return r
}

// vector is the cut of all runs made so far.
func (w *world) vector() (v memo.Vector) {
	for _, r := range w.runs {
		v.Set(memo.Mark{Head: r.Head(), Time: r.Memos[len(r.Memos)-1].Time})
	}
	return v
}

// draw makes up to 24 runs of all authors with dependencies as they come.
func (w *world) draw(t *rapid.T) {
	for range rapid.IntRange(1, 24).Draw(t, "runs") {
		i := rapid.IntRange(0, len(w.keys)-1).Draw(t, "author")
		var deps []*memo.Memo
		for range rapid.IntRange(0, 3).Draw(t, "deps") {
			r := w.runs[rapid.IntRange(0, len(w.runs)-1).Draw(t, "cause")]
			deps = append(deps, r.Memos[rapid.IntRange(0, len(r.Memos)-1).Draw(t, "memo")])
		}
		w.run(i, rapid.IntRange(1, 4).Draw(t, "memos"), deps...)
	}
}

// shuffle draws an order of delivery in which runs come once or more.
func (w *world) shuffle(t *rapid.T) []*memo.Run {
	again := rapid.SliceOf(rapid.SampledFrom(w.runs)).Draw(t, "again")
	return rapid.Permutation(append(slices.Clone(w.runs), again...)).Draw(t, "order")
}

// indexes are the two implementations of KV, by the name of the subtest.
var indexes = map[string]func() KV{
	"pebble": func() KV { return nil },
	"memory": NewMemoryKV,
}

// eachIndex runs f with either index.
func eachIndex(t *testing.T, f func(t *testing.T, o Options)) {
	for name, kv := range indexes {
		t.Run(name, func(t *testing.T) { f(t, Options{WAL: smallSegments, KV: kv()}) })
	}
}

func open(t tester, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t tester, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// fresh opens a new store that takes part in w's space.
func fresh(t *testing.T, w *world, o Options) *Store {
	s := open(t, t.TempDir(), o)
	t.Cleanup(func() { closeStore(t, s) })
	s.AddSpace(w.space)
	return s
}

func attach(t tester, s *Store, runs ...*memo.Run) Result {
	t.Helper()
	res, err := s.Attach(runs)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// eachMemo is a callback of Replay that sees to memos.
func eachMemo(f func(lsn uint64, m *memo.Memo) error) func(Record) error {
	return func(rec Record) error {
		for _, m := range rec.Memos {
			if err := f(rec.LSN, m); err != nil {
				return err
			}
		}
		return nil
	}
}

// replay returns what the log holds, and fails unless its order is causal.
func replay(t tester, s *Store, space memo.SpaceID) []memo.ID {
	t.Helper()
	var cut memo.Vector
	var ids []memo.ID
	var before uint64
	err := s.Replay(0, eachMemo(func(lsn uint64, m *memo.Memo) error {
		mark, _ := cut.Get(m.Author)
		if m.SpaceID() != space || m.Seq != mark.Seq+1 || m.Prev != mark.ID || lsn < before {
			t.Fatalf("record %d: %s after %s", lsn, m.Head(), mark.Head)
		}
		for _, d := range m.Deps {
			if !cut.Covers(d.Author, d.Seq) {
				t.Fatalf("record %d: %s before its cause %s", lsn, m.Head(), d)
			}
		}
		cut.Set(memo.Mark{Head: m.Head(), Time: m.Time})
		ids, before = append(ids, m.ID()), lsn
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func marks(v memo.Vector) []memo.Mark { return slices.Collect(v.All()) }

func sorted(ids []memo.ID) []memo.ID {
	slices.SortFunc(ids, memo.ID.Compare)
	return ids
}

// ids returns the digests of all memos of w's runs, ascending.
func (w *world) ids() (ids []memo.ID) {
	for _, r := range w.runs {
		for _, m := range r.Memos {
			ids = append(ids, m.ID())
		}
	}
	return sorted(ids)
}

// tempDir makes a directory below base that rapid's repetitions do not share.
func tempDir(t tester, base string) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "store")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyDir copies a directory as a crash of the process would leave it. Files
// that the index deletes meanwhile are left out.
func copyDir(t tester, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		if err == nil && relErr == nil && d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		var data []byte
		if err == nil {
			data, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func removeIndex(t tester, dir string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, "kv")); err != nil {
		t.Fatal(err)
	}
}

// oneGoroutine leaves a test out where -short looks for races alone.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
}
