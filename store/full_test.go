package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/walfs"
)

// patience bounds what a test waits for; only a failing one waits that long.
const patience = 2 * time.Minute

// sickFS fails every write of the index once good of them went well.
type sickFS struct {
	vfs.FS
	good *atomic.Int64
	sick error
}

func (s sickFS) fault() error {
	if s.good.Add(-1) < 0 {
		return s.sick
	}
	return nil
}

func (s sickFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := s.fault(); err != nil {
		return nil, err
	}
	f, err := s.FS.Create(name, c)
	return sickFile{f, s}, err
}

func (s sickFS) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	return sickFile{f, s}, err
}

type sickFile struct {
	vfs.File
	fs sickFS
}

func (f sickFile) Write(p []byte) (int, error) {
	if err := f.fs.fault(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2]) // a full disk takes what fits
		return n, err
	}
	return f.File.Write(p)
}

func (f sickFile) Sync() error {
	if err := f.fs.fault(); err != nil && !walfs.NoSpace(err) {
		return err
	}
	return f.File.Sync()
}

// openSick opens a store whose index is on a sickFS, which is well.
func openSick(t *testing.T, dir string, sick error) (*Store, *pebbleKV, *atomic.Int64) {
	t.Helper()
	good := new(atomic.Int64)
	good.Store(1 << 40)
	kv, err := openPebble(filepath.Join(dir, "kv"), sickFS{vfs.Default, good, sick}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, dir, Options{KV: kv}), kv.(*pebbleKV), good
}

// atEachWrite runs f with an index of which all writes behind the n-th fail, for
// every n of the writes of a checkpoint.
func atEachWrite(t *testing.T, sick error, f func(t *testing.T, w *world, dir string, s *Store, kv *pebbleKV, good *atomic.Int64)) {
	writes := int64(1)
	for n := int64(0); n <= writes; n++ {
		t.Run(fmt.Sprintf("behind %d", n), func(t *testing.T) {
			w, dir := newWorld(t, 3), t.TempDir()
			s, kv, good := openSick(t, dir, sick)
			fill(t, s, w, rand.New(rand.NewPCG(1, 2)), func(uint64) {})
			if n == 0 { // how many are there?
				good.Store(1 << 40)
				if err := s.Checkpoint(); err != nil {
					t.Fatal(err)
				}
				writes = 1<<40 - good.Load()
				attach(t, s, w.run(1, 2))
			}
			good.Store(n)
			f(t, w, dir, s, kv, good)
		})
	}
	if writes < 5 {
		t.Errorf("a checkpoint had %d writes: this test has nothing to fail", writes)
	}
}

// TestFullIndex: whichever write of the index finds the disk full, appending is
// refused, reading goes on, and so does appending once there is room; or the store
// closes at once and the next one has everything.
func TestFullIndex(t *testing.T) {
	atEachWrite(t, syscall.ENOSPC, func(t *testing.T, w *world, dir string, s *Store, kv *pebbleKV, good *atomic.Int64) {
		err := s.Checkpoint()
		if err != nil && !errors.Is(err, ErrFull) {
			t.Fatalf("checkpoint on a full disk: %v", err)
		}
		full := err != nil
		before := ask(t, s, w)
		run := w.run(1, 2)
		if full {
			if _, err := s.Attach([]*memo.Run{run}); !errors.Is(err, ErrFull) {
				t.Fatalf("attach on a full disk: %v", err)
			}
			if diff := cmp.Diff(before, ask(t, s, w)); diff != "" {
				t.Fatal(diff)
			}
			good.Store(1 << 40)
			for end := time.Now().Add(patience); kv.Ready() != nil; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("there is room, and still: %v", kv.Ready())
				}
			}
		}
		attach(t, s, run)
		good.Store(0)
		want := ask(t, s, w)
		closeStore(t, s) // without writing the index
		s = open(t, dir, Options{})
		defer closeStore(t, s)
		if diff := cmp.Diff(want, ask(t, s, w)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestFailedIndex: whichever write of the index fails, for whatever reason, the
// store says so, takes nothing more, goes on reading, and closes.
func TestFailedIndex(t *testing.T) {
	atEachWrite(t, syscall.EIO, func(t *testing.T, w *world, dir string, s *Store, _ *pebbleKV, good *atomic.Int64) {
		err := s.Checkpoint()
		if err == nil {
			good.Store(1 << 40)
			closeStore(t, s)
			return
		}
		if !errors.Is(err, ErrBroken) || errors.Is(err, ErrFull) {
			t.Fatalf("checkpoint: %v", err)
		}
		want := ask(t, s, w)
		if _, err := s.Attach([]*memo.Run{w.run(1, 2)}); !errors.Is(err, ErrBroken) {
			t.Fatalf("attach: %v", err)
		}
		if diff := cmp.Diff(want, ask(t, s, w)); diff != "" {
			t.Fatal(diff)
		}
		if err := s.Close(); !errors.Is(err, ErrBroken) {
			t.Fatalf("close: %v", err)
		}
		s = open(t, dir, Options{})
		defer closeStore(t, s)
		if diff := cmp.Diff(want, ask(t, s, w)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestReserve: below the reserve nothing is written, though the log has room;
// reading goes on, and writing when there is room again.
func TestReserve(t *testing.T) {
	const (
		total   = 4 << 20
		reserve = total / 16
	)
	var free atomic.Int64
	free.Store(total)
	usage := func(string) (uint64, uint64, error) { return uint64(free.Load()), total, nil }
	w, dir := newWorld(t, 2), t.TempDir()
	s := open(t, dir, Options{Usage: usage})
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	if size := s.log.Recovery(); size.Segments != 1 || segmentSize(t, dir) > total-reserve {
		t.Errorf("the log took the reserve: a segment of %d bytes", segmentSize(t, dir))
	}
	own := w.next(0, 1)
	seal := w.sign(0, own[0])
	free.Store(reserve + MinSegmentSize - 1)
	want := ask(t, s, w)
	if _, err := s.AppendOwn(walfs.Group, own, &seal); !errors.Is(err, ErrFull) || errors.Is(err, ErrUnsure) {
		t.Errorf("own memo on a full disk: %v", err)
	}
	if _, err := s.Attach([]*memo.Run{w.run(1, 1)}); !errors.Is(err, ErrFull) {
		t.Errorf("attach on a full disk: %v", err)
	}
	if diff := cmp.Diff(want, ask(t, s, w)); diff != "" {
		t.Error(diff)
	}
	free.Store(reserve + MinSegmentSize)
	if _, err := s.AppendOwn(walfs.Group, own, &seal); err != nil {
		t.Errorf("own memo with room again: %v", err)
	}
	closeStore(t, s)
}

func segmentSize(t *testing.T, dir string) int64 {
	t.Helper()
	f, err := walfs.OS.Open(filepath.Join(dir, "wal", "00000000000000000001.wal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// sickLog is a log's disk whose syncs fail once it is told so.
type sickLog struct {
	walfs.FS
	sick *atomic.Bool
}

func (l sickLog) Create(name string) (walfs.File, error) {
	f, err := l.FS.Create(name)
	return sickSync{f, l.sick}, err
}

type sickSync struct {
	walfs.File
	sick *atomic.Bool
}

func (f sickSync) Sync() error {
	if f.sick.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// TestStoppedLog: the write whose sync failed may be there after a restart, and
// says so; those after it are not, and say that.
func TestStoppedLog(t *testing.T) {
	w, sick := newWorld(t, 2), new(atomic.Bool)
	s := open(t, t.TempDir(), Options{WAL: walfs.Options{FS: sickLog{walfs.OS, sick}}})
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	want := marks(s.View().All(w.space))
	sick.Store(true)
	own := w.next(0, 2)
	first, second := w.sign(0, own[0]), w.sign(0, own[1])
	if _, err := s.AppendOwn(walfs.Group, own[:1], &first); !errors.Is(err, walfs.ErrStopped) || !errors.Is(err, ErrUnsure) {
		t.Errorf("the write whose sync failed: %v", err)
	}
	sick.Store(false) // too late
	if _, err := s.AppendOwn(walfs.Group, own, &second); !errors.Is(err, walfs.ErrStopped) || errors.Is(err, ErrUnsure) {
		t.Errorf("the write after it: %v", err)
	}
	if err := s.Ready(); !errors.Is(err, walfs.ErrStopped) {
		t.Errorf("ready: %v", err)
	}
	if diff := cmp.Diff(want, marks(s.View().All(w.space))); diff != "" {
		t.Error(diff)
	}
	if err := s.Close(); !errors.Is(err, walfs.ErrStopped) {
		t.Errorf("close: %v", err)
	}
}

// TestRottenIndex: a damaged block of the index is an error to who reads it and
// stops appending; it does not end the process. Open rebuilds the index.
func TestRottenIndex(t *testing.T) {
	w, dir := newWorld(t, 1), t.TempDir()
	s := open(t, dir, Options{})
	s.AddSpace(w.space)
	attach(t, s, w.runs...)
	for range 20 {
		attach(t, s, w.run(0, memo.MaxRunMemos))
	}
	want := marks(s.View().Vector(w.space))
	closeStore(t, s)
	s = open(t, dir, Options{})
	rot(t, dir) // behind the back of the open store
	failed := false
	for seq := uint64(1); seq <= 20*memo.MaxRunMemos && !failed; seq++ {
		_, _, err := s.View().ID(w.space, w.author(0), seq)
		failed = err != nil
	}
	if !failed {
		t.Fatal("nobody noticed the damage")
	}
	if _, err := s.Attach([]*memo.Run{w.run(0, 1)}); !errors.Is(err, ErrBroken) {
		t.Errorf("attach to a damaged index: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrBroken) {
		t.Errorf("close: %v", err)
	}
	s = open(t, dir, Options{})
	defer closeStore(t, s)
	if diff := cmp.Diff(want, marks(s.View().Vector(w.space))); diff != "" {
		t.Error(diff)
	}
}

// rot flips a bit in every 512 bytes of the index's tables.
func rot(t *testing.T, dir string) {
	t.Helper()
	tables, err := filepath.Glob(filepath.Join(dir, "kv", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, name := range tables {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		for off := int64(0); err == nil; off += 512 {
			if _, err = f.ReadAt(b, off); err == nil {
				b[0] ^= 1
				_, err = f.WriteAt(b, off)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
