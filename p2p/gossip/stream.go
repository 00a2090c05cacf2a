package gossip

import (
	"container/heap"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
)

// This file is the part of a session behind HELLO: vectors, runs, credit.

// sayVec lists heads in VEC frames, at least one.
func (c *Core) sayVec(s *session, heads memo.Vector, e *Effects) {
	m := &vec{Type: typeVec}
	for mark := range heads.All() {
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
	if !s.replied || s.equal || s.known || s.walked != nil && s.walked.walk != nil {
		return fmt.Errorf("%w: unexpected VEC", ErrWire)
	}
	for _, h := range m.Heads {
		if err := s.list(h); err != nil {
			return err
		}
		c.learn(s, memo.Head{Author: h.Author, Seq: h.Seq, ID: h.ID})
	}
	if m.More {
		if len(m.Heads) == 0 {
			return fmt.Errorf("%w: an empty VEC with more to come", ErrWire)
		}
		return nil
	}
	return c.vectorsKnown(s, c.cfg.Holdings.Had(s.space.id), e)
}

// learn takes one head of theirs; seq 0 says that they hold nothing of the author.
func (c *Core) learn(s *session, h memo.Head) {
	if s.theirs[h.Author] = h; h.Seq == 0 {
		return
	}
	s.member.note(h)
	if own, ok := c.cfg.Holdings.Had(s.space.id).Get(h.Author); ok && own.Seq == h.Seq && own.ID != h.ID {
		c.stats.Forks++
		c.suspectFork(s, h.Author, false)
	}
}

// vectorsKnown goes on when it is known in what the vectors differ; mine is what the
// opener answers and sends from.
func (c *Core) vectorsKnown(s *session, mine memo.Vector, e *Effects) error {
	if s.known = true; !s.opened {
		return c.startStreaming(s, e)
	}
	s.cut = mine
	c.beginPartings(s)
	if !c.probeOn(s, e) {
		return nil
	}
	return c.answerVec(s, e)
}

// answerVec says the opener's entries that differ; from then on runs flow.
func (c *Core) answerVec(s *session, e *Effects) error {
	if err := c.beginForks(s, e); err != nil {
		return err
	}
	c.sayVec(s, c.wanting(s, differing(s.cut, s.theirs, s.partial)), e)
	return c.startStreaming(s, e)
}

// wanting leaves out, where roots stand for what is not heard and much is missing, the
// chains that the peer has more of and that are not heard: it takes them for equal.
func (c *Core) wanting(s *session, differ memo.Vector) (out memo.Vector) {
	s.listens = s.listens || c.many(s.space, lead(s.theirs, s.cut))
	if !s.listens {
		return differ
	}
	for m := range differ.All() {
		if s.theirs[m.Author].Seq <= m.Seq || m.Author == c.cfg.Self || s.space.Ear.listens(&c.budget, c.terms(s.space), m.Author, m.Seq) {
			out.Set(m)
		}
	}
	return out
}

// list takes one entry of the peer's VEC. Only an opener names authors it holds
// nothing of: the other side listed them before.
func (s *session) list(h vecHead) error {
	switch s.listed++; {
	case s.listed > maxVec:
		return fmt.Errorf("%w: more than %d authors", ErrWire, maxVec)
	case s.listed > 1 && s.last.Compare(h.Author) >= 0:
		return fmt.Errorf("%w: authors of VEC do not ascend", ErrWire)
	case (h.Seq == 0) != h.ID.IsZero() || h.Seq == 0 && s.opened:
		return fmt.Errorf("%w: VEC with seq %d of an author", ErrWire, h.Seq)
	}
	s.last = h.Author
	return nil
}

// lead counts the memos that they have and we have not.
func lead(theirs map[memo.Author]memo.Head, mine memo.Vector) (n uint64) {
	for a, h := range theirs { // a sum: the order does not show
		if own, _ := mine.Get(a); h.Seq > own.Seq {
			n += h.Seq - own.Seq
		}
	}
	return n
}

// differing holds our entry for each author whose head differs from theirs; seq 0
// stands for an author we hold nothing of. With partial, theirs names all that differ.
func differing(mine memo.Vector, theirs map[memo.Author]memo.Head, partial bool) (out memo.Vector) {
	if !partial {
		for m := range mine.All() {
			if _, ok := theirs[m.Author]; !ok {
				out.Set(m)
			}
		}
	}
	for a, h := range theirs { // into a sorted vector: the order does not show
		m, ok := mine.Get(a)
		if !ok {
			m.Author = a
		}
		if m.Head != h {
			out.Set(m)
		}
	}
	return out
}

// told tells the owner how much of its own chain the peer has: what that lists, or what we
// have, where it names what differs alone.
func (c *Core) told(s *session, e *Effects) {
	own, named := s.theirs[c.cfg.Self]
	if !named && (s.partial || !s.opened) {
		mark, _ := s.cut.Get(c.cfg.Self)
		own = mark.Head
	}
	e.Told = append(e.Told, Told{Space: s.space.id, Peer: s.peer, Own: own.Seq})
}

// startStreaming fills the queue with the next run of every author the peer
// lacks something of. An accepted session compares with what it offered: authors
// the opener did not name are equal.
func (c *Core) startStreaming(s *session, e *Effects) error {
	theirs := s.theirs
	if n := lead(theirs, c.cfg.Holdings.Had(s.space.id)); n > 0 {
		e.Ahead = append(e.Ahead, Ahead{Space: s.space.id, Peer: s.peer, Memos: n})
	}
	c.told(s, e)
	s.streaming, s.theirs = true, nil
	if s.refuse {
		return c.pump(s, e)
	}
	for m := range s.cut.All() {
		their, named := theirs[m.Author]
		if !named && (s.partial || !s.opened) {
			continue
		}
		after := their.Seq
		if common, ok := s.parted[m.Author]; ok {
			after = common
		}
		if err := c.enqueue(s, m.Author, after); err != nil {
			return err
		}
	}
	return c.pump(s, e)
}

// enqueue queues the author's next run within the session's cut. The cut is
// closed under causes, so what is sent of it attaches; and an author that keeps
// writing does not keep the session from its end.
func (c *Core) enqueue(s *session, a memo.Author, after uint64) error {
	if mark, _ := s.cut.Get(a); after >= mark.Seq {
		return nil
	}
	order, last, ok, err := c.cfg.Holdings.NextRun(s.space.id, a, after)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errLocal, err)
	case ok:
		heap.Push(&s.queue, queuedRun{author: a, order: order, last: last})
	default: // a state stands for the author's memos; the peer needs that first
		c.stats.Gaps++
		s.until = min(s.until, order)
	}
	return nil
}

// pump sends runs in attach order while there is credit, then DONE. Attach
// order is a causal order, so the receiver never waits for a cause. Where a state
// stands for memos that the peer lacks it ends with what attached before that.
func (c *Core) pump(s *session, e *Effects) error {
	out, size := &runs{Type: typeRuns}, 0
	flush := func() {
		if size > 0 {
			s.send(e, out)
			s.credit, s.sent, s.lent = s.credit-size, s.sent+size, s.lent+size
			c.stats.BytesSent += size
			out, size = &runs{Type: typeRuns}, 0
		}
	}
	read := 0
	for {
		may := len(s.queue) > 0 && s.credit > size && s.sent+size < sessionBytes
		if s.more = may && read >= serveStep; !may || s.more {
			break
		}
		q := heap.Pop(&s.queue).(queuedRun)
		if q.order >= s.until {
			s.queue = nil // as for those behind it, causes may not be held
			break
		}
		raw, err := c.cfg.Holdings.Run(s.space.id, q.author, q.last)
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if size+len(raw) > runsFrame {
			flush()
		}
		out.Runs, size, read = append(out.Runs, memo.Bytes(raw)), size+len(raw), read+len(raw)
		c.stats.RunsSent++
		if err := c.enqueue(s, q.author, q.last); err != nil {
			return err
		}
	}
	flush()
	if len(s.queue) == 0 {
		if err := c.pumpBranches(s, read, e); err != nil {
			return err
		}
	}
	if !s.doneSent && (len(s.queue) == 0 && s.forks.settled() || s.sent >= sessionBytes) {
		s.doneSent = true
		s.send(e, &done{Type: typeDone})
	}
	return nil
}

// serve goes on with the next session, in turn, that had more to send than one Step
// may read: requests that came meanwhile were answered before.
func (c *Core) serve(now time.Time, e *Effects) {
	ids := c.sortedSessions()
	at, _ := slices.BinarySearch(ids, c.served+1)
	for i := range ids {
		s := c.sessions[ids[(at+i)%len(ids)]]
		if !s.more {
			continue
		}
		c.served = s.id
		if err := c.pump(s, e); err != nil {
			c.abort(now, s, err, false, e)
			return
		}
		c.maybeFinish(now, s, e)
		return
	}
}

// onRuns hands the runs to the owner; their bytes count against the credit we
// gave until they are attached.
func (c *Core) onRuns(now time.Time, s *session, m *verified, e *Effects) error {
	if !s.streaming || s.doneCame || len(m.runs) == 0 {
		return fmt.Errorf("%w: unexpected RUNS", ErrWire)
	}
	if err := s.charge(m.bytes); err != nil {
		return err
	}
	mine := c.cfg.Holdings.Had(s.space.id)
	var take []*memo.Run
	for i, r := range m.runs {
		h := r.Head()
		if r.Space != s.space.id {
			return fmt.Errorf("%w: a run of another space", ErrWire)
		}
		if s.cut.Covers(h.Author, h.Seq) && !s.parts(h.Author) || h.Seq <= s.came[h.Author] {
			return fmt.Errorf("%w: a run that was not asked for, or sent twice", ErrWire)
		}
		s.came[h.Author] = h.Seq
		s.member.note(h)
		if !s.parts(h.Author) && (s.forked[h.Author] || contradicts(mine, r)) {
			s.forked[h.Author] = true
			c.stats.Forks++
			c.suspectFork(s, h.Author, false)
			continue
		}
		if m.held[i] { // it may be another run of it, with a seal that does not hold
			c.stats.Again++
			continue
		}
		take = append(take, r)
	}
	c.handOver(now, s, take, m.bytes, e)
	return nil
}

// charge counts bytes of runs that came against what we granted.
func (s *session) charge(bytes int) error {
	if s.window <= 0 || s.window-bytes <= -memo.MaxForkProofRun || s.got+bytes >= sessionBytes+memo.MaxForkProofRun {
		return fmt.Errorf("%w: more bytes than granted", ErrWire)
	}
	s.window, s.got, s.waiting = s.window-bytes, s.got+bytes, s.waiting+bytes
	return nil
}

// parked are runs that came in one frame and wait for the budget.
type parked struct {
	runs  []*memo.Run
	bytes int // of the frame, credited again with the last of them
}

// handOver gives runs of a frame to the owner, as the budget allows.
func (c *Core) handOver(now time.Time, s *session, runs []*memo.Run, bytes int, e *Effects) {
	s.parked = append(s.parked, parked{runs, bytes})
	c.unpark(now, s, e)
}

// unpark hands over what the budget allows: with what waits the credit runs out, and
// the peer waits too.
func (c *Core) unpark(now time.Time, s *session, e *Effects) {
	for len(s.parked) > 0 {
		p := &s.parked[0]
		n := c.budget.runs(now, p.runs, s.purpose())
		d := Deliver{Space: s.space.id, From: s.peer, Session: s.id, Runs: p.runs[:n]}
		if p.runs = p.runs[n:]; len(p.runs) == 0 {
			d.Bytes = p.bytes
			s.parked = s.parked[1:]
		} else if n == 0 {
			return
		}
		e.Deliver = append(e.Deliver, d)
	}
}

// purpose is what runs are taken for: in front of what is heard they are heard too.
func (s *session) purpose() purpose {
	if s.listens {
		return forHeard
	}
	return forAsked
}

// contradicts reports whether r does not continue the chain we hold: its author
// forked. The peer that sends it saw the other branch first and is honest.
func contradicts(mine memo.Vector, r *memo.Run) bool {
	own, _ := mine.Get(r.Author())
	first := r.FirstSeq()
	switch {
	case own.Seq == 0 || own.Seq >= r.Head().Seq || first > own.Seq+1:
		return false // nothing to compare, or covered meanwhile
	case first == own.Seq+1:
		return r.Memos[0].Prev != own.ID
	default: // forked, unless sealed twice: it has our head, too
		return r.Memos[own.Seq-first].ID() != own.ID
	}
}

// credited goes on after the owner attached a delivery of the session.
func (c *Core) credited(now time.Time, s *session, in *Attached, e *Effects) {
	s.active = now
	s.waiting -= in.Bytes
	s.useless += in.Bytes
	if in.Orphans && s.forks != nil {
		for _, a := range s.forks.brought {
			c.suspectFork(s, a, true)
		}
	}
	if in.Fresh > 0 {
		s.fed, s.useless, s.orphans = now, 0, 0
		s.fresh += in.Fresh
		s.space.meter.add(in.Bytes, in.Fresh)
	} else if in.Orphans && !in.Excused {
		s.orphans += in.Bytes
	}
	switch {
	case in.Bad != nil:
		c.abort(now, s, in.Bad, true, e)
	case s.useless > sessionWaste:
		c.abort(now, s, fmt.Errorf("%d bytes in a row brought nothing new", s.useless), s.wasted(), e)
	default:
		if in.Bytes > 0 { // the last of a frame
			s.window += in.Bytes
			s.send(e, &credit{Type: typeCredit, Bytes: uint64(in.Bytes)})
		}
		c.maybeFinish(now, s, e)
	}
}

// wasted tells whether useless bytes are the peer's fault: it sent runs and kept their
// causes to itself, where honest peers send causes first. Of what we have meanwhile
// another peer may have been faster.
func (s *session) wasted() bool { return s.orphans > sessionWaste/2 }

// onCredit goes on sending. A peer gives back what it took, no more.
func (c *Core) onCredit(s *session, m *credit, e *Effects) error {
	if !s.streaming || m.Bytes == 0 || m.Bytes > uint64(s.lent) {
		return fmt.Errorf("%w: unexpected CREDIT of %d bytes", ErrWire, m.Bytes)
	}
	s.lent -= int(m.Bytes)
	s.credit += int(m.Bytes)
	return c.pump(s, e)
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
