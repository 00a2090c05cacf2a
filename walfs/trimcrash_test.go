package walfs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// reopen opens the log on a disk, with all steps in one order.
func reopen(t *testing.T, when string, disk *walfstest.Disk) *walfs.Log {
	t.Helper()
	l, err := walfs.Open(crashDir, options(disk))
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return l
}

// trimCrash is a moment of Prune or Truncate, what it left, and what may be found.
type trimCrash struct {
	when  string
	disk  *walfstest.Disk
	check func(first walfs.LSN, found []string) error
}

// trimCrashes are what a crash here and now leaves, with each kind of luck.
func trimCrashes(when string, disk *walfstest.Disk, seed uint64, mixes int, check func(first walfs.LSN, found []string) error) []trimCrash {
	var all []trimCrash
	for _, k := range lucks(seed, mixes) {
		all = append(all, trimCrash{when + ", " + k.name, k.crash(disk), check})
	}
	return all
}

// checkTrim recovers each crash, once more after a crash at each step of that, and
// again behind an appended record.
func checkTrim(t *testing.T, crashes []trimCrash) {
	t.Helper()
	found := func(c trimCrash) (*walfs.Log, walfs.LSN, []string) {
		t.Helper()
		l := reopen(t, c.when, c.disk)
		first, all, err := kept(l)
		if err == nil {
			err = c.check(first, all)
		}
		if err != nil {
			t.Fatalf("%s: %v", c.when, err)
		}
		return l, first, all
	}
	for _, c := range crashes {
		var again []trimCrash
		c.disk.Watch(func(call walfstest.Call) {
			when := fmt.Sprintf("%s; in recovery before %s", c.when, call.Op)
			again = append(again, trimCrashes(when, c.disk, hashed(when, len(again)), 1, c.check)...)
		})
		l, first, all := found(c)
		c.disk.Watch(nil)
		for _, d := range again {
			found(d)
		}
		walfs.MustAppend(t, l, walfs.Group, "later")
		wantKept(t, reopen(t, c.when, c.disk.PowerCut(walfstest.Nothing)), first, append(all, "later"))
	}
	t.Logf("%d crash states", len(crashes))
}

// TestTruncateCrashes cuts the power at every step of a Truncate and of appends
// behind it: what is found reaches the cut, never more than there was, and nothing
// of it once Truncate has returned.
func TestTruncateCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine, left out by -short")
	}
	for last := walfs.LSN(0); last < 9; last++ {
		t.Run(fmt.Sprint(last), func(t *testing.T) { truncateCrashes(t, last) })
	}
}

func truncateCrashes(t *testing.T, last walfs.LSN) {
	disk := walfstest.NewDisk()
	l := reopen(t, "at first", disk)
	all := eight(t, l)
	walfs.MustAppend(t, l, walfs.Group, "nine")
	all = append(all, "nine")
	var crashes []trimCrash
	fresh, promised, done := []string{"one", strings.Repeat("n", 1500), "three"}, 0, false
	crash := func(c walfstest.Call) {
		cut, promised := done, promised
		check := func(first walfs.LSN, found []string) error {
			whole := slices.Concat(all[:last], fresh)
			least := int(last) + promised
			if !cut {
				whole = all
			}
			if first != 1 || len(found) < least || len(found) > len(whole) || !slices.Equal(found, whole[:len(found)]) {
				return fmt.Errorf("cut %v: %s from %d on, want at least %d of %s", cut, brief(found), first, least, brief(whole))
			}
			return nil
		}
		crashes = append(crashes, trimCrashes(fmt.Sprintf("before %s", c.Op), disk, hashed(last, len(crashes)), 3, check)...)
	}
	disk.Watch(crash)
	if err := l.Truncate(last); err != nil {
		t.Fatal(err)
	}
	done = true
	crash(walfstest.Call{Op: "the next append"})
	for i, s := range fresh {
		walfs.MustAppend(t, l, walfs.Group, s)
		promised = i + 1
	}
	crash(walfstest.Call{Op: "the end"})
	disk.Watch(nil)
	checkTrim(t, crashes)
}

// TestPruneCrashes cuts the power at every step of a Prune: what is found has no
// gap, holds all that was not to be deleted, and stays so.
func TestPruneCrashes(t *testing.T) {
	disk := walfstest.NewDisk()
	l := reopen(t, "at first", disk)
	all := eight(t, l)
	l.Checkpoint(8)
	var crashes []trimCrash
	done := false
	crash := func(c walfstest.Call) {
		pruned := done
		check := func(first walfs.LSN, found []string) error {
			if first > 7 || pruned && first < 7 || !slices.Equal(found, all[first-1:]) {
				return fmt.Errorf("%d records from %d on", len(found), first)
			}
			return nil
		}
		crashes = append(crashes, trimCrashes(fmt.Sprintf("before %s", c.Op), disk, hashed(len(crashes)), 8, check)...)
	}
	disk.Watch(crash)
	if first, err := l.Prune(9); err != nil || first != 7 {
		t.Fatal(first, err)
	}
	done = true
	crash(walfstest.Call{Op: "the end"})
	disk.Watch(nil)
	checkTrim(t, crashes)
}
