package mesh

import "lightcone/simulations/engine"

// IDONTWANT, as gossipsub 1.2 has it: whoever gets a large message tells its other
// links at once that it needs no copy.
const (
	// unwantedFrom is how many bytes a message has of which it is told.
	unwantedFrom = 1024
	// unwantedBeats is for how many heartbeats it is remembered.
	unwantedBeats = 3
)

// unwanted are the copies that links need not be sent, of the peers of a shard that
// were told of some: their rows say so.
type unwanted map[int][]refusal

// refusal is one message that one link has.
type refusal struct {
	by   engine.Peer
	msg  uint32
	left uint8 // heartbeats
}

func (u unwanted) add(i int, r row, by engine.Peer, msg uint32) {
	u[i] = append(u[i], refusal{by, msg, unwantedBeats})
	r[headWord] |= refusesBit
}

// has tells whether a link has said so.
func (u unwanted) has(i int, r row, by engine.Peer, msg uint32) bool {
	if !r.refuses() {
		return false
	}
	for _, x := range u[i] {
		if x.by == by && x.msg == msg {
			return true
		}
	}
	return false
}

// pass lets a heartbeat go by.
func (u unwanted) pass(i int, r row) {
	if !r.refuses() {
		return
	}
	kept := u[i][:0]
	for _, x := range u[i] {
		if x.left--; x.left > 0 {
			kept = append(kept, x)
		}
	}
	if u[i] = kept; len(kept) == 0 {
		u.forget(i, r)
	}
}

// forget drops what a peer was told.
func (u unwanted) forget(i int, r row) {
	if r.refuses() {
		delete(u, i)
		r[headWord] &^= refusesBit
	}
}
