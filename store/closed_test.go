package store

import (
	"os"
	"path/filepath"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// A start is clean if the last stop was: not after a crash, and not with another log
// than the one that was closed.
func TestCleanStop(t *testing.T) {
	w := newWorld(t, 1)
	dir := t.TempDir()
	start := func(what, dir string, want bool) *Store {
		t.Helper()
		s := open(t, dir, Options{})
		if s.Clean() != want {
			t.Errorf("%s: clean is %v, want %v", what, s.Clean(), want)
		}
		s.AddSpace(w.space)
		return s
	}
	s := start("a new store", dir, true)
	attach(t, s, w.runs[0])
	crashed := filepath.Join(t.TempDir(), "crashed")
	copyDir(t, dir, crashed)
	closeStore(t, s)

	closed := filepath.Join(t.TempDir(), "closed")
	copyDir(t, dir, closed)
	s = start("behind Close", dir, true)
	attach(t, s, w.run(0, 1))
	running := filepath.Join(t.TempDir(), "running")
	copyDir(t, dir, running)
	closeStore(t, s)

	closeStore(t, start("behind a crash of a new store", crashed, false))
	closeStore(t, start("closed behind that crash", crashed, true))
	closeStore(t, start("behind a crash", running, false))

	if err := os.RemoveAll(filepath.Join(dir, "wal")); err != nil {
		t.Fatal(err)
	}
	copyDir(t, filepath.Join(closed, "wal"), filepath.Join(dir, "wal"))
	removeIndex(t, dir)
	closeStore(t, start("an older log beside the mark of a newer one", dir, false))
}

// Whatever a power cut leaves, nobody takes a log with records behind its last clean stop
// for one that was closed.
func TestPowerCutIsNotClean(t *testing.T) {
	for name, pick := range map[string]walfstest.Pick{"nothing": walfstest.Nothing, "everything": walfstest.Everything} {
		w, dir, disk := newWorld(t, 1), t.TempDir(), walfstest.NewDisk()
		on := func(d *walfstest.Disk) Options { return Options{WAL: walfs.Options{FS: d}, KV: NewMemoryKV()} }
		s := open(t, dir, on(disk))
		s.AddSpace(w.space)
		attach(t, s, w.runs[0])
		closeStore(t, s)
		s = open(t, dir, on(disk))
		if !s.Clean() {
			t.Fatal("a store that was closed is not clean")
		}
		after := disk.PowerCut(pick) // before anything was written
		closeStore(t, s)
		if s = open(t, dir, on(after)); s.Clean() {
			t.Errorf("%s survived of what was not synced: a store that was open is clean", name)
		}
		closeStore(t, s)
	}
}
