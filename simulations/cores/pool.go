package cores

import (
	"fmt"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/p2p/gossip"
	"lightcone/simulations/engine"
)

// poolBytes is how much of frames that are no longer under way is remembered, to check
// no seal twice.
const poolBytes = 256 << 20

// pool is what all peers share.
type pool struct {
	space  memo.SpaceID
	params merge.Params
	runs   map[memo.ID]*run // by their heads
	blocks map[memo.ID][]byte
	trees  map[cut]memo.ID // of vectors

	frames map[memo.ID]*frame
	bytes  int // of frames
	topics []*publication
	flying []packet // under way on streams, by number
	free   []uint32 // numbers of flying
}

// run is a run and its bytes.
type run struct {
	*memo.Run
	raw []byte
}

// frame is a frame of a stream, prepared. Err is what Prepare said.
type frame struct {
	gossip.Frame
	id   memo.ID
	err  error
	uses int // packets under way
}

// publication is a message on a topic, prepared.
type publication struct {
	heard *gossip.Heard // or
	root  *gossip.HeardRoot
	id    memo.ID
	bytes int
	err   error
	seen  []uint64 // bits of the peers that had it
}

// packet is what travels on a stream: a frame, or its end.
type packet struct {
	s     *stream
	frame *frame // nil: the end
	err   error  // of the end
}

// cut stands for a vector: two with the same sum of heads and as many authors are the
// same, short of a collision of 64 bits.
type cut struct {
	hint uint64
	n    int
}

func cutOf(v memo.Vector) cut { return cut{v.Hint(), v.Len()} }

func newPool(space memo.SpaceID) *pool {
	return &pool{
		space: space, params: merge.DefaultParams(space), runs: map[memo.ID]*run{}, blocks: map[memo.ID][]byte{},
		trees: map[cut]memo.ID{}, frames: map[memo.ID]*frame{},
	}
}

// Block implements merge.BlockGetter.
func (p *pool) Block(id memo.ID) ([]byte, error) {
	if b, ok := p.blocks[id]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("%w: %s", merge.ErrNoBlock, id)
}

// PutBlock implements merge.BlockPutter.
func (p *pool) PutBlock(id memo.ID, data []byte) error {
	if p.blocks[id] == nil {
		p.blocks[id] = data
	}
	return nil
}

// intern returns the one copy of a run.
func (p *pool) intern(r *memo.Run) *run {
	id := r.Head().ID
	if have := p.runs[id]; have != nil {
		return have
	}
	raw, err := r.Encode()
	if err != nil {
		panic(err) // it came out of a frame, or was made here
	}
	out := &run{Run: r, raw: raw}
	p.runs[id] = out
	return out
}

// tree returns the digest of a vector's tree.
func (p *pool) tree(v memo.Vector) (memo.ID, error) {
	key := cutOf(v)
	if id, ok := p.trees[key]; ok {
		return id, nil
	}
	id, err := merge.BuildVector(p.params, v, nil)
	if err == nil {
		p.trees[key] = id
	}
	return id, err
}

// prepare returns the one copy of a frame, decoded and checked.
func (p *pool) prepare(data []byte) *frame {
	id := memo.Sum(data)
	f := p.frames[id]
	if f == nil {
		f = &frame{Frame: gossip.Frame{Data: data}, id: id}
		f.err = gossip.Prepare(&f.Frame)
		p.frames[id] = f
		p.bytes += len(data)
	}
	f.uses++
	return f
}

// fly numbers a packet.
func (p *pool) fly(x packet) uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		p.flying[i] = x
		return i
	}
	p.flying = append(p.flying, x)
	return uint32(len(p.flying) - 1)
}

// land takes a packet back.
func (p *pool) land(i uint32) packet {
	x := p.flying[i]
	p.flying[i] = packet{}
	p.free = append(p.free, i)
	if f := x.frame; f != nil {
		if f.uses--; f.uses == 0 && p.bytes > poolBytes {
			delete(p.frames, f.id)
			p.bytes -= len(f.Data)
		}
	}
	return x
}

// publish numbers a message on a topic of so many peers.
func (p *pool) publish(from gossip.Peer, o gossip.Publish, peers int) uint32 {
	x := &publication{id: memo.Sum(o.Data), bytes: len(o.Data), seen: make([]uint64, (peers+63)/64)}
	if o.Roots {
		x.root = &gossip.HeardRoot{Space: o.Space, Peer: from, Data: o.Data}
		x.err = gossip.Prepare(x.root)
	} else {
		x.heard = &gossip.Heard{Space: o.Space, Peer: from, Data: o.Data}
		x.err = gossip.Prepare(x.heard)
	}
	p.topics = append(p.topics, x)
	return uint32(len(p.topics) - 1)
}

// see marks a peer, and reports whether it had not been.
func (x *publication) see(p engine.Peer) bool {
	bit := uint64(1) << (p % 64)
	first := x.seen[p/64]&bit == 0
	x.seen[p/64] |= bit
	return first
}

// from returns the input for who got it from a peer.
func (x *publication) from(p gossip.Peer) gossip.Input {
	if x.root != nil {
		in := *x.root
		in.Peer = p
		return &in
	}
	in := *x.heard
	in.Peer = p
	return &in
}
