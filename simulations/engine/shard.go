package engine

import "time"

// Protocol is what the peers of one shard do. Its methods are called one at a time.
type Protocol interface {
	// Start is called for each peer before time passes, also for those that are down.
	Start(p *Port)
	// Step handles an event of the peer p.Self().
	Step(p *Port, ev Event)
	// Digest folds the state of a peer into a number, for Engine.Hash.
	Digest(id Peer) uint64
}

// Toucher is a Protocol whose peers are so many that what it keeps of them is in no
// cache. Touch reads, of the peers of some events that come soon, what Step will read of
// them: the processor then waits for all of it at once, not for one after the other. It
// returns something that depends on what it read, so that no compiler leaves that out,
// and must not change anything.
type Toucher interface {
	Touch(soon []Event) uint64
}

// Shard is a part of the peers, those from First up to, but not with, Last.
type Shard struct {
	First, Last Peer
	engine      *Engine
	wheel       *wheel
	protocol    Protocol
	toucher     Toucher // the protocol, if it is one
	touched     uint64
	port        Port
	out         [2][]list       // to each shard, in the window under way and in the one before
	posted      Time            // the first arrival of those of the window that was last
	draws       []uint32        // how many numbers each peer drew
	down        []bool          // nil: there is no churn
	upUntil     []time.Duration // when each peer's uplink is free, finer than ticks; nil: no limit
	counters    [MaxCounters]uint64
	measures    [MaxMeasures]Histogram
	hash        uint64
}

// Port is how the Protocol acts for the peer whose event it handles.
type Port struct {
	s    *Shard
	self Peer
	now  Time
}

// Self returns the peer.
func (p *Port) Self() Peer { return p.self }

// Local returns its number within the shard, for flat state.
func (p *Port) Local() int { return int(p.self - p.s.First) }

// Now returns the time.
func (p *Port) Now() Time { return p.now }

// Clock returns what the peer's own clock shows, which may drift.
func (p *Port) Clock() time.Time { return p.s.engine.links.clock(p.self, p.now) }

// Reachable reports whether a message to another peer would find it: it is up and no
// partition is between. It is what a peer learns from its connections.
func (p *Port) Reachable(to Peer) bool { return p.s.engine.links.calm || p.reachable(to) }

func (p *Port) reachable(to Peer) bool {
	l := p.s.engine.links
	return l.up(to, p.now) && (len(l.Partitions) == 0 || !l.cut(p.now, p.self, to))
}

// Uint64 draws from the peer's stream.
func (p *Port) Uint64() uint64 {
	n := &p.s.draws[p.self-p.s.First]
	*n++
	return Draw(p.s.engine.cfg.Seed, p.self, *n)
}

// Float64 draws a number of [0, 1).
func (p *Port) Float64() float64 { return Unit(p.Uint64()) }

// IntN draws a number of [0, n). Its bias is below n/2³².
func (p *Port) IntN(n int) int { return int(p.Uint64() >> 32 * uint64(n) >> 32) }

// Count adds to a counter.
func (p *Port) Count(c Counter, n int) { p.s.counters[c] += uint64(n) }

// Observe adds a value to a distribution.
func (p *Port) Observe(m Measure, v uint64) { p.s.measures[m].Add(v) }

// After sets a timer, at least a tick from now.
func (p *Port) After(d Time, kind Kind, arg uint32) {
	if at := p.now.plus(max(1, d)); at < End {
		p.s.wheel.add(&Event{At: at, To: p.self, From: p.self, Arg: arg, Kind: kind})
	}
}

// Send sends a message of so many bytes to another peer. It may never arrive.
func (p *Port) Send(to Peer, kind Kind, arg uint32, aux uint16, bytes int) {
	p.SendBehind(to, kind, arg, aux, bytes, 0)
}

// SendBehind is Send of what was written to a connection behind so many other packets,
// which a connection hands over first.
func (p *Port) SendBehind(to Peer, kind Kind, arg uint32, aux uint16, bytes, packets int) {
	s, l := p.s, p.s.engine.links
	s.counters[Sent]++
	s.counters[SentBytes] += uint64(bytes)
	left := p.uplink(bytes)
	leave, ok := left, true
	if l.Loss > 0 {
		if leave, ok = p.leaves(left); !ok {
			return
		}
	}
	if len(l.Partitions) > 0 && l.cut(p.now, p.self, to) {
		s.counters[Cut]++
		return
	}
	at := p.way(to, leave)
	for n := l.packets(bytes, packets); n > 1; n-- {
		if leave, ok = p.leaves(left); !ok {
			return
		}
		at = max(at, p.way(to, leave))
	}
	p.post(&Event{At: at, To: to, From: p.self, Arg: arg, Aux: aux, Kind: kind})
}

// leaves draws when a packet leaves that does not get lost, false if none does: what is
// lost is sent again after a while, if at all.
func (p *Port) leaves(at Time) (Time, bool) {
	s, l := p.s, p.s.engine.links
	for wait := Ticks(l.Resend); l.Loss > 0 && p.Float64() < l.Loss; wait = wait.plus(wait) {
		s.counters[Lost]++
		if l.Resend == 0 {
			return 0, false
		}
		at = at.plus(wait)
	}
	return at, true
}

// way returns when what leaves then comes to another peer.
func (p *Port) way(to Peer, leave Time) Time {
	l := p.s.engine.links
	at := leave.plus(l.base[l.of(p.self)][l.of(to)])
	if l.Jitter > 0 {
		at = at.plus(exponential(l.Jitter, p.Uint64()))
	}
	return at
}

// post hands a message to the receiver's shard, unless it comes beyond the end of all
// simulations.
func (p *Port) post(ev *Event) {
	s := p.s
	if ev.At == End {
		return
	}
	if ev.To >= s.First && ev.To < s.Last {
		s.wheel.add(ev)
		return
	}
	o := s.engine.shardOf(ev.To)
	s.posted = min(s.posted, ev.At)
	s.out[s.engine.turn][o].add(s.wheel.memory, ev)
}

// uplink puts so many bytes into the queue before the peer's link and returns when they
// have left.
func (p *Port) uplink(bytes int) Time {
	s := p.s
	if s.upUntil == nil {
		return p.now
	}
	until := &s.upUntil[p.self-s.First]
	*until = max(*until, p.now.Duration()) + time.Duration(float64(bytes)/s.engine.links.Uplink*float64(time.Second))
	return Ticks(*until)
}

// run handles the events before end, with those that others sent in the window before.
func (s *Shard) run(end Time) {
	s.wheel.today.resume(s.wheel.memory)
	s.receive()
	for t := s.wheel.next(); t < end; t = s.wheel.next() {
		s.wheel.advance(t)
		s.port.now = t
		for ev := s.wheel.take(); ev != nil; ev = s.wheel.take() {
			s.handle(ev)
		}
	}
	s.wheel.today.leave(s.wheel.memory)
}

// receive takes what the shards sent to this one in the window before, in their order.
func (s *Shard) receive() {
	s.posted = End
	i, turn := s.engine.shardOf(s.First), 1-s.engine.turn
	for _, from := range s.engine.shards {
		sent := &from.out[turn][i]
		for c := sent.head; c != nil; c = s.wheel.memory.release(c) {
			for k := range c.events[:c.n] {
				s.wheel.add(&c.events[k])
			}
		}
		*sent = list{}
	}
}

// touch has the state of the peers of some events brought into the cache.
func (s *Shard) touch(soon []Event) {
	sum := uint64(0)
	for i := range soon {
		sum += uint64(s.draws[soon[i].To-s.First])
	}
	if s.toucher != nil {
		sum += s.toucher.Touch(soon)
	}
	s.touched = sum
}

// handle handles one event.
func (s *Shard) handle(ev *Event) {
	s.port.self = ev.To
	if s.down != nil && !s.present(ev) {
		return
	}
	s.counters[Events]++
	s.hash = ev.digest(s.hash)
	s.protocol.Step(&s.port, *ev)
}

// present handles comings and goings, and reports whether the peer gets the event.
func (s *Shard) present(ev *Event) bool {
	i := ev.To - s.First
	switch {
	case ev.Kind == Up || ev.Kind == Down:
		s.down[i] = ev.Kind == Down
		s.change(&s.port, ev.Arg, ev.Kind == Up)
	case s.down[i] && ev.From != ev.To:
		s.counters[Absent]++
		return false
	case s.down[i]:
		return false
	}
	return true
}
