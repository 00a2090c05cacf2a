package netlab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Enter runs f on a host: the sockets that f opens and the programs that f starts
// are there, for as long as they last. What f hands to other goroutines is not.
func (l Lab) Enter(host int, f func() error) error {
	ns, err := os.Open(filepath.Join(namespaces, l.Namespace(host)))
	if err != nil {
		return fmt.Errorf("enter host %d: %w", host, err)
	}
	defer ns.Close()
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so that no other
		// finds itself on this host.
		runtime.LockOSThread()
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		if err != nil {
			done <- fmt.Errorf("enter host %d: %w: %w", host, ErrRights, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// dieTogether has the kernel kill a program when the thread that starts it ends.
func dieTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
