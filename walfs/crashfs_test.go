package walfs

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
)

// sectorSize is what a disk writes in one piece.
const sectorSize = 512

// crashFS is an FS in memory that knows what a power cut may leave: it keeps
// every version of every sector, length and directory entry since the last sync.
type crashFS struct {
	mu      sync.Mutex
	durable map[string]*inode // directory as on the disk
	live    map[string]*inode // directory as programs see it
	pending []dirOp           // what lies between the two
	// boundary, when set, is called before each operation that changes something
	// or makes a change durable.
	boundary func(op string)
}

// dirOp is a creation, removal or rename.
type dirOp struct {
	remove, set string // "" for none
	node        *inode
}

type inode struct {
	live, durable []byte
	sectors       map[int][][]byte // versions written since the last sync
	sizes         []int            // lengths since the last sync
}

func newCrashFS() *crashFS {
	return &crashFS{durable: map[string]*inode{}, live: map[string]*inode{}}
}

// step announces an operation and takes the lock.
func (c *crashFS) step(op string) func() {
	if c.boundary != nil {
		c.boundary(op)
	}
	c.mu.Lock()
	return c.mu.Unlock
}

func (c *crashFS) MkdirAll(string) error { return nil }

func (c *crashFS) List(dir string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.live {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (c *crashFS) Open(name string) (File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.live[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &crashFile{c, n}, nil
}

func (c *crashFS) Create(name string) (File, error) {
	defer c.step("create")()
	if _, ok := c.live[name]; ok {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	c.apply(dirOp{set: name, node: n})
	return &crashFile{c, n}, nil
}

func (c *crashFS) Rename(from, to string) error {
	defer c.step("rename")()
	c.apply(dirOp{remove: from, set: to, node: c.live[from]})
	return nil
}

func (c *crashFS) Remove(name string) error {
	defer c.step("remove")()
	c.apply(dirOp{remove: name})
	return nil
}

func (c *crashFS) apply(op dirOp) {
	c.pending = append(c.pending, op)
	op.on(c.live)
}

func (op dirOp) on(dir map[string]*inode) {
	if op.remove != "" {
		delete(dir, op.remove)
	}
	if op.set != "" {
		dir[op.set] = op.node
	}
}

func (c *crashFS) SyncDir(string) error {
	defer c.step("syncdir")()
	c.durable, c.pending = maps.Clone(c.live), nil
	return nil
}

type crashFile struct {
	fs   *crashFS
	node *inode
}

func (f *crashFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.node.live)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *crashFile) WriteAt(p []byte, off int64) (int, error) {
	defer f.fs.step("write")()
	n := f.node
	if end := int(off) + len(p); end > len(n.live) {
		n.grow(end)
	}
	copy(n.live[off:], p)
	for s := int(off) / sectorSize; s*sectorSize < int(off)+len(p); s++ {
		to := min((s+1)*sectorSize, len(n.live))
		if n.sectors == nil {
			n.sectors = map[int][][]byte{}
		}
		n.sectors[s] = append(n.sectors[s], slices.Clone(n.live[s*sectorSize:to]))
	}
	return len(p), nil
}

func (n *inode) grow(size int) {
	n.live = append(n.live, make([]byte, size-len(n.live))...)
	n.sizes = append(n.sizes, size)
}

func (f *crashFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.live)), nil
}

func (f *crashFile) Allocate(size int64) error {
	defer f.fs.step("allocate")()
	f.node.grow(int(size))
	return nil
}

func (f *crashFile) Map(size int64) ([]byte, func() error, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.node.live[:size], func() error { return nil }, nil
}

func (f *crashFile) Sync() error {
	defer f.fs.step("sync")()
	n := f.node
	n.durable = n.survivor(everything)
	n.sectors, n.sizes = nil, nil
	return nil
}

// failSync is a sync that fails as Linux does it: programs go on reading what
// they wrote, the disk lacks it, and nobody will write it any more.
func (c *crashFS) failSync(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[name].sectors = nil
}

func (f *crashFile) Close() error { return nil }

// A picker chooses what survives: one of n versions, 0 being what was durable.
type picker func(n int) int

func nothing(int) int            { return 0 }
func everything(n int) int       { return n - 1 }
func random(r *rand.Rand) picker { return func(n int) int { return r.IntN(n) } }

// powerCut returns the disk after a power cut that let pick choose, for each
// unsynced sector, length and directory entry, which version made it.
func (c *crashFS) powerCut(pick picker) *crashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	dir := maps.Clone(c.durable)
	for _, op := range c.pending {
		if pick(2) == 1 {
			op.on(dir)
		}
	}
	after := newCrashFS()
	for _, name := range slices.Sorted(maps.Keys(dir)) {
		b := dir[name].survivor(pick)
		after.live[name] = &inode{live: b, durable: slices.Clone(b)}
	}
	after.durable = maps.Clone(after.live)
	return after
}

func (n *inode) survivor(pick picker) []byte {
	sizes := append([]int{len(n.durable)}, n.sizes...)
	b := make([]byte, sizes[pick(len(sizes))])
	copy(b, n.durable)
	for _, s := range slices.Sorted(maps.Keys(n.sectors)) {
		versions := n.sectors[s]
		if v := pick(len(versions) + 1); v > 0 && s*sectorSize < len(b) {
			copy(b[s*sectorSize:], versions[v-1])
		}
	}
	return b
}

// kill returns the disk after the process died: nothing is lost, and what was
// not durable still is not.
func (c *crashFS) kill() *crashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	nodes := map[*inode]*inode{nil: nil}
	clone := func(n *inode) *inode {
		if _, ok := nodes[n]; !ok {
			nodes[n] = &inode{slices.Clone(n.live), slices.Clone(n.durable), nil, slices.Clone(n.sizes)}
			if n.sectors != nil {
				nodes[n].sectors = map[int][][]byte{}
				for s, versions := range n.sectors { // a written version never changes
					nodes[n].sectors[s] = slices.Clone(versions)
				}
			}
		}
		return nodes[n]
	}
	after := newCrashFS()
	for name, n := range c.live {
		after.live[name] = clone(n)
	}
	for name, n := range c.durable {
		after.durable[name] = clone(n)
	}
	for _, op := range c.pending {
		after.pending = append(after.pending, dirOp{op.remove, op.set, clone(op.node)})
	}
	return after
}
