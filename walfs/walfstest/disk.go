package walfstest

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"lightcone/walfs"
)

// Disk is an FS in memory that remembers what is durable. Its methods may be
// called concurrently. Directories exist as soon as they are named.
type Disk struct {
	mu      sync.Mutex
	durable map[string]*inode // the directory on the platter
	live    map[string]*inode // the directory programs see
	pending []entryChange     // what lies between the two, oldest first
	watch   func(Call)
}

// entryChange is a creation, removal or rename.
type entryChange struct {
	remove, set string // paths; "" for none
	node        *inode // of set
}

func (c entryChange) apply(dir map[string]*inode) {
	if c.remove != "" {
		delete(dir, c.remove)
	}
	if c.set != "" {
		dir[c.set] = c.node
	}
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return &Disk{durable: map[string]*inode{}, live: map[string]*inode{}}
}

// Watch has before called ahead of each operation that changes something or makes
// a change durable, by the goroutine that is about to do it; nil ends that. It may
// look at the disk, cut its power, and take its time.
func (d *Disk) Watch(before func(Call)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watch = before
}

// step announces an operation, takes the lock and returns what gives it back.
func (d *Disk) step(op Op, name string, size int) (unlock func()) {
	d.mu.Lock()
	watch := d.watch
	d.mu.Unlock()
	if watch != nil {
		watch(Call{Op: op, Name: name, Size: size})
	}
	d.mu.Lock()
	return d.mu.Unlock
}

// MkdirAll does nothing: a Disk has every directory, durably.
func (d *Disk) MkdirAll(string) error { return nil }

// List returns the sorted names of the files in dir.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.live {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open opens an existing file.
func (d *Disk) Open(name string) (walfs.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.live[name]
	if !ok {
		return nil, missing(Open, name)
	}
	return &file{d, n, name}, nil
}

// Create makes a new, empty file.
func (d *Disk) Create(name string) (walfs.File, error) {
	defer d.step(Create, name, 0)()
	if _, ok := d.live[name]; ok {
		return nil, &fs.PathError{Op: string(Create), Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	d.change(entryChange{set: name, node: n})
	return &file{d, n, name}, nil
}

// Rename moves a file over whatever has the new name.
func (d *Disk) Rename(from, to string) error {
	defer d.step(Rename, from, 0)()
	n, ok := d.live[from]
	if !ok {
		return missing(Rename, from)
	}
	d.change(entryChange{remove: from, set: to, node: n})
	return nil
}

// Remove deletes a file. Who has it open goes on reading and writing it.
func (d *Disk) Remove(name string) error {
	defer d.step(Remove, name, 0)()
	if _, ok := d.live[name]; !ok {
		return missing(Remove, name)
	}
	d.change(entryChange{remove: name})
	return nil
}

func (d *Disk) change(c entryChange) {
	d.pending = append(d.pending, c)
	c.apply(d.live)
}

// SyncDir makes the entries of dir durable, and those of no other directory.
func (d *Disk) SyncDir(dir string) error {
	defer d.step(SyncDir, dir, 0)()
	in := func(name string) bool { return name != "" && filepath.Dir(name) == filepath.Clean(dir) }
	d.pending = slices.DeleteFunc(d.pending, func(c entryChange) bool {
		synced := in(c.set) || in(c.remove)
		if synced {
			c.apply(d.durable)
		}
		return synced
	})
	return nil
}

func missing(op Op, name string) error {
	return &fs.PathError{Op: string(op), Path: name, Err: fs.ErrNotExist}
}

// Names returns the sorted paths of all files programs see.
func (d *Disk) Names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.live))
}

// ReadFile returns a copy of what programs see of a file; nil if there is none.
func (d *Disk) ReadFile(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.live[name]; ok {
		return append([]byte{}, n.live...)
	}
	return nil
}

// WriteFile makes or replaces a file, durably at once: the disk as somebody left
// it, not an operation of the program under test. Whoever has the old file open
// keeps it.
func (d *Disk) WriteFile(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{live: slices.Clone(content), durable: slices.Clone(content), own: true}
	d.live[name], d.durable[name] = n, n
	d.pending = slices.DeleteFunc(d.pending, func(c entryChange) bool { return c.set == name || c.remove == name })
}

// Flip inverts one bit of a file, durably and for all who have it open: rot.
func (d *Disk) Flip(name string, bit int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.live[name]
	mask := byte(1) << (bit % 8)
	n.live[bit/8] ^= mask
	if bit/8 < int64(len(n.durable)) {
		n.unshare()
		n.durable[bit/8] ^= mask
	}
}
