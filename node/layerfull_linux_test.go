package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lightcone/memo"
)

// A disk that runs full while a state is fetched ends the fetch with that reason and
// loses nothing: reading goes on, and with room again state and memos come.
func TestDiskFullDuringAFetch(t *testing.T) {
	t.Parallel() // it waits for its link
	disk := t.TempDir()
	err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=128m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("this user may not mount a small disk")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	a := fullOf(t, lateRows, 600)
	var b *linked
	var link *slowLink
	slower(t, 500_000, func(rate int) bool {
		dir := filepath.Join(disk, fmt.Sprint(rate))
		b = startLinked(t, dir, Options{SegmentSize: 1 << 20})
		link = joinOver(t, a, b, rate)
		some := false
		waitUntil(t, "some of the state is here, or all memos", func() bool {
			l := layerOf(t, b)
			some = l != nil && l.Ready && l.Blocks > 300
			return some || b.Spaces()[0].Memos > lateRows
		})
		if !some {
			b.stop(t)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		return some
	})
	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	for err == nil {
		_, err = f.Write(make([]byte, 1<<16))
	}
	if !errors.Is(err, syscall.ENOSPC) || f.Close() != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the fetch ended", func() bool { return layerOf(t, b) == nil })
	had := b.Spaces()[0].Memos
	if st, err := b.Status(t.Context()); err != nil || !errors.Is(st.WritesRefused, ErrDiskFull) {
		t.Errorf("writes are refused because of %v; %v", st.WritesRefused, err)
	}
	if _, err := b.space.fetchRoot(t.Context(), memo.ID{1}, [8]byte(a.id[:8]), 1); err == nil {
		t.Error("a root that is none was fetched")
	}
	if row, err := b.space.Session(local).Get(t.Context(), "t", rowName(3)); had > 10 && (err != nil || row.Fields["i"] != memo.Int(3)) {
		t.Errorf("with %d memos here: %v, %v", had, row.Fields["i"], err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	link.widen()
	a.converge(t, b)
	if st := spaceStatus(t, b.space); len(st.Liars) > 0 {
		t.Errorf("liars: %v", st.Liars)
	}
}
