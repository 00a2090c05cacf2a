//go:build !linux

package walfs_test

import "errors"

func mountSmall(string) error { return errors.ErrUnsupported }

func unmount(string) {}
