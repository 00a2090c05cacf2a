package store

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

// answers is everything a store says of a space.
type answers struct {
	Spaces      []memo.SpaceID
	Vector, All []memo.Mark
	Root        memo.ID
	Log         []memo.ID
	Unsealed    []uint64
	Runs        [][]byte
	Orders      []uint64
	Memos       [][]byte
}

// ask asks s everything about w's space.
func ask(t tester, s *Store, w *world) answers {
	t.Helper()
	v := s.View()
	root, err := v.VecRoot(w.space)
	if err != nil {
		t.Fatal(err)
	}
	a := answers{
		Spaces: s.Spaces(), Vector: marks(v.Vector(w.space)), All: marks(v.All(w.space)), Root: root,
		Log: replay(t, s, w.space), Unsealed: seqs(s.Unsealed(w.space, w.author(0))),
	}
	for _, m := range a.All {
		for seq := uint64(1); seq <= m.Seq; seq++ {
			m, ok, err := v.Memo(w.space, m.Author, seq)
			if err != nil || !ok {
				t.Fatalf("memo %d of %s: %v %v", seq, m.Author, ok, err)
			}
			data, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			a.Memos = append(a.Memos, data)
		}
	}
	for _, m := range a.Vector {
		for at := uint64(0); at < m.Seq; {
			order, last, ok, err := v.NextRun(w.space, m.Author, at)
			if err != nil || !ok {
				t.Fatalf("run behind %d of %s: %v %v", at, m.Author, ok, err)
			}
			data, err := v.Run(w.space, m.Author, last)
			if err != nil {
				t.Fatal(err)
			}
			a.Runs, a.Orders, at = append(a.Runs, data), append(a.Orders, order), last
		}
	}
	return a
}

// fill gives s a chain of its own (author 0) and foreign runs, and calls step
// after every call. It returns the own memos acknowledged as durable.
func fill(t *testing.T, s *Store, w *world, rng *rand.Rand, step func(acked uint64)) {
	seal := w.sign(0, w.genesis())
	appendOwn(t, s, walfs.Group, w.runs[0].Memos, &seal)
	acked := uint64(1)
	step(acked)
	for range 30 {
		switch i := 1 + rng.IntN(len(w.keys)-1); rng.IntN(4) {
		case 0:
			attach(t, s, w.run(i, 1+rng.IntN(5), w.heads[0]))
		case 1:
			attach(t, s, w.run(i, 1))
		default:
			own(t, s, w, rng, &acked)
		}
		step(acked)
	}
}

func own(t *testing.T, s *Store, w *world, rng *rand.Rand, acked *uint64) {
	d := []walfs.Durability{walfs.None, walfs.Group}[rng.IntN(2)]
	memos := w.next(0, 1+rng.IntN(3))
	last := memos[len(memos)-1]
	seal := w.sign(0, last)
	switch rng.IntN(3) {
	case 0:
		appendOwn(t, s, d, memos, &seal)
		d = walfs.Group
	case 1:
		appendOwn(t, s, d, memos, nil)
	case 2:
		appendOwn(t, s, d, memos, nil)
		if err := s.SealOwn(w.space, w.author(0), seal); err != nil {
			t.Fatal(err)
		}
		d = walfs.Group
	}
	if d == walfs.Group {
		*acked = last.Seq
	}
}

func TestReopenedStoreGivesTheSameAnswers(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 4)
		dir := t.TempDir()
		s := open(t, dir, o)
		fill(t, s, w, rand.New(rand.NewPCG(1, 2)), func(uint64) {})
		want := ask(t, s, w)
		closeStore(t, s)
		for _, change := range []struct {
			name string
			do   func()
		}{
			{"as it was", func() {}},
			{"no index", func() { removeIndex(t, dir) }},
			{"index of another version", func() { writeIndex(t, dir, &o, stateKey, []byte{99}) }},
			{"index without its reach", func() { writeIndex(t, dir, &o, stateKey, nil) }},
			{"index damaged", func() { damageIndex(t, dir) }},
			{"index that contradicts the log", func() {
				writeIndex(t, dir, &o, string(seqKey(prefixMemo, w.space, w.author(0), 1)), place{id: memo.ID{1}}.encode())
			}},
		} {
			change.do()
			s := open(t, dir, o)
			if diff := cmp.Diff(want, ask(t, s, w)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", change.name, diff)
			}
			closeStore(t, s)
		}
	})
}

// writeIndex changes one entry of a closed store's index.
func writeIndex(t *testing.T, dir string, o *Options, key string, value []byte) {
	kv := o.KV
	if kv == nil {
		var err error
		if kv, err = openPebble(filepath.Join(dir, "kv"), vfs.Default, o.withDefaults().Logger); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(kv.Apply([]Item{{[]byte(key), value}}), kv.Flush(true), kv.Close()); err != nil {
		t.Fatal(err)
	}
}

// damageIndex overwrites every file of the index but its lock.
func damageIndex(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "kv", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) == "LOCK" {
			continue
		}
		if err := os.WriteFile(f, []byte("not what was written here"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The process dies at any moment: what the directory holds then opens, holds
// every acknowledged memo, and answers as if the index were built anew.
func TestKilledAtAnyMoment(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	w := newWorld(t, 4)
	dir := t.TempDir()
	s := open(t, dir, Options{WAL: smallSegments})
	defer closeStore(t, s)
	fill(t, s, w, rng, func(acked uint64) {
		if rng.IntN(3) == 0 { // a memtable happens to be written now
			if err := s.kv.Flush(true); err != nil {
				t.Fatal(err)
			}
		}
		if testing.Short() && rng.IntN(6) > 0 {
			return
		}
		crashed := t.TempDir()
		copyDir(t, dir, crashed)
		c := open(t, crashed, Options{WAL: smallSegments})
		got := ask(t, c, w)
		closeStore(t, c)
		if m := c.View().All(w.space); !m.Covers(w.author(0), acked) {
			t.Fatalf("acknowledged memo %d is lost", acked)
		}
		if diff := cmp.Diff(ask(t, s, w), got); diff != "" {
			t.Fatalf("after the crash (-want +got):\n%s", diff)
		}
		removeIndex(t, crashed)
		c = open(t, crashed, Options{WAL: smallSegments})
		defer closeStore(t, c)
		if diff := cmp.Diff(got, ask(t, c, w)); diff != "" {
			t.Fatalf("rebuilt (-want +got):\n%s", diff)
		}
	})
}

// A power cut may take the end of the log that was never synced, though the
// index had it already: the index is rebuilt to where the log ends.
func TestIndexAheadOfAnUnsyncedEnd(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		dir := t.TempDir()
		s := open(t, dir, o)
		s.AddSpace(w.space)
		attach(t, s, w.runs[0])
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		want, cut := ask(t, s, w), t.TempDir()
		copyDir(t, filepath.Join(dir, "wal"), filepath.Join(cut, "wal"))
		attach(t, s, w.run(1, 3))
		if err := s.kv.Flush(true); err != nil {
			t.Fatal(err)
		}
		if o.KV == nil {
			copyDir(t, filepath.Join(dir, "kv"), filepath.Join(cut, "kv"))
		}
		t.Cleanup(func() { // not Close, which would write the shared index
			if err := errors.Join(s.kv.Close(), s.log.Close()); err != nil {
				t.Error(err)
			}
		})
		c := open(t, cut, o)
		if diff := cmp.Diff(want, ask(t, c, w)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		closeStore(t, c)
	})
}

func TestLogRestoredFromAnOlderCopyIsRefused(t *testing.T) {
	eachIndex(t, func(t *testing.T, o Options) {
		w := newWorld(t, 2)
		dir, old := t.TempDir(), t.TempDir()
		s := open(t, dir, o)
		s.AddSpace(w.space)
		attach(t, s, w.runs[0])
		copyDir(t, filepath.Join(dir, "wal"), old)
		attach(t, s, w.run(1, 3))
		closeStore(t, s)
		if err := os.RemoveAll(filepath.Join(dir, "wal")); err != nil {
			t.Fatal(err)
		}
		copyDir(t, old, filepath.Join(dir, "wal"))
		if _, err := Open(dir, o); !errors.Is(err, ErrLogBehind) {
			t.Fatalf("opened over an older log: %v", err)
		}
	})
}

// Damage of the log is told in walfs's words, and nothing is changed.
func TestDamagedLogIsReported(t *testing.T) {
	w := newWorld(t, 2)
	dir := t.TempDir()
	o := Options{WAL: smallSegments}
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs[0], w.run(1, 5), w.run(1, 5))
	closeStore(t, s)
	removeIndex(t, dir)
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(data)
	bad[200] ^= 1
	if err := os.WriteFile(segments[0], bad, 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *walfs.DamageError
	if _, err := Open(dir, o); !errors.As(err, &damage) {
		t.Fatalf("opened a damaged log: %v", err)
	}
	if err := os.WriteFile(segments[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, o)
	defer closeStore(t, s)
	if diff := cmp.Diff(marks(w.vector()), marks(s.View().Vector(w.space))); diff != "" {
		t.Fatal(diff)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("opened twice: %v", err)
	}
	closeStore(t, s)
	closeStore(t, open(t, dir, Options{}))
}

// An index that belongs to another log, as long as this one, is found out.
func TestIndexOfAnotherLogIsRebuilt(t *testing.T) {
	w := newWorld(t, 2)
	var want [2]answers
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		s := open(t, dir, Options{})
		s.AddSpace(w.space)
		w.heads[1] = nil // both branches of author 1 start anew
		attach(t, s, w.runs[0], w.run(1, 1+i))
		want[i] = ask(t, s, w)
		closeStore(t, s)
	}
	removeIndex(t, dirs[1])
	copyDir(t, filepath.Join(dirs[0], "kv"), filepath.Join(dirs[1], "kv"))
	s := open(t, dirs[1], Options{})
	defer closeStore(t, s)
	if diff := cmp.Diff(want[1], ask(t, s, w)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// The store prunes nothing yet, and needs what somebody else pruned: the genesis of
// each space, and all of the log when the index has to be built. It says so, and
// leaves the index, which nobody could build again, as it is.
func TestPrunedLogIsRefused(t *testing.T) {
	w := newWorld(t, 2)
	dir := t.TempDir()
	o := Options{WAL: smallSegments}
	s := open(t, dir, o)
	s.AddSpace(w.space)
	attach(t, s, w.runs[0])
	for s.log.Size() < 2*MinSegmentSize {
		attach(t, s, w.run(1, 60))
	}
	s.log.Checkpoint(s.log.Last())
	if first, err := s.log.Prune(s.log.Last()); err != nil || first == 1 {
		t.Fatal(first, err)
	}
	if err := s.Replay(0, func(Record) error { return nil }); !errors.Is(err, ErrPruned) {
		t.Fatalf("replayed what is not there: %v", err)
	}
	closeStore(t, s)
	for _, ruin := range []func(){
		func() {},
		func() { writeIndex(t, dir, &o, stateKey, []byte{99}) },
	} {
		ruin()
		if _, err := Open(dir, o); !errors.Is(err, ErrPruned) {
			t.Fatalf("opened over a pruned log: %v", err)
		}
		kv, err := openPebble(filepath.Join(dir, "kv"), vfs.Default, o.withDefaults().Logger)
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for range scan(kv, []byte{prefixMemo}) {
			left++
		}
		if err := kv.Close(); err != nil || left == 0 {
			t.Fatalf("%d memos are left in the index, %v", left, err)
		}
	}
	removeIndex(t, dir)
	if _, err := Open(dir, o); !errors.Is(err, ErrPruned) {
		t.Fatalf("opened over a pruned log, without an index: %v", err)
	}
}
