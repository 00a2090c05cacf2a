package gossip

import (
	"container/heap"
	"crypto/hmac"
	"errors"
	"fmt"
	"iter"
	"time"

	"lightcone/memo"
)

// Limits of one session.
const (
	sessionIdle   = 30 * time.Second
	sessionCredit = 1 << 20   // bytes of runs a peer may send ahead of our attaching
	sessionBytes  = 64 << 20  // bytes of runs in one session; the next one goes on
	sessionWaste  = 4 << 20   // bytes of runs that brought nothing new
	maxCredit     = 256 << 20 // what a peer may grant us in sum before it is nonsense
)

// ErrRefused reports a session of a peer that does not belong to the space.
var ErrRefused = errors.New("peer did not prove that it belongs to the space")

// session is one recon stream, from HELLO to DONE both ways.
type session struct {
	id      SessionID
	peer    Peer
	space   *space // nil until the HELLO of an accepted stream
	member  *member
	active  time.Time
	opened  bool    // we opened it
	root    memo.ID // vecRoot we said in our HELLO
	replied bool    // their HELLO came

	theirs     map[memo.Author]uint64 // what they have, as far as they said
	listed     int                    // vector entries received
	queue      runQueue               // what they lack, next run of each author
	credit     int                    // bytes we may still send
	sent       int
	streaming  bool // vectors are exchanged, runs may flow
	doneSent   bool
	doneCame   bool
	undelivery int // bytes delivered to the owner and not yet attached
	got        int
	fresh      int
	wasted     int
	bad        error // their runs broke a rule
}

// open starts a session of ours.
func (c *Core) open(now time.Time, s *space, p Peer, m *member, e *Effects) {
	root, err := c.cfg.Holdings.VecRoot(s.id)
	if err != nil {
		m.due = now.Add(retryMax)
		return
	}
	m.due = time.Time{}
	c.nextID += 2
	ses := &session{
		id: c.nextID, peer: p, space: s, member: m, active: now, opened: true, root: root,
		theirs: map[memo.Author]uint64{},
	}
	c.sessions[ses.id] = ses
	c.stats.Sessions++
	e.Open = append(e.Open, Open{Session: ses.id, Peer: p})
	c.sayHello(ses, e)
}

func (c *Core) sayHello(s *session, e *Effects) {
	s.send(e, &hello{
		Type: typeHello, Version: wireVersion, Space: s.space.id,
		Proof:   proof(s.space.secret, s.space.id, c.cfg.Self, s.peer),
		VecRoot: s.root, Nonce: c.rng.Uint64(), Credit: sessionCredit,
	})
}

func (s *session) send(e *Effects, m message) {
	e.Send = append(e.Send, Send{Session: s.id, Data: encode(m)})
}

// frame takes one frame; the first of a stream we accepted makes its session.
func (c *Core) frame(now time.Time, in *Frame, e *Effects) {
	s := c.sessions[in.Session]
	if s == nil {
		if in.Session%2 == 0 {
			return // late frame of a session that ended
		}
		s = &session{id: in.Session, peer: in.Peer, theirs: map[memo.Author]uint64{}}
		c.sessions[s.id] = s
		c.stats.Sessions++
	}
	s.active = now
	var err error
	switch m := in.msg.(type) {
	case *hello:
		err = c.onHello(now, s, m, e)
	case *vec:
		err = c.onVec(s, m, e)
	case *verified:
		err = c.onRuns(s, m, e)
	case *credit:
		err = c.onCredit(s, m, e)
	case *done:
		err = c.onDone(now, s, e)
	default:
		err = fmt.Errorf("%w: frame was not prepared", ErrWire)
	}
	if err != nil {
		c.abort(now, s, err, !errors.Is(err, errLocal), e)
	}
}

// errLocal marks failures that are not the peer's.
var errLocal = errors.New("local failure")

func (c *Core) onHello(now time.Time, s *session, m *hello, e *Effects) error {
	if s.replied || m.Version != wireVersion {
		return fmt.Errorf("%w: unexpected HELLO, version %d", ErrWire, m.Version)
	}
	sp := c.spaces[m.Space]
	if sp == nil || s.opened && sp != s.space {
		c.stats.Refused++
		return fmt.Errorf("%w: no such space here", ErrRefused)
	}
	want := proof(sp.secret, sp.id, s.peer, c.cfg.Self)
	if !hmac.Equal(want[:], m.Proof[:]) {
		c.stats.Refused++
		return ErrRefused
	}
	s.replied, s.credit = true, int(min(m.Credit, maxCredit))
	if !s.opened {
		root, err := c.cfg.Holdings.VecRoot(sp.id)
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		s.space, s.root = sp, root
	}
	c.prove(now, s, e)
	equal := s.root == m.VecRoot
	if !s.opened {
		c.sayHello(s, e)
		if !equal {
			c.sayVec(s, c.cfg.Holdings.Vector(sp.id).All(), e)
		}
	}
	if equal {
		s.member.has = c.cfg.Holdings.Vector(sp.id).Clone()
		c.stats.Equal++
		if s.opened {
			c.finish(now, s, e)
		}
	}
	return nil
}

// prove records that the session's peer knows the secret.
func (c *Core) prove(now time.Time, s *session, e *Effects) {
	c.Know(now, s.space.id, s.peer)
	m := s.space.members[s.peer]
	if m == nil { // more than maxMembers: serve it, remember nothing
		m = &member{}
	}
	s.member, m.due = m, time.Time{}
	if !m.proved {
		m.proved = true
		e.Admit = append(e.Admit, Admit{Space: s.space.id, Peer: s.peer})
	}
}

// sayVec lists heads in VEC frames, at least one.
func (c *Core) sayVec(s *session, heads iter.Seq[memo.Mark], e *Effects) {
	m := &vec{Type: typeVec}
	for mark := range heads {
		if len(m.Heads) == vecChunk {
			m.More = true
			s.send(e, m)
			m = &vec{Type: typeVec}
		}
		m.Heads = append(m.Heads, vecHead{Author: mark.Author, Seq: mark.Seq, ID: mark.ID})
	}
	s.send(e, m)
}

// onVec collects the peer's heads. When they are complete, the opener answers
// with its own entries that differ, and both sides know what to send.
func (c *Core) onVec(s *session, m *vec, e *Effects) error {
	if !s.replied || s.streaming {
		return fmt.Errorf("%w: unexpected VEC", ErrWire)
	}
	if s.listed += len(m.Heads); s.listed > maxVec {
		return fmt.Errorf("%w: more than %d authors", ErrWire, maxVec)
	}
	mine := c.cfg.Holdings.Vector(s.space.id)
	for _, h := range m.Heads {
		s.theirs[h.Author] = h.Seq
		if own, ok := mine.Get(h.Author); ok && own.Seq == h.Seq && own.ID != h.ID {
			c.stats.Forks++
		}
		if h.Seq > 0 && !s.member.has.Covers(h.Author, h.Seq) {
			s.member.has.Set(memo.Mark{Head: memo.Head{Author: h.Author, Seq: h.Seq, ID: h.ID}})
		}
	}
	if m.More {
		return nil
	}
	if s.opened {
		c.sayVec(s, c.differing(mine, s.theirs), e)
	}
	return c.startStreaming(s, mine, e)
}

// differing yields our entry for each author whose seq differs from theirs;
// seq 0 stands for an author we hold nothing of.
func (c *Core) differing(mine memo.Vector, theirs map[memo.Author]uint64) iter.Seq[memo.Mark] {
	return func(yield func(memo.Mark) bool) {
		unknown := memo.Vector{}
		for a, seq := range theirs {
			if _, ok := mine.Get(a); !ok && seq > 0 {
				unknown.Set(memo.Mark{Head: memo.Head{Author: a}})
			}
		}
		for _, v := range []memo.Vector{mine, unknown} {
			for m := range v.All() {
				if seq, ok := theirs[m.Author]; (!ok || seq != m.Seq || m.Seq == 0) && !yield(m) {
					return
				}
			}
		}
	}
}

// startStreaming fills the queue with the next run of every author the peer
// lacks something of. An accepted session compares with what it listed: authors
// the opener did not name are equal.
func (c *Core) startStreaming(s *session, mine memo.Vector, e *Effects) error {
	s.streaming = true
	for m := range mine.All() {
		theirs, named := s.theirs[m.Author]
		if !named && !s.opened {
			continue
		}
		if theirs < m.Seq {
			if err := c.enqueue(s, m.Author, theirs); err != nil {
				return err
			}
		}
	}
	return c.pump(s, e)
}

func (c *Core) enqueue(s *session, a memo.Author, after uint64) error {
	order, last, ok, err := c.cfg.Holdings.NextRun(s.space.id, a, after)
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	if ok {
		heap.Push(&s.queue, queuedRun{author: a, order: order, last: last})
	}
	return nil
}

// pump sends runs in attach order while there is credit, then DONE. Attach
// order is a causal order, so the receiver never waits for a cause.
func (c *Core) pump(s *session, e *Effects) error {
	out, size := &runs{Type: typeRuns}, 0
	flush := func() {
		if size > 0 {
			s.send(e, out)
			s.credit, s.sent = s.credit-size, s.sent+size
			c.stats.BytesSent += size
			out, size = &runs{Type: typeRuns}, 0
		}
	}
	for len(s.queue) > 0 && s.credit > size && s.sent+size < sessionBytes {
		q := heap.Pop(&s.queue).(queuedRun)
		raw, err := c.cfg.Holdings.Run(s.space.id, q.author, q.last)
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if size+len(raw) > runsFrame {
			flush()
		}
		out.Runs, size = append(out.Runs, memo.Bytes(raw)), size+len(raw)
		c.stats.RunsSent++
		s.theirs[q.author] = q.last
		if err := c.enqueue(s, q.author, q.last); err != nil {
			return err
		}
	}
	flush()
	if !s.doneSent && (len(s.queue) == 0 || s.sent >= sessionBytes) {
		s.doneSent = true
		s.send(e, &done{Type: typeDone})
	}
	return nil
}

// onRuns hands the runs to the owner; their bytes count against the credit we
// gave until they are attached.
func (c *Core) onRuns(s *session, m *verified, e *Effects) error {
	if !s.replied || s.doneCame {
		return fmt.Errorf("%w: unexpected RUNS", ErrWire)
	}
	s.undelivery += m.bytes
	if s.got += m.bytes; s.got > sessionBytes+sessionCredit || s.undelivery > sessionCredit+MaxFrame {
		return fmt.Errorf("%w: more bytes than granted", ErrWire)
	}
	for _, r := range m.runs {
		if r.Space != s.space.id {
			return fmt.Errorf("%w: a run of another space", ErrWire)
		}
		s.member.saw(r)
	}
	e.Deliver = append(e.Deliver, Deliver{
		Space: s.space.id, From: s.peer, Session: s.id, Runs: m.runs, Bytes: m.bytes,
	})
	return nil
}

// credited goes on after the owner attached a delivery of the session.
func (c *Core) credited(now time.Time, s *session, in *Attached, e *Effects) {
	s.active = now
	s.undelivery -= in.Bytes
	s.fresh += in.Fresh
	if in.Fresh == 0 {
		s.wasted += in.Bytes
	}
	switch {
	case in.Bad != nil:
		c.abort(now, s, in.Bad, true, e)
	case s.wasted > sessionWaste:
		c.abort(now, s, fmt.Errorf("%d bytes brought nothing new", s.wasted), true, e)
	case s.doneCame:
		c.maybeFinish(now, s, e)
	default:
		s.send(e, &credit{Type: typeCredit, Bytes: uint64(in.Bytes)})
	}
}

func (c *Core) onCredit(s *session, m *credit, e *Effects) error {
	if !s.streaming || m.Bytes > maxCredit {
		return fmt.Errorf("%w: unexpected CREDIT", ErrWire)
	}
	s.credit = min(s.credit+int(m.Bytes), maxCredit)
	return c.pump(s, e)
}

func (c *Core) onDone(now time.Time, s *session, e *Effects) error {
	if !s.streaming || s.doneCame {
		return fmt.Errorf("%w: unexpected DONE", ErrWire)
	}
	s.doneCame = true
	c.maybeFinish(now, s, e)
	return nil
}

// maybeFinish ends the session once both sides are done and everything that
// came is attached. The opener closes the stream.
func (c *Core) maybeFinish(now time.Time, s *session, e *Effects) {
	if s.opened && s.doneSent && s.doneCame && s.undelivery == 0 {
		c.finish(now, s, e)
	}
}

// finish ends an orderly session of ours.
func (c *Core) finish(now time.Time, s *session, e *Effects) {
	e.Close = append(e.Close, Close{Session: s.id})
	c.settle(now, s, nil)
	c.announce(s, e)
}

// announce tells the topic that our vector moved, by hint alone: who lacks what
// recon brought will ask.
func (c *Core) announce(s *session, e *Effects) {
	if s.fresh > 0 {
		hint := c.cfg.Holdings.Vector(s.space.id).Hint()
		e.Publish = append(e.Publish, Publish{Space: s.space.id, Data: publication(hint, nil)})
	}
}

// abort ends a session for a reason.
func (c *Core) abort(now time.Time, s *session, err error, blame bool, e *Effects) {
	e.Close = append(e.Close, Close{Session: s.id, Err: err, Blame: blame})
	c.settle(now, s, err)
}

// closed takes the end of a stream that the other side, or the driver, closed.
func (c *Core) closed(now time.Time, in Closed, e *Effects) {
	s := c.sessions[in.Session]
	if s == nil {
		return
	}
	err := in.Err
	if err == nil && s.streaming && !(s.doneSent && s.doneCame) {
		err = errors.New("peer ended the session early")
	}
	c.settle(now, s, err)
	c.announce(s, e)
}

// settle forgets a session and plans the next one with its peer.
func (c *Core) settle(now time.Time, s *session, err error) {
	delete(c.sessions, s.id)
	if err != nil {
		c.stats.Failed++
	}
	m := s.member
	if m == nil {
		return
	}
	m.last, m.hint = now, 0
	switch {
	case err != nil:
		m.wantRecon(now.Add(min(retryMin<<min(m.failures, 10), retryMax)))
		m.failures++
	case s.sent >= sessionBytes || s.got >= sessionBytes:
		m.wantRecon(now)
	default:
		m.failures = 0
	}
}

// queuedRun is the next run of one author that the peer lacks.
type queuedRun struct {
	author memo.Author
	order  uint64
	last   uint64
}

// runQueue is a heap of the authors' next runs by attach order.
type runQueue []queuedRun

func (q runQueue) Len() int           { return len(q) }
func (q runQueue) Less(i, j int) bool { return q[i].order < q[j].order }
func (q runQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *runQueue) Push(x any)        { *q = append(*q, x.(queuedRun)) }
func (q *runQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
