package engine

// Peer is the number of a peer, from 0.
type Peer = uint32

// Kind tells a Protocol's events apart. Those below FirstKind are the engine's.
type Kind uint8

// Events of the engine itself.
const (
	// Up and Down tell a peer that it came or went, where there is churn. A peer that
	// is down gets no other event: what is sent to it is lost, timers wait for nobody.
	Up Kind = iota
	Down
	// FirstKind is the first that a Protocol may use.
	FirstKind
)

// Event is a message that arrived or a timer that is due.
type Event struct {
	At   Time
	To   Peer
	From Peer   // the sender; of a timer To
	Arg  uint32 // of the Protocol: mostly the number of an interned message
	Aux  uint16 // of the Protocol: hops, flags
	Kind Kind
}

// digest folds the event into a running hash. Its fields are three words in which none
// lies over another: two events that differ are two different triples.
func (ev Event) digest(h uint64) uint64 {
	h = (h ^ (uint64(ev.At)<<32 | uint64(ev.To))) * golden
	h ^= h >> 29
	h = (h ^ (uint64(ev.From)<<32 | uint64(ev.Arg))) * golden
	h ^= h >> 29
	return (h ^ (uint64(ev.Aux)<<8 | uint64(ev.Kind))) * golden
}
