package replicas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"lightcone/node"
	"lightcone/walfs/walfstest"
)

// Where a segment's header has its durable mark, and how long the header is
// (walfs/README.md).
const (
	markAt     = 24
	headerSize = 64
)

// rot flips a bit of what the log of a replica promised to keep. One machine of a world
// has a disk that rots: where they all do, what they promised together is lost.
//
// Above the durable mark nobody can tell rot from a write that was torn, and there is
// none here.
func (w *World) rot(p *replica) {
	if w.rotting == nil {
		w.rotting = p
	}
	p = w.rotting
	durable := p.disk.real.PowerCut(walfstest.Nothing)
	var segments []string
	for _, name := range durable.Names() {
		if strings.HasSuffix(name, ".wal") && filepath.Base(filepath.Dir(name)) == "wal" {
			segments = append(segments, name)
		}
	}
	if len(segments) == 0 {
		return
	}
	name := segments[w.rng.IntN(len(segments))]
	file := durable.ReadFile(name)
	if len(file) < headerSize {
		return
	}
	mark := min(binary.LittleEndian.Uint64(file[markAt:]), uint64(len(file)))
	bit := w.rng.Int64N(8 * int64(max(mark, headerSize)))
	w.note("rot of %d: bit %d of %s", p.index, bit, filepath.Base(name))
	p.disk.real.Flip(name, bit)
	p.rotted = true
}

// suspect notes what a replica tells whose log rots. It may say that it cannot, but not
// what is untrue.
func (w *World) suspect(p *replica) {
	if !p.rotted || p.space == nil {
		return
	}
	facts, err := p.facts()
	if err != nil && !errors.Is(err, node.ErrDamaged) && !errors.Is(err, node.ErrStopped) {
		w.broken("replica %d, whose log rots, says: %v", p.index, err)
	}
	w.oracle.suspect = facts
}

// replace gives a replica that refuses its log a new disk and, as what it wrote may be
// known to others, a new key: it fetches everything from the others. What nobody else
// has is lost with the disk, which no promise excludes.
func (w *World) replace(p *replica) error {
	w.struck("new disk")
	w.oracle.orphan = orphan{p.id, map[*replica]uint64{}}
	for _, o := range w.peers {
		if o != p {
			mark, _ := o.space.Vector().Get(p.id)
			w.oracle.orphan.known[o] = mark.Seq
		}
	}
	p.replaced, p.rotted, p.refused, p.sent, p.granted = true, false, false, 0, false
	p.disk = newDisk(p, walfstest.NewDisk())
	if err := p.furnish(fmt.Sprintf("%d.new", p.index)); err != nil {
		return err
	}
	w.run(1000 * grain)
	if err := p.begin(); err != nil {
		return err
	}
	w.collect()
	for _, o := range w.peers {
		if o != p {
			w.connect(o.index, p.index, true)
		}
	}
	return w.share(p)
}
