package replicas

import (
	"crypto/sha256"
	"time"

	"lightcone/p2p/gossip"
)

// open begins a stream that a replica wants.
func (w *World) open(p *replica, o gossip.Open) {
	to := w.byID[o.Peer]
	p.lastID = max(p.lastID, o.Session)
	if to == nil || !w.connected(p.index, to.index) || to.node == nil {
		start := p.starts
		w.after(w.passage(), func() {
			if p.starts == start {
				w.input(p, gossip.Closed{Session: o.Session, Err: errNotConnected})
			}
		})
		return
	}
	to.lastOdd += 2
	to.lastID = max(to.lastID, to.lastOdd)
	x := &stream{ends: [2]streamEnd{{p.index, o.Session}, {to.index, to.lastOdd}}}
	for _, e := range x.ends {
		w.net.streams[e] = x
	}
	w.note("open %d %d", p.index, to.index)
}

// send brings a frame to the other end.
func (w *World) send(p *replica, o gossip.Send) {
	x := w.net.streams[streamEnd{p.index, o.Session}]
	if x == nil {
		return
	}
	side := x.side(p.index)
	end := x.ends[1-side]
	w.note("send %d %d %x", p.index, end.peer, sha256.Sum256(o.Data))
	if w.net.cut[[2]int{p.index, end.peer}] {
		w.breakStream(x, stuckFor)
		return
	}
	if w.chance(w.net.loss / lossPerBreak) {
		w.struck("broken stream")
		w.breakStream(x, w.passage())
		return
	}
	data := w.lieAbout(p, o.Data)
	w.inOrder(x, 1-side, func() {
		to := w.peers[end.peer]
		if err := w.input(to, &gossip.Frame{Session: end.session, Peer: p.id, Data: data}); err != nil {
			w.breakStream(x, 0) // refused
		}
	})
}

// inOrder has f happen at one end of a stream, behind all that was sent there before,
// unless the end was told by then that the stream is over.
func (w *World) inOrder(x *stream, side int, f func()) {
	at := max(w.now()+w.passage(), x.last[side])
	x.last[side] = at + grain
	w.after(at-w.now(), func() {
		if !x.over[side] {
			f()
		}
	})
}

// closeStream ends a stream as a replica wants it.
func (w *World) closeStream(p *replica, o gossip.Close) {
	x := w.net.streams[streamEnd{p.index, o.Session}]
	if x == nil {
		return
	}
	w.note("close %d %v", p.index, o.Err)
	switch {
	case o.Err != nil:
		w.breakStream(x, 0)
	case w.net.cut[[2]int{p.index, x.ends[1-x.side(p.index)].peer}]:
		w.breakStream(x, stuckFor)
	case !x.done:
		x.done = true
		w.inOrder(x, 1-x.side(p.index), func() { w.finish(x, 1-x.side(p.index), nil) })
		w.inOrder(x, x.side(p.index), func() { w.finish(x, x.side(p.index), nil) })
	}
}

// breakStream ends a stream both ways; what is on its way is lost.
func (w *World) breakStream(x *stream, in time.Duration) {
	for side := range x.ends {
		w.after(in, func() { w.finish(x, side, errBroken) })
	}
}

// finish tells one end that the stream is over.
func (w *World) finish(x *stream, side int, err error) {
	if x.over[side] {
		return
	}
	x.over[side] = true
	end := x.ends[side]
	if w.net.streams[end] != x {
		return // the replica was started anew since
	}
	delete(w.net.streams, end)
	w.input(w.peers[end.peer], gossip.Closed{Session: end.session, Err: err})
}
