// Package walfstest has the file systems on which the log is tried: one that
// loses power, and one whose operations fail on demand.
//
// A Disk lives in memory and knows what a crash may leave. It keeps apart what
// programs see from what is on the platter, and between the two every version of
// each 512-byte sector, each length and each directory entry that no sync has
// made durable:
//
//	disk := walfstest.NewDisk()
//	log, err := walfs.Open("/log", walfs.Options{FS: disk})
//	...
//	after := disk.PowerCut(walfstest.Nothing) // only what was synced
//	after = disk.PowerCut(walfstest.Everything)
//	after = disk.PowerCut(walfstest.Luck(rng)) // any mix of versions
//	after = disk.Kill()                        // the process died, the machine lives
//
// Each returns another Disk and leaves the first as it was, so a scenario can be
// cut off at every step: Watch is told of each step before it is taken.
//
// Faults stands before any FS, a Disk or walfs.OS, and asks before each operation
// what becomes of it: it happens, fails, writes the first half and fails, happens and
// fails all the same, or is passed over in silence (Fate). Counting, delaying and failing the n-th operation
// are a few lines on top; Nth has the commonest.
//
//	fs := walfstest.Faults{FS: disk, Decide: func(c walfstest.Call) walfstest.Fate {
//		if c.Op == walfstest.Write && full {
//			return walfstest.Fate{Err: syscall.ENOSPC, Short: true}
//		}
//		return walfstest.Fate{}
//	}}
//
// A Disk is stricter than most real ones: directory entries reach it in any order,
// and an unsynced write may undo itself sector by sector. What survives a Disk
// survives a file system that keeps the assumptions in the README of walfs; what
// is wrong on one that does not (a disk that lies about a sync) can be tried with
// Fate.Lie.
//
// The package knows the seam (walfs.FS) and nothing of the log's format.
package walfstest
