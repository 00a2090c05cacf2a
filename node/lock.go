package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const lockFile = "LOCK"

// lockDir takes the directory's advisory lock, which the kernel drops with the
// process, and writes down who has it.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, holder(dir, f)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	_, err = fmt.Fprintf(f, "%d\n%s\n", os.Getpid(), strings.Join(os.Args, " "))
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// holder reads who wrote the lock file. The text may lag behind the lock by a
// moment; it is for people.
func holder(dir string, f *os.File) error {
	e := &LockedError{Dir: dir, Command: "unknown command"}
	buf := make([]byte, 4096)
	n, _ := f.ReadAt(buf, 0)
	pid, cmd, _ := strings.Cut(string(buf[:n]), "\n")
	fmt.Sscan(pid, &e.PID)
	if cmd = strings.TrimSpace(cmd); cmd != "" {
		e.Command = cmd
	}
	return e
}
