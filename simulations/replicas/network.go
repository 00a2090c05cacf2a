package replicas

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// network is how messages travel. Its weather changes as the world goes on.
type network struct {
	delay, jitter time.Duration
	loss, double  float64         // of publications; a stream breaks with loss/lossPerBreak a frame
	cut           map[[2]int]bool // from, to: nothing passes
	up            map[[2]int]bool // i < j: connected
	streams       map[streamEnd]*stream
}

// lossPerBreak: streams have retransmission, so what breaks one is much rarer than what
// loses a message.
const lossPerBreak = 20

// stuckFor is after how long an end notices that nothing passes any more.
const stuckFor = 8 * time.Second

// Errors that replicas see of the network.
var (
	errBroken       = errors.New("stream broke")
	errNotConnected = errors.New("not connected")
)

// streamEnd names one end of a stream.
type streamEnd struct {
	peer    int
	session gossip.SessionID
}

// stream is a recon stream: frames arrive in order, until it ends.
type stream struct {
	ends [2]streamEnd
	last [2]time.Duration // when the last frame towards that end arrives
	over [2]bool          // that end was told that it ended
	done bool             // one end closed it in an orderly way
}

func (x *stream) side(peer int) int {
	if x.ends[0].peer == peer {
		return 0
	}
	return 1
}

// port is the gossip.Network of one start of one replica.
type port struct {
	w    *World
	self *replica

	mu    sync.Mutex
	out   []any // what Do was told, in its order
	peers []gossip.PeerInfo
	dead  bool
}

var _ gossip.Network = (*port)(nil)

// Do notes what the replica wants; the driver carries it out.
func (p *port) Do(e *gossip.Effects) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	was := len(p.out)
	for _, o := range e.Admit {
		p.out = append(p.out, o)
	}
	for _, o := range e.Open {
		p.out = append(p.out, o)
	}
	for _, o := range e.Send {
		p.out = append(p.out, o)
	}
	for _, o := range e.Close {
		p.out = append(p.out, o)
	}
	for _, o := range e.Publish {
		p.out = append(p.out, o)
	}
	if len(p.out) > was {
		p.w.poke()
	}
}

// Serve is of no use here: all replicas have one space.
func (p *port) Serve(memo.SpaceID) {}

// Keep is of no use here: the world connects all.
func (p *port) Keep(gossip.Peer, []string) {}

// Suggest is of no use here: the world connects all.
func (p *port) Suggest(memo.SpaceID, gossip.Peer, []string) {}

// Ask asks a replica to let this one join.
func (p *port) Ask(ctx context.Context, to gossip.Peer, _ []string, request []byte) ([]byte, error) {
	other := p.w.byID[to]
	if other == nil || other.node == nil {
		return nil, errNotConnected
	}
	answer, err := other.node.Answer(ctx, p.self.id, request)
	if err != nil {
		return nil, &gossip.RemoteError{Text: err.Error()}
	}
	return answer, nil
}

// Addrs returns an address that nobody dials.
func (p *port) Addrs() []string { return []string{"/ip4/127.0.0.1/tcp/1"} }

// Peers describes the connected replicas.
func (p *port) Peers() []gossip.PeerInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers
}

// Block is of no use here: the world cuts links itself.
func (p *port) Block(...gossip.Peer) {}

// Unblock undoes nothing.
func (p *port) Unblock() {}

// Traffic is not counted here.
func (p *port) Traffic() gossip.Traffic { return gossip.Traffic{} }

// die has the network forget this start of the replica.
func (p *port) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead, p.out = true, nil
}

// flush carries out what the replica wanted.
func (p *port) flush() (some bool) {
	if p == nil {
		return false
	}
	p.mu.Lock()
	out := p.out
	p.out = nil
	p.mu.Unlock()
	for _, o := range out {
		switch o := o.(type) {
		case gossip.Admit:
			p.w.admitted(p.self, o.Peer)
		case gossip.Open:
			p.w.open(p.self, o)
		case gossip.Send:
			p.w.send(p.self, o)
		case gossip.Close:
			p.w.closeStream(p.self, o)
		case gossip.Publish:
			p.w.publish(p.self, o)
		}
	}
	return len(out) > 0
}

// passage is how long a message takes.
func (w *World) passage() time.Duration {
	return w.net.delay + time.Duration(w.rng.Int64N(int64(w.net.jitter)+1))
}

func pair(i, j int) [2]int { return [2]int{min(i, j), max(i, j)} }

func (w *World) connected(i, j int) bool { return w.net.up[pair(i, j)] }

// input hands something to a replica that is up.
func (w *World) input(p *replica, in gossip.Input) error {
	if p.node == nil {
		return errNotConnected
	}
	ctx, cancel := soon()
	defer cancel()
	return p.node.Input(ctx, in)
}

// connect makes or ends the connection of two replicas.
func (w *World) connect(i, j int, up bool) {
	a, b := w.peers[i], w.peers[j]
	if up = up && a.node != nil && b.node != nil; w.connected(i, j) == up {
		return
	}
	w.note("connect %d %d %v", i, j, up)
	w.net.up[pair(i, j)] = up
	a.meet()
	b.meet()
	if up {
		w.input(a, gossip.PeerUp{Peer: b.id})
		w.collect()
		w.input(b, gossip.PeerUp{Peer: a.id})
		w.collect()
		w.linked(a, b)
		return
	}
	for _, x := range w.streamsOf(i, j) {
		w.breakStream(x, 0)
	}
	w.input(a, gossip.PeerDown{Peer: b.id})
	w.collect()
	w.input(b, gossip.PeerDown{Peer: a.id})
}

// streamsOf returns the streams between two replicas, in a fixed order.
func (w *World) streamsOf(i, j int) (out []*stream) {
	for id := gossip.SessionID(0); id <= w.peers[i].lastID; id++ {
		if x := w.net.streams[streamEnd{i, id}]; x != nil && x.ends[1-x.side(i)].peer == j {
			out = append(out, x)
		}
	}
	return out
}

// admitted tells both that publications pass between them, when both let them.
func (w *World) admitted(p *replica, id gossip.Peer) {
	other := w.byID[id]
	if other == nil {
		return
	}
	w.after(w.passage(), func() { w.linked(p, other) })
}

func (w *World) linked(a, b *replica) {
	if !w.passes(a, b) {
		return
	}
	w.input(a, gossip.Linked{Space: w.space, Peer: b.id})
	w.collect()
	w.input(b, gossip.Linked{Space: w.space, Peer: a.id})
}

// passes tells whether publications pass from a to b.
func (w *World) passes(a, b *replica) bool {
	return w.connected(a.index, b.index) && a.node != nil && b.node != nil &&
		a.node.Admitted(w.space, b.id) && b.node.Admitted(w.space, a.id)
}

// publish sends a message to all who are connected.
func (w *World) publish(p *replica, o gossip.Publish) {
	w.note("publish %d %v %x", p.index, o.Roots, sha256.Sum256(o.Data))
	w.left(p, o)
	for _, to := range w.peers {
		if to == p || !w.passes(p, to) || w.net.cut[[2]int{p.index, to.index}] {
			continue
		}
		if w.chance(w.net.loss) {
			w.struck("lost message")
			continue
		}
		copies := 1
		if w.chance(w.net.double) {
			w.struck("duplicate")
			copies = 2
		}
		for range copies {
			w.carry(p, to, o)
		}
	}
}

// carry brings one copy of a publication to one replica.
func (w *World) carry(from, to *replica, o gossip.Publish) {
	data, start := w.misguide(from, to, w.lieAbout(from, o.Data)), to.starts
	w.after(w.passage(), func() {
		if to.starts != start || !w.connected(from.index, to.index) {
			return
		}
		var in gossip.Input = &gossip.Heard{Space: o.Space, Peer: from.id, Data: data}
		if o.Roots {
			in = &gossip.HeardRoot{Space: o.Space, Peer: from.id, Data: data}
		}
		w.input(to, in)
	})
}
