package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lightcone/walfs"
)

// TestRotBehindAnOpenStore: what was read once and rots then is damage, whoever asks;
// nobody is told other bytes.
func TestRotBehindAnOpenStore(t *testing.T) {
	w, dir := newWorld(t, 2), t.TempDir()
	s := open(t, dir, Options{WAL: smallSegments})
	defer closeStore(t, s)
	s.AddSpace(w.space)
	run := w.run(1, 5)
	attach(t, s, w.runs[0], run)
	v, last := s.View(), run.Memos[len(run.Memos)-1]
	raw, err := v.Run(w.space, last.Author, last.Seq)
	if err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(segments[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(file, raw)
	for _, i := range []int{at, at + len(raw)/2, at + len(raw) - 1} { // head, body, seal
		flip := func() {
			file[i] ^= 4
			if _, err := f.WriteAt(file[i:i+1], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		flip()
		var damage *walfs.DamageError
		if got, err := v.Run(w.space, last.Author, last.Seq); !errors.As(err, &damage) {
			t.Errorf("byte %d: Run gives %d bytes, %v", i-at, len(got), err)
		}
		if _, _, err := v.Memo(w.space, last.Author, last.Seq); !errors.As(err, &damage) {
			t.Errorf("byte %d: Memo: %v", i-at, err)
		}
		if err := follow(v); !errors.As(err, &damage) {
			t.Errorf("byte %d: the feed: %v", i-at, err)
		}
		flip()
	}
	if err := follow(v); err != nil {
		t.Errorf("sound again: %v", err)
	}
}

// follow reads the whole feed.
func follow(v *View) error {
	f, err := v.Feed(1)
	for ok := true; ok && err == nil; {
		_, ok, err = f.Next(v.log.Last())
	}
	return errors.Join(err, f.Close())
}
