package walfstest

import (
	"errors"
	"slices"
	"sync/atomic"

	"lightcone/walfs"
)

// Op names an operation of an FS or File.
type Op string

// The operations.
const (
	Mkdir    Op = "mkdir"
	List     Op = "list"
	Open     Op = "open"
	Create   Op = "create"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "syncdir"
	Read     Op = "read"
	Map      Op = "map"
	Write    Op = "write"
	Close    Op = "close"
	Size     Op = "size"
	Allocate Op = "allocate"
	Sync     Op = "sync"
)

// Call is an operation about to happen.
type Call struct {
	Op   Op
	Name string // path of the file or directory; of a rename, the old one
	Size int    // in bytes, of a read, write, mapping or allocation
}

// Fate is what becomes of a Call. The zero Fate lets it happen.
type Fate struct {
	Err   error // it fails with that error
	Short bool  // with Err: the first half of a write, in whole sectors, reaches the file all the same
	Late  bool  // with Err: it happens, and fails all the same
	Lie   bool  // it is not done, and nil is returned; for Sync and SyncDir
}

// Faults asks Decide before each operation of an FS what becomes of it. Decide is
// called by whoever does the operation, concurrently if there are several, and may
// block. A failing Close has closed the file, as close(2) does.
type Faults struct {
	FS     walfs.FS
	Decide func(Call) Fate
}

// decide runs do unless the call is fated otherwise.
func (f Faults) decide(c Call, do func() error) error {
	switch fate := f.Decide(c); {
	case fate.Late:
		return errors.Join(fate.Err, do())
	case fate.Err != nil:
		return fate.Err
	case fate.Lie:
		return nil
	}
	return do()
}

// MkdirAll is FS.MkdirAll.
func (f Faults) MkdirAll(dir string) error {
	return f.decide(Call{Op: Mkdir, Name: dir}, func() error { return f.FS.MkdirAll(dir) })
}

// List is FS.List.
func (f Faults) List(dir string) (names []string, err error) {
	err = f.decide(Call{Op: List, Name: dir}, func() error { names, err = f.FS.List(dir); return err })
	return names, err
}

// Open is FS.Open.
func (f Faults) Open(name string) (walfs.File, error) { return f.file(Open, name, f.FS.Open) }

// Create is FS.Create.
func (f Faults) Create(name string) (walfs.File, error) { return f.file(Create, name, f.FS.Create) }

func (f Faults) file(op Op, name string, get func(string) (walfs.File, error)) (walfs.File, error) {
	var got walfs.File
	err := f.decide(Call{Op: op, Name: name}, func() (err error) { got, err = get(name); return err })
	if err != nil {
		return nil, err
	}
	return faultyFile{got, f, name}, nil
}

// Rename is FS.Rename.
func (f Faults) Rename(from, to string) error {
	return f.decide(Call{Op: Rename, Name: from}, func() error { return f.FS.Rename(from, to) })
}

// Remove is FS.Remove.
func (f Faults) Remove(name string) error {
	return f.decide(Call{Op: Remove, Name: name}, func() error { return f.FS.Remove(name) })
}

// SyncDir is FS.SyncDir.
func (f Faults) SyncDir(dir string) error {
	return f.decide(Call{Op: SyncDir, Name: dir}, func() error { return f.FS.SyncDir(dir) })
}

// faultyFile is an open file of Faults.
type faultyFile struct {
	walfs.File
	faults Faults
	name   string
}

func (f faultyFile) call(op Op, size int) Call { return Call{Op: op, Name: f.name, Size: size} }

func (f faultyFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.faults.decide(f.call(Read, len(p)), func() error { n, err = f.File.ReadAt(p, off); return err })
	return n, err
}

func (f faultyFile) Map(size int64) (data []byte, unmap func() error, err error) {
	err = f.faults.decide(f.call(Map, int(size)), func() error { data, unmap, err = f.File.Map(size); return err })
	return data, unmap, err
}

func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	fate := f.faults.Decide(f.call(Write, len(p)))
	switch {
	case fate.Short:
		p = p[:half(off, len(p))]
		fallthrough
	case fate.Late:
		n, err := f.File.WriteAt(p, off)
		return n, errors.Join(fate.Err, err)
	case fate.Err != nil:
		return 0, fate.Err
	case fate.Lie:
		return len(p), nil
	}
	return f.File.WriteAt(p, off)
}

// half is how much of a write of n bytes at off is its first half, cut at the end of
// a sector: no disk, and no file system, takes less than one.
func half(off int64, n int) int64 {
	return max(0, (off+int64(n)/2)/SectorSize*SectorSize-off)
}

func (f faultyFile) Size() (n int64, err error) {
	err = f.faults.decide(f.call(Size, 0), func() error { n, err = f.File.Size(); return err })
	return n, err
}

func (f faultyFile) Allocate(size int64) error {
	return f.faults.decide(f.call(Allocate, int(size)), func() error { return f.File.Allocate(size) })
}

func (f faultyFile) Sync() error {
	return f.faults.decide(f.call(Sync, 0), f.File.Sync)
}

func (f faultyFile) Close() error {
	fate := f.faults.Decide(f.call(Close, 0))
	return errors.Join(fate.Err, f.File.Close())
}

// Nth is a Decide that gives the n-th call which is one of ops, counted from 1, a
// fate, and lets all others happen. seen tells how many there have been: below n
// the fate has not struck.
func Nth(n int64, fate Fate, ops ...Op) (decide func(Call) Fate, seen func() int64) {
	var count atomic.Int64
	return func(c Call) Fate {
		if slices.Contains(ops, c.Op) && count.Add(1) == n {
			return fate
		}
		return Fate{}
	}, count.Load
}
