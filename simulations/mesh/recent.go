package mesh

// maxRecent bounds the ids that a peer remembers of one heartbeat; more than those are
// not told. gossipsub's own bound is 5,000.
const maxRecent = 64

// MaxMessages bounds the messages of a mesh: an id and, above hopShift, the links it
// came by are one word.
const (
	MaxMessages = 1 << hopShift
	maxMessage  = MaxMessages - 1
	hopShift    = 24
)

// This file is what peers remember of the messages of the last heartbeats: their ids,
// oldest first, in the row where it has room for them, else in memory that is taken for
// them and left again.

// ends returns how many ids came in each beat, a byte each.
func (r row) ends() uint64 { return uint64(r[endsWord]) | uint64(r[endsWord+1])<<32 }

func (r row) setEnds(e uint64) { r[endsWord], r[endsWord+1] = uint32(e), uint32(e>>32) }

// setIDs notes how many ids there are.
func (r row) setIDs(n int) { r[headWord] = r[headWord]&(1<<idsShift-1) | uint32(n)<<idsShift }

// remember notes a message.
func (m *rows) remember(i int, r row, msg uint32, hops uint16) {
	e := r.ends()
	if m.beats == 0 || e&0xff == maxRecent {
		return
	}
	id, n, room := msg|uint32(min(hops, 255))<<hopShift, r.ids(), r[m.idsWord:]
	switch {
	case n < len(room):
		room[n] = id
	case n == len(room):
		if m.spill == nil {
			m.spill = make([][]uint32, len(m.all)/m.stride)
		}
		m.spill[i] = append(append(make([]uint32, 0, 2*n), room...), id)
	default:
		m.spill[i] = append(m.spill[i], id)
	}
	r.setIDs(n + 1)
	r.setEnds(e + 1)
}

// recent returns what came in the last beats, oldest first: ids with their links.
func (m *rows) recent(i int, r row) []uint32 {
	n, room := r.ids(), r[m.idsWord:]
	if n > len(room) {
		return m.spill[i]
	}
	return room[:n]
}

// pass begins the next beat, and forgets the oldest.
func (m *rows) pass(i int, r row) {
	e, n, room := r.ends(), r.ids(), r[m.idsWord:]
	if n == 0 {
		return
	}
	top := 8 * (m.beats - 1)
	all := m.recent(i, r)
	left := all[e>>top&0xff:]
	switch {
	case n <= len(room):
		copy(room, left)
	case len(left) <= len(room):
		copy(room, left)
		m.spill[i] = nil
	default:
		m.spill[i] = append(all[:0], left...)
	}
	r.setIDs(len(left))
	r.setEnds(e << 8 & (1<<top<<8 - 1))
}

// forget drops what a peer remembers.
func (m *rows) forget(i int, r row) {
	if r.ids() > len(r)-m.idsWord {
		m.spill[i] = nil
	}
	r.setIDs(0)
	r.setEnds(0)
}
