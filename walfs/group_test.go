package walfs_test

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// hook asks before each operation of the system's files what becomes of it. A write
// that fails may have written its first half.
func hook(before func(op walfstest.Op, name string) error) walfs.FS {
	return walfstest.Faults{FS: walfs.OS, Decide: func(c walfstest.Call) walfstest.Fate {
		if err := before(c.Op, c.Name); err != nil {
			return walfstest.Fate{Err: err, Short: true}
		}
		return walfstest.Fate{}
	}}
}

// TestGroupSharesSyncs: appenders that arrive during a sync share the next one.
func TestGroupSharesSyncs(t *testing.T) {
	const appenders = 50
	var syncs atomic.Int64
	started, release := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o := walfs.Options{FS: hook(func(op walfstest.Op, _ string) error {
		if op == "sync" && armed.Load() {
			if syncs.Add(1) == 1 {
				close(started)
				<-release
			}
		}
		return nil
	})}
	l := walfs.MustOpen(t, t.TempDir(), o)
	armed.Store(true)
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var wg sync.WaitGroup
	appendOne := func() {
		placed, err := l.Append(walfs.Group, walfs.Records("x")...)
		if err != nil {
			t.Error(err)
		} else if l.Durable() < placed[0].LSN {
			t.Errorf("record %d acknowledged, durable are %d", placed[0].LSN, l.Durable())
		}
	}
	wg.Go(appendOne)
	<-started
	for range appenders - 1 {
		wg.Go(appendOne)
	}
	for n := 0; n < appenders; { // all are written while the first sync is under way
		if _, err := r.Next(); err == nil {
			n++
		} else if err := r.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := l.Durable(); d != 0 {
		t.Errorf("durable is %d before any sync ended", d)
	}
	close(release)
	wg.Wait()
	if n := syncs.Load(); n != 2 {
		t.Errorf("%d appends took %d syncs, want 2", appenders, n)
	}
}

// TestNoneDoesNotSync: and does not write headers either.
func TestNoneDoesNotSync(t *testing.T) {
	ops := map[string]int{}
	o := walfs.Options{FS: hook(func(op walfstest.Op, _ string) error {
		ops[string(op)]++
		return nil
	})}
	l := walfs.MustOpen(t, t.TempDir(), o)
	clear(ops)
	for _, s := range walfs.Numbered(100, 50) {
		walfs.MustAppend(t, l, walfs.None, s)
	}
	walfs.MustAppend(t, l, walfs.None, walfs.Numbered(100, 50)...)
	if diff := cmp.Diff(map[string]int{"write": 101}, ops); diff != "" {
		t.Fatalf("operations of 101 appends (-want +got):\n%s", diff)
	}
	clear(ops)
	walfs.MustAppend(t, l, walfs.Group, "x")
	if diff := cmp.Diff(map[string]int{"write": 2, "sync": 1}, ops); diff != "" {
		t.Fatalf("operations of a durable append (-want +got):\n%s", diff)
	}
}

// TestFailedSyncStops: after any sync that failed, nothing is acknowledged any
// more, though a later sync would succeed. Reading goes on.
func TestFailedSyncStops(t *testing.T) {
	eio := errors.New("input/output error")
	steps := map[string]func(l *walfs.Log) error{
		"Group": func(l *walfs.Log) error { _, err := l.Append(walfs.Group, walfs.Records("x")...); return err },
		"Sync":  (*walfs.Log).Sync,
		"rotate": func(l *walfs.Log) error {
			_, err := l.Append(walfs.None, walfs.Records(walfs.Numbered(3, 1400)...)...)
			return err
		},
	}
	for name, step := range steps {
		for nth := 1; nth <= 4; nth++ {
			syncs, armed := 0, false
			o := walfs.Small
			o.FS = hook(func(op walfstest.Op, _ string) error {
				if armed && (op == "sync" || op == "syncdir") {
					if syncs++; syncs == nth {
						return eio
					}
				}
				return nil
			})
			l := walfs.MustOpen(t, t.TempDir(), o)
			walfs.MustAppend(t, l, walfs.None, "before")
			armed = true
			err := step(l)
			if err == nil && syncs < nth {
				continue // the step has fewer syncs
			}
			if !errors.Is(err, walfs.ErrStopped) || !errors.Is(err, eio) {
				t.Fatalf("%s, sync %d failed: %v, want walfs.ErrStopped and the cause", name, nth, err)
			}
			stoppedForGood(t, l, eio)
		}
	}
}

func stoppedForGood(t *testing.T, l *walfs.Log, cause error) {
	t.Helper()
	last, durable := l.Last(), l.Durable()
	for range 2 {
		for _, d := range []walfs.Durability{walfs.None, walfs.Group, walfs.Each, walfs.Interval(1)} {
			if _, err := l.Append(d, walfs.Records("late")...); !errors.Is(err, walfs.ErrStopped) || !errors.Is(err, cause) {
				t.Fatalf("append to a stopped log: %v", err)
			}
		}
	}
	if durable < last {
		if err := l.Sync(); !errors.Is(err, walfs.ErrStopped) {
			t.Fatalf("sync of a stopped log: %v", err)
		}
	}
	if l.Last() != last || l.Durable() != durable {
		t.Fatalf("a stopped log went from %d (durable %d) to %d (%d)", last, durable, l.Last(), l.Durable())
	}
	r, err := l.Reader(walfs.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range last {
		if _, err := r.Next(); err != nil {
			t.Fatalf("read from a stopped log: %v", err)
		}
	}
	if err := r.Wait(t.Context()); !errors.Is(err, walfs.ErrStopped) {
		t.Fatalf("wait for a stopped log: %v", err)
	}
	if err := l.Close(); durable < last && !errors.Is(err, walfs.ErrStopped) {
		t.Fatalf("close a stopped log: %v", err)
	}
}

// TestNoSyncBesideAFailedOne: the system tells one caller of a failure. A rotation
// that waited for that caller's sync must not try its own and believe it.
func TestNoSyncBesideAFailedOne(t *testing.T) {
	eio := errors.New("input/output error")
	var syncs atomic.Int64
	started, rotating, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	o := walfs.Small
	o.FS = hook(func(op walfstest.Op, _ string) error {
		switch {
		case !armed.Load():
		case op == "allocate":
			close(rotating)
		case op == "sync":
			if syncs.Add(1) == 1 {
				close(started)
				<-release
				return eio
			}
		}
		return nil
	})
	l := walfs.MustOpen(t, t.TempDir(), o)
	armed.Store(true)
	var wg sync.WaitGroup
	wantStopped := func(d walfs.Durability, n int) {
		if _, err := l.Append(d, walfs.Records(walfs.Numbered(n, 1500)...)...); !errors.Is(err, walfs.ErrStopped) {
			t.Errorf("append beside a failed sync: %v, want ErrStopped", err)
		}
	}
	wg.Go(func() { wantStopped(walfs.Group, 1) }) // too little for the next segment to be begun
	<-started
	wg.Go(func() { wantStopped(walfs.None, 3) })
	<-rotating
	close(release)
	wg.Wait()
	if n := syncs.Load(); n != 1 {
		t.Errorf("%d syncs, one of them after the failed one", n)
	}
}

// TestFullDisk: no space for the next segment is nobody's error until it is
// needed, costs nothing that was there, and appending goes on when there is room.
func TestFullDisk(t *testing.T) {
	full, tries := false, 0
	o := walfs.Inline(walfs.Small)
	o.FS = hook(func(op walfstest.Op, name string) error {
		if full && (op == "allocate" || op == "create") {
			tries++
			return &fs.PathError{Op: string(op), Path: name, Err: syscall.ENOSPC}
		}
		return nil
	})
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, o)
	full = true
	walfs.MustAppend(t, l, walfs.Group, walfs.Numbered(1, 3000)...)
	if tries != 1 {
		t.Fatalf("%d tries to make the next segment ahead, want 1", tries)
	}
	for range 2 {
		if _, err := l.Append(walfs.Group, walfs.Records(walfs.Numbered(1, 2000)...)...); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("append to a full disk: %v", err)
		}
	}
	walfs.MustAppend(t, l, walfs.Group, "fits into the segment")
	if tries != 3 {
		t.Fatalf("%d tries to make the next segment, want 1 ahead and 2 when it was needed", tries)
	}
	full = false
	walfs.MustAppend(t, l, walfs.Group, walfs.Numbered(2, 2000)[1])
	want := []string{walfs.Numbered(1, 3000)[0], "fits into the segment", walfs.Numbered(2, 2000)[1]}
	walfs.MustClose(t, l)
	l = walfs.MustOpen(t, dir, walfs.Small)
	if diff := cmp.Diff(want, walfs.MustTexts(t, l)); diff != "" {
		t.Fatal(diff)
	}
	if len(walfs.Files(t, dir)) != 2 {
		t.Fatal("temporary files stayed behind")
	}
}

// TestFailedWrite: a batch whose write fails is not there, at once, after a
// kill, and not behind the batch that took its place.
func TestFailedWrite(t *testing.T) {
	broken := 0
	o := walfs.Small
	o.FS = hook(func(op walfstest.Op, _ string) error {
		if op == "write" && broken > 0 {
			broken--
			return errors.New("broken")
		}
		return nil
	})
	dir := t.TempDir()
	l := walfs.MustOpen(t, dir, o)
	walfs.MustAppend(t, l, walfs.Group, "kept")
	for broken = range 4 { // the append fails, and so do attempts to wipe it
		if broken == 0 {
			continue
		}
		if _, err := l.Append(walfs.None, walfs.Records(walfs.Numbered(4, 100)...)...); err == nil {
			t.Fatal("the write failed, the append did not")
		}
		for broken > 0 {
			if _, err := l.Append(walfs.None, walfs.Records("too early")...); err == nil {
				t.Fatal("appended behind a batch that could not be wiped")
			}
		}
	}
	walfs.MustAppend(t, l, walfs.None, strings.Repeat("n", 100))
	want := []string{"kept", strings.Repeat("n", 100)}
	for _, l := range []*walfs.Log{l, walfs.MustOpen(t, walfs.CopyDir(t, dir), walfs.Small)} {
		if diff := cmp.Diff(want, walfs.MustTexts(t, l)); diff != "" {
			t.Fatal(diff)
		}
		if torn := l.Recovery().Torn; torn != 0 {
			t.Fatalf("%d bytes of the failed batch were left", torn)
		}
	}
}
