package store

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lightcone/walfs"
)

const (
	// Reserve is how many bytes of the disk the store leaves free: it refuses to
	// append before the disk is really full. What was appended can then still be
	// written to the index and to whatever else is derived from the log, which
	// needs several times a memtable, and a node can restart on a full disk.
	Reserve = 64 << 20
	// reserveShare makes the reserve of a small disk this part of it.
	reserveShare = 16
)

// room watches the disk that dir is on.
type room struct {
	dir   string
	usage func(dir string) (free, total uint64, err error)
}

// diskUsage asks the system how much of a disk is free for this user.
func diskUsage(dir string) (free, total uint64, err error) {
	u, err := vfs.Default.GetDiskUsage(dir)
	return u.AvailBytes, u.TotalBytes, err
}

// check returns ErrFull unless the reserve is free beside size bytes. A disk that
// does not tell is tried: that it is full shows in writing, too.
func (r room) check(size uint64) error {
	free, total, err := r.usage(r.dir)
	reserve := min(Reserve, total/reserveShare)
	if err != nil || free >= size+reserve {
		return nil
	}
	return fmt.Errorf("%w: %d KiB are free in %s, and %d KiB are kept to finish what was begun (%w)",
		ErrFull, free>>10, r.dir, reserve>>10, syscall.ENOSPC)
}

// asFull makes ErrFull of an error that says that the disk is full.
func asFull(err error) error {
	if walfs.NoSpace(err) && !errors.Is(err, ErrFull) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// logFS is the log's FS, in which segments do not take the reserve.
type logFS struct {
	walfs.FS
	room room
}

func (l logFS) Create(name string) (walfs.File, error) {
	f, err := l.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return logFile{f, l.room}, nil
}

type logFile struct {
	walfs.File
	room room
}

func (f logFile) Allocate(size int64) error {
	if err := f.room.check(uint64(size)); err != nil {
		return err
	}
	return f.File.Allocate(size)
}
