package walfs

import "io"

// FS is where a log's files live: the seam through which tests lose power, fill
// the disk and flip bits. Names are full paths.
type FS interface {
	// MkdirAll makes dir and its missing parents; the new entries are durable
	// when it returns.
	MkdirAll(dir string) error
	// List returns the names (not paths) of the entries of dir.
	List(dir string) ([]string, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Create makes a new, empty file; fs.ErrExist when there is one already.
	Create(name string) (File, error)
	// Rename moves a file over whatever has the new name, in one step.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
}

// File is an open file of an FS. Its methods may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the length of the file in bytes.
	Size() (int64, error)
	// Allocate makes a new file size bytes of zeros long with the space
	// reserved, so that a full disk shows here and not in the middle of a write.
	Allocate(size int64) error
	// Map returns the first size bytes, all of which exist, as read-only memory
	// that shows later writes, and what ends it. It outlives Close.
	Map(size int64) (data []byte, unmap func() error, err error)
	// Sync makes everything written so far durable, and the file's length.
	Sync() error
}
