package walfs_test

import (
	"errors"
	"maps"
	"syscall"
	"testing"

	"lightcone/walfs"
	"lightcone/walfs/walfstest"
)

// TestReadErrorIsNoTear: a disk that cannot read must not make records count as
// torn and be wiped.
func TestReadErrorIsNoTear(t *testing.T) {
	disk := walfstest.NewDisk()
	appended(t, opened(t, crashDir, options(disk)), walfs.None, distinct(3, 100)...)
	for n := int64(1); ; n++ {
		killed := disk.Kill()
		before := contents(killed)
		decide, seen := walfstest.Nth(n, walfstest.Fate{Err: syscall.EIO}, walfstest.Read, walfstest.Map)
		l, err := walfs.Open(crashDir, options(walfstest.Faults{FS: killed, Decide: decide}))
		if err == nil {
			l.Close()
			if seen() >= n {
				t.Fatalf("read %d failed and nobody said so", n)
			}
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("read %d failed: %v", n, err)
		}
		if !maps.Equal(before, contents(killed)) && n <= 2 {
			t.Fatalf("read %d failed and the log was changed", n)
		}
	}
}

// contents are all files of a disk.
func contents(disk *walfstest.Disk) map[string]string {
	all := map[string]string{}
	for _, name := range disk.Names() {
		all[name] = string(disk.ReadFile(name))
	}
	return all
}
