package netlab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

var (
	// ErrTools reports a program that is not installed.
	ErrTools = errors.New("a tool is missing")
	// ErrRights reports a machine, or a user, that may not make namespaces.
	ErrRights = errors.New("cannot make network namespaces; it takes root, on Linux (CAP_SYS_ADMIN and CAP_NET_ADMIN)")
)

// toolTimeout bounds one run of a tool. They take milliseconds.
const toolTimeout = 30 * time.Second

// packages says which Debian package has a tool.
var packages = map[string]string{"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}

// toolDirs are searched beside PATH, which leaves them out for many users.
var toolDirs = []string{"/usr/sbin/", "/sbin/"}

// find returns the path of a tool.
func find(tool string) (string, error) {
	for _, dir := range append([]string{""}, toolDirs...) {
		if path, err := exec.LookPath(dir + tool); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s; install the Debian package %s", ErrTools, tool, packages[tool])
}

// run runs a tool on an input, and returns what it printed. On Linux the tool ends
// with this process, however that ends: whoever cleans up after a crash finds what
// was made, and nobody who still makes more.
func run(ctx context.Context, input, tool string, args ...string) (string, error) {
	path, err := find(tool)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	dieTogether(cmd)
	runtime.LockOSThread() // what dies together are the tool and the thread that started it
	defer runtime.UnlockOSThread()
	cmd.Stdin = strings.NewReader(input)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, strings.TrimSpace(words.String()))
	}
	return out.String(), nil
}

// batch runs commands of ip or tc, one a line, in the namespace of a host. The
// first that fails ends it.
func batch(ctx context.Context, tool, namespace string, lines []string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = slices.Concat([]string{"-netns", namespace}, args)
	}
	_, err := run(ctx, strings.Join(lines, "\n")+"\n", tool, args...)
	return err
}

// Usable returns nil if this process may make labs: it makes a small one, with
// rules of each kind, and removes it. Otherwise the error says what is missing.
func Usable(ctx context.Context) error {
	for _, tool := range []string{"ip", "tc", "nft"} {
		if _, err := find(tool); err != nil {
			return err
		}
	}
	lab := Lab{ID: NewID(), Hosts: 2}
	err := lab.Create(ctx)
	if err == nil {
		err = lab.Apply(ctx, Rules{Groups: [][]int{{1}, {2}}, Loss: 0.5, Rate: 1 << 20})
	}
	if err == nil {
		err = lab.Enter(1, func() error { return nil })
	}
	if removed := lab.Remove(ctx); err == nil {
		err = removed
	}
	if err != nil && !errors.Is(err, ErrRights) {
		err = fmt.Errorf("%w: %w", ErrRights, err)
	}
	return err
}
