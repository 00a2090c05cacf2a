package walfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

func (f osFile) Allocate(size int64) error {
	err := f.retry("fallocate", func(fd int) error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return writeZeros(f, 0, size)
	}
	return err
}

// Sync uses fdatasync: it skips the timestamps but not the length.
func (f osFile) Sync() error { return f.retry("fdatasync", unix.Fdatasync) }

// retry repeats a call that a signal interrupted before it did anything.
func (f osFile) retry(op string, call func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) {
		for callErr = unix.EINTR; callErr == unix.EINTR; {
			callErr = call(int(fd))
		}
	})
	if callErr != nil {
		return &os.PathError{Op: op, Path: f.Name(), Err: callErr}
	}
	return err
}
