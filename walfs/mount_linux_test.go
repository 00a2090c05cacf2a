package walfs_test

import "golang.org/x/sys/unix"

// mountSmall puts a file system of 256 KiB in memory on dir.
func mountSmall(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k") }

func unmount(dir string) { _ = unix.Unmount(dir, unix.MNT_DETACH) }
