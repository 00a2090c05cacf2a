package walfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Permissions of what the log creates: it holds private data, so the owner only.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// zeroChunk is how much is written at once where space cannot be reserved.
const zeroChunk = 1 << 20

// OS is the FS of the operating system.
var OS FS = osFS{}

// OSReadOnly is OS for those who only look: it opens files for reading, and fails
// with ErrReadOnly where something would change.
var OSReadOnly FS = osReadOnly{}

type osFS struct{}

type osReadOnly struct{ osFS }

func (osReadOnly) MkdirAll(string) error          { return ErrReadOnly }
func (osReadOnly) Open(name string) (File, error) { return openOS(name, os.O_RDONLY) }
func (osReadOnly) Create(string) (File, error)    { return nil, ErrReadOnly }
func (osReadOnly) Rename(string, string) error    { return ErrReadOnly }
func (osReadOnly) Remove(string) error            { return ErrReadOnly }
func (osReadOnly) SyncDir(string) error           { return ErrReadOnly }

func (f osFS) MkdirAll(dir string) error {
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil
		}
		return err
	}
	parent := filepath.Dir(dir)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := f.MkdirAll(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirMode)
	}
	if err != nil {
		return err
	}
	return f.SyncDir(parent)
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Open(name string) (File, error)   { return openOS(name, os.O_RDWR) }
func (osFS) Create(name string) (File, error) { return openOS(name, os.O_RDWR|os.O_CREATE|os.O_EXCL) }
func (osFS) Rename(from, to string) error     { return os.Rename(from, to) }
func (osFS) Remove(name string) error         { return os.Remove(name) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// osFile is an os.File with the log's idea of Sync and Allocate, which differ
// between systems.
type osFile struct{ *os.File }

func openOS(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeZeros reserves space the slow way. It leaves no hole: a hole would let
// the disk run full in the middle of an append.
func writeZeros(f io.WriterAt, from, to int64) error {
	zeros := make([]byte, min(to-from, zeroChunk))
	for from < to {
		n, err := f.WriteAt(zeros[:min(to-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
