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

// recent are the messages of the last heartbeats, of each peer of a shard. Memory is
// taken when a peer has some: at rest there are none.
type recent struct {
	beats int
	ids   [][]uint32
	ends  [][MaxBeats]uint8 // how many ids came in each beat, the one under way first
}

func newRecent(n int, p Params) recent {
	if p.Lazy == 0 || p.LazyBeats == 0 {
		return recent{}
	}
	return recent{beats: p.LazyBeats, ids: make([][]uint32, n), ends: make([][MaxBeats]uint8, n)}
}

// add notes a message.
func (r *recent) add(i int, msg uint32, hops uint16) {
	if r.beats == 0 || r.ends[i][0] == maxRecent {
		return
	}
	r.ids[i] = append(r.ids[i], msg|uint32(min(hops, 255))<<hopShift)
	r.ends[i][0]++
}

// of returns what came in the last beats, oldest first: ids with their links.
func (r *recent) of(i int) []uint32 {
	if r.beats == 0 {
		return nil
	}
	return r.ids[i]
}

// pass begins the next beat, and forgets the oldest.
func (r *recent) pass(i int) {
	if r.beats == 0 {
		return
	}
	e := &r.ends[i]
	old := int(e[r.beats-1])
	r.ids[i] = append(r.ids[i][:0], r.ids[i][old:]...)
	copy(e[1:r.beats], e[:r.beats-1])
	e[0] = 0
	if len(r.ids[i]) == 0 {
		r.ids[i] = nil
	}
}

// forget drops what a peer remembers.
func (r *recent) forget(i int) {
	if r.beats > 0 {
		r.ids[i], r.ends[i] = nil, [MaxBeats]uint8{}
	}
}
