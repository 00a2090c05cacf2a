package walfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// crashDir is where the log lies on a disk in memory.
const crashDir = "/log"

// disk is what a crash left, and with what luck.
type disk struct {
	luck string
	fs   *crashFS
}

func disks(c *crashFS, rng *rand.Rand, mixes int) []disk {
	all := []disk{
		{"process killed", c.kill()},
		{"nothing survives", c.powerCut(nothing)},
		{"everything written", c.powerCut(everything)},
	}
	for i := range mixes {
		all = append(all, disk{fmt.Sprintf("mix %d", i), c.powerCut(random(rng))})
	}
	return all
}

func reopen(t *testing.T, when string, disk *crashFS) *Log {
	t.Helper()
	o := inline(small)
	o.FS = disk
	l, err := Open(crashDir, o)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	return l
}

func brief(all []string) string {
	short := make([]string, len(all))
	for i, s := range all {
		short[i] = fmt.Sprintf("%s(%d)", strings.TrimLeft(s, "0"), len(s))
	}
	return strings.Join(short, " ")
}

// trimCrash is a moment of Prune or Truncate, what it left, and what may be found.
type trimCrash struct {
	when  string
	fs    *crashFS
	check func(first LSN, found []string) error
}

// checkTrim recovers each crash, once more after a crash at each step of that, and
// again behind an appended record.
func checkTrim(t *testing.T, rng *rand.Rand, crashes []trimCrash) {
	t.Helper()
	found := func(when string, l *Log, c trimCrash) (LSN, []string) {
		t.Helper()
		first, all, err := kept(l)
		if err == nil {
			err = c.check(first, all)
		}
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		return first, all
	}
	for _, c := range crashes {
		var again []disk
		c.fs.boundary = func(op string) {
			for _, d := range disks(c.fs, rng, 1) {
				again = append(again, disk{fmt.Sprintf("%s; in recovery before %s, %s", c.when, op, d.luck), d.fs})
			}
		}
		l := reopen(t, c.when, c.fs)
		c.fs.boundary = nil
		first, all := found(c.when, l, c)
		for _, d := range again {
			found(d.luck, reopen(t, d.luck, d.fs), c)
		}
		mustAppend(t, l, Group, "later")
		wantKept(t, reopen(t, c.when, c.fs.powerCut(nothing)), first, append(all, "later"))
	}
	t.Logf("%d crash states", len(crashes))
}

// TestTruncateCrashes cuts the power at every step of a Truncate and of appends
// behind it: what is found reaches the cut, never more than there was, and nothing
// of it once Truncate has returned.
func TestTruncateCrashes(t *testing.T) {
	for last := LSN(0); last < 9; last++ {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(last)))
			fs := newCrashFS()
			l := reopen(t, "at first", fs)
			all := eight(t, l)
			mustAppend(t, l, Group, "nine")
			all = append(all, "nine")
			var crashes []trimCrash
			fresh, promised, done := []string{"one", strings.Repeat("n", 1500), "three"}, 0, false
			fs.boundary = func(op string) {
				cut, promised := done, promised
				check := func(first LSN, found []string) error {
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
				for _, d := range disks(fs, rng, 3) {
					crashes = append(crashes, trimCrash{fmt.Sprintf("before %s, %s", op, d.luck), d.fs, check})
				}
			}
			if err := l.Truncate(last); err != nil {
				t.Fatal(err)
			}
			done = true
			fs.boundary("the next append")
			for i, s := range fresh {
				mustAppend(t, l, Group, s)
				promised = i + 1
			}
			fs.boundary("the end")
			fs.boundary = nil
			checkTrim(t, rng, crashes)
		})
	}
}

// TestPruneCrashes cuts the power at every step of a Prune: what is found has no
// gap, holds all that was not to be deleted, and stays so.
func TestPruneCrashes(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	fs := newCrashFS()
	l := reopen(t, "at first", fs)
	all := eight(t, l)
	l.Checkpoint(8)
	var crashes []trimCrash
	done := false
	fs.boundary = func(op string) {
		pruned := done
		check := func(first LSN, found []string) error {
			if first > 7 || pruned && first < 7 || !slices.Equal(found, all[first-1:]) {
				return fmt.Errorf("%d records from %d on", len(found), first)
			}
			return nil
		}
		for _, d := range disks(fs, rng, 8) {
			crashes = append(crashes, trimCrash{fmt.Sprintf("before %s, %s", op, d.luck), d.fs, check})
		}
	}
	if first, err := l.Prune(9); err != nil || first != 7 {
		t.Fatal(first, err)
	}
	done = true
	fs.boundary("the end")
	fs.boundary = nil
	checkTrim(t, rng, crashes)
}
