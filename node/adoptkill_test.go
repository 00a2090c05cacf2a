package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"lightcone/memo"
	"lightcone/p2p/gossip"
	"lightcone/walfs"
)

// watchedFS tells before each write of the log.
type watchedFS struct {
	walfs.FS
	before *atomic.Pointer[func()]
}

func (f watchedFS) Create(name string) (walfs.File, error) {
	file, err := f.FS.Create(name)
	return watchedFile{file, f.before}, err
}

type watchedFile struct {
	walfs.File
	before *atomic.Pointer[func()]
}

func (f watchedFile) WriteAt(b []byte, off int64) (int, error) {
	if told := f.before.Load(); told != nil {
		(*told)()
	}
	return f.File.WriteAt(b, off)
}

// TestKilledWhileAdopting: the process dies before any write of the log during an
// adoption of several records, and one after: a node that starts on what is left has
// all of the state or nothing of it, and all once it was told to anybody.
func TestKilledWhileAdopting(t *testing.T) {
	maker, err := openNode(t, t.TempDir(), Options{}).CreateSpace("default", Policy{Trust: memo.Adopt})
	if err != nil {
		t.Fatal(err)
	}
	text, err := memo.Text(strings.Repeat("x", 100_000))
	if err != nil {
		t.Fatal(err)
	}
	var before atomic.Pointer[func()]
	late := enter(t, openNode(t, t.TempDir(), Options{LogFS: watchedFS{walfs.OS, &before}}), maker)
	copyMemos(t, maker, late, 1)
	for i := range 9 {
		if _, err := maker.Put(t.Context(), "t", fmt.Sprint("row", i), Fields{"v": text}); err != nil {
			t.Fatal(err)
		}
	}
	nothing := digestOf(t, late)
	if err := late.node.store.Sync(); err != nil {
		t.Fatal(err)
	}
	w := wordOf(t, maker)
	var left []string
	kill := func() {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(len(left)))
		if err := os.CopyFS(dir, os.DirFS(late.node.dir)); err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		left = append(left, dir)
	}
	before.Store(&kill)
	w.say(t, late, gossip.StatePart)
	waitUntil(t, "the state is adopted", func() bool { return covers(late, maker) })
	late.node.onOwner(t, func(*owner) { before.Store(nil) })
	kill()
	all := digestOf(t, maker)
	adopted := 0
	for i, dir := range left {
		if err := os.Chmod(filepath.Join(dir, keyFile), 0o600); err != nil { // a copy is open to all
			t.Fatal(err)
		}
		s := reopen(t, dir)
		switch got := digestOf(t, s); {
		case got == all && covers(s, maker):
			adopted++
		case got != nothing || adopted > 0 || covers(s, maker):
			t.Errorf("killed before write %d of %d: digest %x", i, len(left), got)
		}
	}
	if adopted == 0 || len(left)-adopted < 5 {
		t.Errorf("adopted after %d of %d kills", adopted, len(left))
	}
}
