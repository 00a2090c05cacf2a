package walfs_test

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// What TestCrashEnumeration finds by trying everything, one at a time.

var firstSegment = filepath.Join(crashDir, walfs.SegmentName(1))

// TestForgottenWrites: after a failed sync and a kill, Open reads records from
// memory that the disk lacks and that no sync would write. It makes them durable
// all the same before it says that they are.
func TestForgottenWrites(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	appended(t, l, walfs.Group, distinct(3, 300)...)
	appended(t, l, walfs.None, distinct(3, 300)...)
	disk.ForgetWrites(firstSegment)

	killed := disk.Kill()
	l = opened(t, crashDir, options(killed))
	found := append(distinct(3, 300), distinct(3, 300)...)
	wantTexts(t, l, found)
	if l.Durable() != 6 {
		t.Fatalf("%d records are durable, want 6", l.Durable())
	}
	wantTexts(t, opened(t, crashDir, options(killed.PowerCut(walfstest.Nothing))), found)
}

// TestForgottenSeal: a segment whose seal a failed sync lost is sealed by the next
// Open before another follows it.
func TestForgottenSeal(t *testing.T) {
	disk := walfstest.NewDisk()
	syncs, failAt := 0, 0
	l := opened(t, crashDir, options(walfstest.Faults{FS: disk, Decide: func(c walfstest.Call) walfstest.Fate {
		if c.Op != walfstest.Sync || failAt == 0 {
			return walfstest.Fate{}
		}
		if syncs++; syncs == failAt {
			disk.ForgetWrites(firstSegment)
			return walfstest.Fate{Err: syscall.EIO}
		}
		return walfstest.Fate{}
	}}))
	appended(t, l, walfs.Group, "kept")
	failAt = 3 // of the next segment, of the records, of the seal
	if _, err := l.Append(walfs.Group, walfs.Records(distinct(3, 1400)...)...); err == nil {
		t.Fatal("the seal could not be synced, and nobody said so")
	}
	again := opened(t, crashDir, options(disk))
	appended(t, again, walfs.Group, distinct(3, 1400)...)
	wantTexts(t, opened(t, crashDir, options(disk.PowerCut(walfstest.Nothing))), append([]string{"kept"}, distinct(3, 1400)...))
}

// TestTornTailSurvivesCrashes: whenever a recovery is cut short, the torn tail is
// still in its place or already saved.
func TestTornTailSurvivesCrashes(t *testing.T) {
	const tail = "bytes somebody may want to look at"
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	appended(t, l, walfs.Group, "x")
	f, err := disk.Open(firstSegment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(tail), l.Size()); err != nil {
		t.Fatal(err)
	}
	torn := disk.PowerCut(walfstest.Everything)
	step := uint64(0)
	check := func(c walfstest.Call) {
		step++
		for _, k := range lucks(step, 8) {
			left := k.crash(torn)
			if !strings.Contains(string(left.ReadFile(firstSegment)), tail) && !saved(left, []byte(tail)) {
				t.Errorf("before %s, %s: the torn tail is lost", c.Op, k.name)
			}
		}
	}
	torn.Watch(check)
	if l = opened(t, crashDir, options(torn)); l.Recovery().Torn != int64(len(tail)) {
		t.Fatalf("recovery reports %+v", l.Recovery())
	}
	check(walfstest.Call{Op: "the end"})
	torn.Watch(nil)
}

// TestCloseWritesMark: after Close everything lies below a durable mark, so that
// no damage to it can pass for a torn tail.
func TestCloseWritesMark(t *testing.T) {
	disk := walfstest.NewDisk()
	l := opened(t, crashDir, options(disk))
	appended(t, l, walfs.None, "x", "y")
	end := l.Size()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	left := disk.PowerCut(walfstest.Nothing)
	left.Flip(firstSegment, 8*(end-20)+rand.Int64N(8))
	if l, err := walfs.Open(crashDir, options(left)); err == nil {
		l.Close()
		t.Fatalf("opened with the last record damaged: %+v", l.Recovery())
	}
}
