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

// unwanted are the copies that links need not be sent, of each peer of a shard. Memory
// is taken when a peer is told of one.
type unwanted [][]refusal

// refusal is one message that one link has.
type refusal struct {
	by   engine.Peer
	msg  uint32
	left uint8 // heartbeats
}

func (u unwanted) add(i int, by engine.Peer, msg uint32) {
	u[i] = append(u[i], refusal{by, msg, unwantedBeats})
}

// has tells whether a link has said so.
func (u unwanted) has(i int, by engine.Peer, msg uint32) bool {
	for _, r := range u[i] {
		if r.by == by && r.msg == msg {
			return true
		}
	}
	return false
}

// pass lets a heartbeat go by.
func (u unwanted) pass(i int) {
	if u[i] == nil {
		return
	}
	kept := u[i][:0]
	for _, r := range u[i] {
		if r.left--; r.left > 0 {
			kept = append(kept, r)
		}
	}
	if u[i] = kept; len(kept) == 0 {
		u[i] = nil
	}
}
