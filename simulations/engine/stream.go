package engine

// maxRepeats bounds how often one message of a connection is lost in a row.
const maxRepeats = 8

// Stream sends a message over a connection, which keeps the order and repeats what is
// lost: each loss costs a probe timeout, three times the way there, doubling (RFC
// 9002). after is when the message before it on the connection arrives, zero if there
// is none. It returns when this one does; false, and nothing is sent, where a partition
// is between.
func (p *Port) Stream(to Peer, kind Kind, arg uint32, bytes int, after Time) (Time, bool) {
	s, l := p.s, p.s.engine.links
	if len(l.Partitions) > 0 && l.cut(p.now, p.self, to) {
		s.counters[Cut]++
		return 0, false
	}
	s.counters[Sent]++
	s.counters[SentBytes] += uint64(bytes)
	leave := p.uplink(bytes)
	timeout := 3 * l.base[l.of(p.self)][l.of(to)]
	for i := 0; l.Loss > 0 && i < maxRepeats && p.Float64() < l.Loss; i++ {
		s.counters[Lost]++
		leave = leave.plus(timeout.times(1 << i))
	}
	at := max(p.way(to, leave), after.plus(1))
	p.post(&Event{At: at, To: to, From: p.self, Arg: arg, Kind: kind})
	return at, true
}
