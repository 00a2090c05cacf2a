package projection

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lightcone/memo"
)

// smallDisk mounts a disk of so many bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this user may not mount a small disk")
	}
	must(t, err)
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fillDisk takes what is free on the disk of dir.
func fillDisk(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "filler")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return path
}

// TestFullDisk: while the file cannot grow, Apply waits for nothing and readers
// see everything; when there is room it is written, and when there is none before
// Close, the file is as it was.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	path := filepath.Join(dir, "projection")
	o := Options{FlushBytes: 10_000, MaxBytes: 20_000, FlushInterval: never}
	db := mustOpen(t, path, o)
	var log []record
	apply := func(n int) {
		for range n {
			lsn := uint64(len(log) + 1)
			cs := []Change{edits(memo.Time(lsn), strings.Repeat("x", 1000), fmt.Sprintf("row %03d", lsn))}
			log = append(log, record{lsn: lsn, changes: cs})
			must(t, db.Apply(lsn, cs))
		}
	}
	check := func(db *DB) {
		t.Helper()
		s := snapshot(t, db)
		defer s.Close()
		sameStates(t, s, log)
	}
	apply(5)
	must(t, db.Flush())
	for range 2 {
		filler := fillDisk(t, dir)
		before := db.Applied()
		apply(5)
		if err := db.Flush(); !errors.Is(err, ErrFull) {
			t.Fatalf("Flush on a full disk: %v", err)
		}
		apply(60) // far more than MaxBytes
		if err := db.Ready(); !errors.Is(err, ErrFull) || db.Applied() != before {
			t.Fatalf("Ready on a full disk: %v; the file reaches %d, before %d", err, db.Applied(), before)
		}
		check(db)
		must(t, os.Remove(filler))
		for end := time.Now().Add(2 * time.Minute); db.Ready() != nil; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("there is room, and still: %v", db.Ready())
			}
		}
		must(t, db.Flush())
		check(db)
	}
	reached := db.Applied()
	fillDisk(t, dir)
	apply(20)
	must(t, db.Close())
	db = mustOpen(t, path, o)
	if n := db.Applied(); n < reached || n == uint64(len(log)) { // pages that were free may take some
		t.Errorf("the file reaches %d of %d, before the disk was full %d", n, len(log), reached)
	}
	log = log[:db.Applied()]
	check(db)
	must(t, db.Close())
}
