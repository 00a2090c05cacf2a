package replicas

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p/gossip"
	"lightcone/walfs/walfstest"
)

// replica is a whole node with a disk and a clock of its own.
type replica struct {
	w     *World
	index int
	id    gossip.Peer
	dir   string

	durability node.Durability
	relaxed    bool // acknowledges before it syncs

	node  *node.Node // nil while it is down
	space *node.Space
	port  *port
	disk  *disk
	clock *clock

	starts  int
	lastOdd gossip.SessionID // of streams that others opened
	lastID  gossip.SessionID // greatest of any stream
	sent    uint64           // seq of the newest own memo that left it
	busy    bool             // a client waits for it

	key      ed25519.PrivateKey
	granted  bool // in a space of members: somebody was asked to let it write
	rotted   bool // bits of its log flipped since it has this disk
	refused  bool // it does not start with that log: it is down until it gets another disk
	replaced bool // it got one
}

// segmentSize keeps disks small, and is the least that a store takes.
const segmentSize = 256 << 10

// newReplica makes the directory of a replica, with a key of the seed's.
func (w *World) newReplica(index int) (*replica, error) {
	p := &replica{
		w: w, index: index, granted: index == 0,
		clock: &clock{skew: w.between(-20*time.Second, 20*time.Second)},
	}
	p.disk = newDisk(p, walfstest.NewDisk())
	switch w.rng.IntN(5) {
	case 0:
		p.durability, p.relaxed = node.None, true
	case 1:
		p.durability, p.relaxed = node.Interval(20*time.Millisecond), true
	case 2:
		p.durability = node.Each
	default:
		p.durability = node.Group
	}
	return p, p.furnish(fmt.Sprint(index))
}

// furnish makes a directory for the replica, with a key of the seed's.
func (p *replica) furnish(name string) error {
	p.dir = filepath.Join(p.w.dir, name)
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(p.w.rng.Uint32())
	}
	p.key = ed25519.NewKeyFromSeed(seed)
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.dir, "key"), []byte(hex.EncodeToString(seed)), 0o600)
}

// begin opens the node on its disk.
func (p *replica) begin() error {
	p.starts++
	n, err := node.Open(p.dir, node.Options{
		Durability: p.durability, SegmentSize: segmentSize, LogFS: p.disk.fs(), Volatile: true,
		Seed: p.w.rng.Uint64() | 1, Now: p.clock.now,
	})
	if err != nil {
		return err
	}
	p.node, p.id, p.port = n, n.ID(), &port{w: p.w, self: p}
	p.lastOdd, p.lastID = 1, 1
	n.Attach(p.port)
	if spaces := n.Spaces(); len(spaces) > 0 {
		p.space, err = n.OpenSpace(spaces[0].Name)
	}
	p.w.byID[p.id] = p
	return err
}

// meet tells the replica's port who is connected.
func (p *replica) meet() {
	if p.port == nil {
		return
	}
	var peers []gossip.PeerInfo
	for _, o := range p.w.peers {
		if o != p && p.w.connected(p.index, o.index) {
			peers = append(peers, gossip.PeerInfo{Peer: o.id})
		}
	}
	slices.SortFunc(peers, func(a, b gossip.PeerInfo) int { return a.Peer.Compare(b.Peer) })
	p.port.mu.Lock()
	defer p.port.mu.Unlock()
	p.port.peers = peers
}

// end stops the replica, which goes on with after. A power cut takes what was not
// synced: after is made before the node can do anything about it.
func (p *replica) end(after *walfstest.Disk) {
	if p.node == nil {
		return
	}
	p.w.note("end %d", p.index)
	p.w.oracle.ended(p)
	for _, o := range p.w.peers {
		if o != p {
			p.w.connect(p.index, o.index, false)
		}
	}
	for id := range p.lastID + 1 {
		if x := p.w.net.streams[streamEnd{p.index, id}]; x != nil {
			delete(p.w.net.streams, streamEnd{p.index, id})
			p.w.breakStream(x, 0)
		}
	}
	p.port.die()
	if after != nil {
		p.disk.lose()
	}
	n := p.node
	p.node, p.port = nil, nil
	err := n.Close()
	if after != nil {
		p.disk = newDisk(p, after)
	} else if err != nil && !p.disk.hurt {
		p.w.broken("replica %d does not close: %v", p.index, err)
	}
}

// restart opens a replica that is down, checks what it must still have, and connects it.
func (p *replica) restart() {
	if p.node != nil || p.refused {
		return
	}
	p.w.note("start %d", p.index)
	if err := p.begin(); err != nil {
		p.again(err)
		return
	}
	p.w.oracle.started(p)
	p.w.collect()
	if own, _ := p.space.Vector().Get(p.id); own.Seq < p.sent {
		p.w.broken("replica %d has %d own memos after a crash, and %d had left it", p.index, own.Seq, p.sent)
		return
	}
	for _, o := range p.w.peers {
		if o != p {
			p.w.after(p.w.between(time.Millisecond, time.Second), func() { p.w.connect(p.index, o.index, true) })
		}
	}
}

// again starts a replica once more, whose disk failed while it started.
func (p *replica) again(err error) {
	if p.rotted && errors.Is(err, node.ErrDamaged) {
		p.w.note("start %d: %v", p.index, err)
		p.w.struck("log refused")
		p.refused = true
		return
	}
	if !p.disk.hurt {
		p.w.broken("replica %d does not start: %v", p.index, err)
		return
	}
	p.w.note("start %d: %v", p.index, err)
	after := p.disk.takeCut()
	if after == nil {
		_, pick := p.w.pick()
		after = p.disk.real.PowerCut(pick)
	}
	p.w.oracle.powerCut(p)
	full := p.disk.full
	p.disk = newDisk(p, after)
	if p.disk.full = full; full {
		p.w.after(3*time.Second, func() { p.disk.full = false })
	}
	p.w.after(p.w.downFor(), p.restart)
}

// left notes which own memos left a replica: from now on it may not forget them.
func (w *World) left(p *replica, o gossip.Publish) {
	run, err := published(o)
	if err != nil || run == nil || run.Author() != p.id {
		return
	}
	if err := run.Verify(); err != nil {
		w.broken("replica %d sends a run without a seal: %v", p.index, err)
	}
	p.sent = max(p.sent, run.Head().Seq)
}

// messageHeader is what a publication has in front of its run: version and hint.
const messageHeader = 9

// published returns the run of a publication, nil if it has none.
func published(o gossip.Publish) (*memo.Run, error) {
	if o.Roots || len(o.Data) <= messageHeader {
		return nil, nil
	}
	return memo.DecodeRun(o.Data[messageHeader:])
}

// suffer has a replica crash in the middle of what it does, if its disk said so.
func (p *replica) suffer() bool {
	after := p.disk.takeCut()
	if after == nil || p.node == nil {
		return false
	}
	p.end(after)
	p.w.oracle.powerCut(p)
	p.w.after(p.w.between(100*time.Millisecond, 5*time.Second), p.restart)
	return true
}

// clock is a replica's wall clock: that of the world, wrong by skew. It never goes
// backward while the replica runs.
type clock struct{ skew time.Duration }

func (c *clock) now() time.Time { return time.Now().Add(c.skew) }

// errGone is what a disk says after its power was cut.
var errGone = errors.New("disk is gone")
