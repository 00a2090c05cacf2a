package walfstest

import (
	"bytes"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"
)

// A Pick chooses what a power cut leaves of something unsynced: one of n ≥ 1
// versions, 0 being the durable one and n-1 the latest.
type Pick func(n int) int

// Nothing that was not synced survives.
func Nothing(int) int { return 0 }

// Everything written survives.
func Everything(n int) int { return n - 1 }

// Luck picks any version of anything.
func Luck(r *rand.Rand) Pick { return func(n int) int { return r.IntN(n) } }

// PowerCut returns the disk after a power cut that let pick choose the survivor
// of each unsynced sector, length and directory entry. Everything on it is durable.
func (d *Disk) PowerCut(pick Pick) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir := maps.Clone(d.durable)
	for _, c := range d.pending {
		if pick(2) == 1 {
			c.apply(dir)
		}
	}
	after := NewDisk()
	for _, name := range slices.Sorted(maps.Keys(dir)) {
		b := dir[name].survivor(pick)
		after.live[name] = &inode{live: b, durable: slices.Clone(b), own: true}
	}
	after.durable = maps.Clone(after.live)
	return after
}

// survivor is the content of a file after a power cut.
func (n *inode) survivor(pick Pick) []byte {
	size := len(n.durable)
	if v := pick(len(n.sizes) + 1); v > 0 {
		size = n.sizes[v-1]
	}
	b := make([]byte, size)
	copy(b, n.durable)
	for _, s := range slices.Sorted(maps.Keys(n.sectors)) {
		versions := n.sectors[s]
		if v := pick(len(versions) + 1); v > 0 && s*SectorSize < len(b) {
			copy(b[s*SectorSize:], versions[v-1])
		}
	}
	return b
}

// Kill returns the disk after the process died: programs see all that was written,
// and what was not durable still is not.
func (d *Disk) Kill() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	clones := map[*inode]*inode{nil: nil}
	clone := func(n *inode) *inode {
		if _, ok := clones[n]; !ok {
			clones[n] = n.clone()
		}
		return clones[n]
	}
	after := NewDisk()
	for name, n := range d.live {
		after.live[name] = clone(n)
	}
	for name, n := range d.durable {
		after.durable[name] = clone(n)
	}
	for _, c := range d.pending {
		after.pending = append(after.pending, entryChange{c.remove, c.set, clone(c.node)})
	}
	return after
}

func (n *inode) clone() *inode {
	n.own = false
	n.durable = n.durable[:len(n.durable):len(n.durable)] // what is appended goes elsewhere
	c := &inode{live: slices.Clone(n.live), durable: n.durable, sizes: slices.Clone(n.sizes)}
	if n.sectors != nil {
		c.sectors = make(map[int][][]byte, len(n.sectors))
		for s, versions := range n.sectors {
			c.sectors[s] = slices.Clone(versions)
		}
	}
	return c
}

// ForgetWrites makes of a file what a failed fsync makes of it on Linux: programs
// go on reading what they wrote, the platter lacks it, and no later sync will
// write it.
func (d *Disk) ForgetWrites(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n, ok := d.live[name]; ok {
		n.sectors = nil
	}
}

// sumSeed makes all sums of a process comparable.
var sumSeed = maphash.MakeSeed()

// Sum hashes all that a disk remembers, durable or not. Two disks of one process
// with the same sum behave alike, so one of them need not be tried.
func (d *Disk) Sum() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var h maphash.Hash
	h.SetSeed(sumSeed)
	number := func(n int) { maphash.WriteComparable(&h, n) }
	block := func(b []byte) { number(len(b)); h.Write(b) }
	ids := map[*inode]int{nil: 0}
	node := func(n *inode) {
		id, known := ids[n]
		if !known {
			id = len(ids)
			ids[n] = id
		}
		number(id)
		if !known {
			n.hash(number, block)
		}
	}
	for _, dir := range []map[string]*inode{d.live, d.durable} {
		number(len(dir))
		for _, name := range slices.Sorted(maps.Keys(dir)) {
			block([]byte(name))
			node(dir[name])
		}
	}
	number(len(d.pending))
	for _, c := range d.pending {
		block([]byte(c.remove))
		block([]byte(c.set))
		node(c.node)
	}
	return h.Sum64()
}

func (n *inode) hash(number func(int), block func([]byte)) {
	block(n.live)
	if !bytes.Equal(n.live, n.durable) {
		block(n.durable)
	}
	number(len(n.sizes))
	for _, size := range n.sizes {
		number(size)
	}
	number(len(n.sectors))
	for _, s := range slices.Sorted(maps.Keys(n.sectors)) {
		number(s)
		number(len(n.sectors[s]))
		for _, version := range n.sectors[s] {
			block(version)
		}
	}
}
