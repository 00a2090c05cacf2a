package mesh

import "lightcone/simulations/engine"

// Words of a row, in their order; links, seen and ids follow.
const (
	headWord  = iota // degree, life, whether it refuses, how many ids, from the lowest bit
	endsWord         // two words: how many ids came in each beat, a byte each, the one under way lowest
	linksWord = endsWord + 2

	degreeMask, refusesBit = 1<<7 - 1, 1 << 7
	lifeShift, idsShift    = 8, 16

	// lineWords is how many words a line of the cache has; a row is whole lines.
	lineWords = 16
	// leastIDs is how many recent ids a row has room for, at least.
	leastIDs = 4
)

// rows is what a mesh knows of each peer of a shard: one after the other, so that most
// of what an event needs of its peer is in one line of the cache. With production's
// parameters and up to 32 messages a row is just that line.
type rows struct {
	all               []uint32
	stride            int
	width             int // links a peer has room for
	seenWord, idsWord int
	spill             [][]uint32 // the ids of peers that have more than a row has room for; nil: no one has
	beats             int        // that ids are remembered for; 0: none are
}

// row is that of one peer.
type row []uint32

func newRows(n, width, messages, beats int) rows {
	seen := linksWord + width
	ids := seen + (messages+31)/32
	stride := (ids + leastIDs + lineWords - 1) / lineWords * lineWords
	return rows{all: make([]uint32, n*stride), stride: stride, width: width, seenWord: seen, idsWord: ids, beats: beats}
}

// of returns the row of a peer.
func (m *rows) of(i int) row { return m.all[i*m.stride : (i+1)*m.stride : (i+1)*m.stride] }

func (r row) degree() int  { return int(r[headWord] & degreeMask) }
func (r row) life() uint32 { return r[headWord] >> lifeShift & 0xff }
func (r row) ids() int     { return int(r[headWord] >> idsShift) }

// refuses tells whether a link has said that it needs no copy of something.
func (r row) refuses() bool { return r[headWord]&refusesBit != 0 }

// live begins another life.
func (r row) live() { r[headWord] = r[headWord]&^(0xff<<lifeShift) | (r.life()+1)&0xff<<lifeShift }

// links returns those of a peer.
func (r row) links() []engine.Peer { return r[linksWord : linksWord+r.degree()] }

// link adds a link, and reports whether there is one now.
func (m *rows) link(r row, self, to engine.Peer) bool {
	for _, l := range r.links() {
		if l == to {
			return true
		}
	}
	if to == self || r.degree() == m.width {
		return false
	}
	r[linksWord+r.degree()] = to
	r[headWord]++
	return true
}

// unlink removes a link, if there is one.
func (r row) unlink(to engine.Peer) {
	all := r.links()
	for k, l := range all {
		if l == to {
			all[k] = all[len(all)-1]
			r[headWord]--
			return
		}
	}
}

// alone removes all links.
func (r row) alone() { r[headWord] &^= degreeMask }

// seen tells whether a peer has had a message.
func (m *rows) seen(r row, msg uint32) bool { return r[m.seenWord+int(msg/32)]&(1<<(msg%32)) != 0 }

// see marks a message as seen, and reports whether it was not.
func (m *rows) see(r row, msg uint32) bool {
	w := &r[m.seenWord+int(msg/32)]
	bit := uint32(1) << (msg % 32)
	was := *w
	*w |= bit
	return was&bit == 0
}
