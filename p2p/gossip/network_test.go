package gossip

import (
	"errors"
	"slices"
	"time"
)

// This file carries out effects in a world: streams, topics, attaching.

// deliver attaches, at once or a little later but in order.
func (r *replica) deliver(d Deliver) {
	lag := time.Duration(0)
	if r.w.faults.attachLag > 0 {
		lag = time.Duration(r.w.rng.Int64N(int64(r.w.faults.attachLag)))
	}
	r.busy = max(r.busy, r.w.now+lag)
	attach := func() {
		before := r.shelf.vec.Clone()
		a := r.shelf.attach(d)
		if !r.shelf.vec.CoversAll(before) {
			panic("a vector went backward")
		}
		r.w.traceAttached(r, d, a)
		r.step(a)
	}
	if r.busy == r.w.now {
		attach()
		return
	}
	r.w.at(r.busy, attach)
}

func (r *replica) open(o Open) {
	w := r.w
	peer := w.replica(o.Peer)
	w.trace("%v opens session %d to %v", r, o.Session, peer)
	r.opened++
	s := &stream{ends: [2]*replica{r, peer}, ids: [2]SessionID{o.Session, 0}}
	w.streams = append(w.streams, s)
	r.streams[o.Session] = s
	if !w.links[pair(r, peer)] {
		w.breakStream(s, errors.New("not connected"))
		return
	}
	peer.lastOdd += 2
	s.ids[1] = peer.lastOdd
	peer.streams[s.ids[1]] = s
	s.cutAt, w.cutNext = w.cutNext, 0
}

// sides returns the stream of a session and which end of it r is.
func (r *replica) side(id SessionID) (s *stream, me int) {
	if s = r.streams[id]; s != nil && id%2 == 1 {
		me = 1
	}
	return s, me
}

func (r *replica) send(o Send) {
	if r.twist != nil {
		if o.Data = r.twist(o.Data); o.Data == nil {
			return // it keeps it to itself
		}
	}
	r.sendFrame(o)
	for _, data := range r.after {
		r.sendFrame(Send{Session: o.Session, Data: data})
	}
	r.after = nil
}

// sendFrame puts one frame onto its stream.
func (r *replica) sendFrame(o Send) {
	w := r.w
	s, me := r.side(o.Session)
	if s == nil || s.over[0] || s.over[1] {
		return
	}
	other, id := s.ends[1-me], s.ids[1-me]
	s.frames++
	w.bytes.frames++
	r.sent += len(o.Data)
	w.bytes.recon += len(o.Data) + 3 // uvarint length
	w.traceFrame(r, other, o)
	if s.frames == s.cutAt || w.rng.Float64() < w.faults.breaks {
		w.trace("the stream breaks")
		w.breakStream(s, errors.New("stream reset"))
		return
	}
	s.last[me] = max(s.last[me], w.now+w.lag())
	arrive := func() {
		if s.over[1-me] {
			return
		}
		in := &Frame{Session: id, Peer: r.id, Data: slices.Clone(o.Data)}
		if err := Prepare(in); err != nil {
			if r.twist == nil {
				panic(err) // honest replicas send what others can read
			}
			other.close(Close{Session: id, Err: err, Blame: true}) // as the driver does
			return
		}
		other.step(in)
	}
	if w.apart(r, other) {
		w.kept = append(w.kept, arrive)
		return
	}
	w.at(s.last[me], arrive)
}

// apart reports whether a cut cable lies between two replicas. Neither is told.
func (w *world) apart(a, b *replica) bool {
	return w.half > 0 && (a.index < w.half) != (b.index < w.half)
}

// heal ends that: what was sent meanwhile on streams arrives, what was published is lost.
func (w *world) heal() {
	w.half = 0
	for _, arrive := range w.kept {
		w.at(w.now+w.faults.delay, arrive)
	}
	w.kept = nil
}

// close ends a stream: orderly behind what was sent, or by reset.
func (r *replica) close(o Close) {
	w := r.w
	s, me := r.side(o.Session)
	if s == nil {
		return
	}
	other := s.ends[1-me]
	if o.Blame {
		w.blamed = append(w.blamed, r.String()+" blames "+other.String()+": "+o.Err.Error())
	}
	r.ended = w.now
	if o.Err != nil {
		w.trace("%v resets session %d: %v%s", r, o.Session, o.Err, map[bool]string{true: " (blames)"}[o.Blame])
		w.breakStream(s, o.Err)
		return
	}
	w.trace("%v ends session %d", r, o.Session)
	w.at(max(s.last[me], w.now+w.lag()), func() {
		w.end(s, 1-me, nil)
		w.end(s, me, nil)
	})
}

// publish sends a message to every connected member; whoever gets it first time
// passes it on.
func (r *replica) publish(o Publish) {
	if r.w.faults.noGossip {
		return
	}
	r.w.tracePublish(r, o)
	r.see(o)
	r.relay(o, nil)
}

// see reports whether a message is none of the last two minutes.
func (r *replica) see(o Publish) bool {
	id := MessageID(o.Data)
	if o.Roots {
		id = AnnouncementID(o.Data)
	}
	last, seen := r.seen[id]
	if seen && r.w.now-last < 2*time.Minute {
		return false
	}
	r.seen[id] = r.w.now
	return true
}

func (r *replica) relay(o Publish, from *replica) {
	w := r.w
	for _, other := range w.replicas {
		if other == r || other == from || !w.links[pair(r, other)] || !r.admitted[other.id] || !other.admitted[r.id] {
			continue
		}
		copies := 1
		switch x := w.rng.Float64(); {
		case w.dropNext > 0:
			w.dropNext--
			copies = 0
			w.trace("the message to %v is lost", other)
		case x < w.faults.lose || w.apart(r, other):
			copies = 0
		case x < w.faults.lose+w.faults.double:
			copies = 2
		}
		for range copies {
			w.bytes.gossip += len(o.Data)
			w.bytes.copies++
			w.at(w.now+w.lag(), func() { other.hear(o, r) })
		}
	}
}

func (r *replica) hear(o Publish, from *replica) {
	first := r.see(o)
	if !first && r.w.rng.IntN(8) > 0 { // the seen cache forgets now and then
		return
	}
	var in Input = &Heard{Space: r.w.space, Peer: from.id, Data: o.Data}
	if o.Roots {
		in = &HeardRoot{Space: r.w.space, Peer: from.id, Data: o.Data}
	}
	if err := Prepare(in); err != nil {
		panic(err)
	}
	if first {
		r.relay(o, from)
	}
	r.step(in)
}
