package walfstest

import (
	"io"
	"io/fs"
	"slices"
)

// SectorSize is what a disk writes in one piece, in bytes.
const SectorSize = 512

// inode is a file: what programs see, what is durable, and what lies between.
// The lock of the disk guards it, except that mapped bytes are read without.
// The durable bytes are shared with copies of the file until they change: own
// says that they are nobody else's.
type inode struct {
	live, durable []byte
	own           bool
	sectors       map[int][][]byte // by number: versions written since the last sync, immutable
	sizes         []int            // lengths since the last sync
}

// file is an open inode.
type file struct {
	disk *Disk
	node *inode
	name string // it was opened by
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if off >= int64(len(f.node.live)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, f.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	defer f.disk.step(Write, f.name, len(p))()
	n, end := f.node, int(off)+len(p)
	if len(p) == 0 {
		return 0, nil
	}
	if end > len(n.live) {
		n.grow(end)
	}
	copy(n.live[off:], p)
	if n.sectors == nil {
		n.sectors = map[int][][]byte{}
	}
	for s := int(off) / SectorSize; s*SectorSize < end; s++ {
		to := min((s+1)*SectorSize, len(n.live))
		n.sectors[s] = append(n.sectors[s], slices.Clone(n.live[s*SectorSize:to]))
	}
	return len(p), nil
}

func (n *inode) grow(size int) {
	n.live = append(n.live, make([]byte, size-len(n.live))...)
	n.sizes = append(n.sizes, size)
}

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return int64(len(f.node.live)), nil
}

func (f *file) Allocate(size int64) error {
	defer f.disk.step(Allocate, f.name, int(size))()
	if int(size) > len(f.node.live) {
		f.node.grow(int(size))
	}
	return nil
}

// Map returns the bytes themselves: later writes show in them.
func (f *file) Map(size int64) ([]byte, func() error, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if size > int64(len(f.node.live)) {
		return nil, nil, &fs.PathError{Op: string(Map), Path: f.name, Err: io.ErrUnexpectedEOF}
	}
	return f.node.live[:size:size], func() error { return nil }, nil
}

func (f *file) Sync() error {
	defer f.disk.step(Sync, f.name, 0)()
	n := f.node
	if len(n.sectors) > 0 {
		n.unshare()
	}
	if more := len(n.live) - len(n.durable); more > 0 {
		n.durable = append(n.durable, make([]byte, more)...)
	}
	for s, versions := range n.sectors { // those alone: files are long, and syncs many
		copy(n.durable[s*SectorSize:], versions[len(versions)-1])
	}
	n.sectors, n.sizes = nil, nil
	return nil
}

// unshare gives the file durable bytes of its own, which may be changed.
func (n *inode) unshare() {
	if !n.own {
		n.durable, n.own = slices.Clone(n.durable), true
	}
}

func (f *file) Close() error { return nil }
