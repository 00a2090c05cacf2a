//go:build !linux

package walfs

func (f osFile) Allocate(size int64) error { return writeZeros(f, 0, size) }

func (f osFile) Sync() error { return f.File.Sync() }
