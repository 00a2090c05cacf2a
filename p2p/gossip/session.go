package gossip

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"math"
	"time"

	"lightcone/memo"
)

// Limits of one session.
const (
	sessionIdle   = 30 * time.Second
	sessionLife   = 10 * time.Minute // the next session goes on
	serveStep     = 64 << 10         // bytes of runs read in one Step, so that other inputs come between
	sessionCredit = 1 << 20          // bytes of runs a peer may send ahead of our attaching
	sessionBytes  = 64 << 20         // bytes of runs one way; the next session goes on
	sessionWaste  = 4 << 20          // bytes of runs in a row that brought nothing new, see wasted
	maxCredit     = 256 << 20        // what a peer may grant us in sum before it is nonsense
)

// ErrRefused reports a session of a peer that does not belong to the space, or
// about a space that is not here: the peer is not told which.
var ErrRefused = errors.New("peer did not prove that it belongs to a space held here")

var (
	// errLocal marks failures that are not the peer's.
	errLocal = errors.New("local failure")
	// errFull ends accepted sessions beyond the limits.
	errFull = errors.New("too many sessions")
)

// session is one recon stream, from HELLO to DONE both ways.
type session struct {
	id     SessionID
	peer   Peer
	space  *space // nil until the HELLO of an accepted stream
	member *member
	begun  time.Time // when it was opened, then when they answered
	active time.Time // the last frame, or the last of its runs attached
	fed    time.Time // when it last brought something new; at first, begun
	opened bool      // we opened it
	urgent bool      // for a reader

	root      memo.ID     // vecRoot we said in our HELLO
	forkRoot  *memo.Link  // and what we hold of forked authors; nil: there are none
	nonce     uint64      // and our part of the key of fingerprints
	cut       memo.Vector // what we hold as far as this session says and sends
	replied   bool        // their HELLO came
	equal     bool        // and there is nothing to exchange
	streaming bool        // vectors are exchanged, runs may flow
	doneSent  bool
	doneCame  bool

	their      memo.ID    // vecRoot of their HELLO
	theirForks *memo.Link // root of their HELLO
	theirNonce uint64
	theirs     map[memo.Author]memo.Head // what their VEC lists; nil once streaming
	listed     int                       // entries of their VEC so far
	last       memo.Author               // of these, the last: they ascend
	partial    bool                      // theirs has what differs, and nothing else
	known      bool                      // theirs is complete
	offer      *offer                    // set where we gave a tree in the place of a VEC
	walked     *walked                   // set where they did

	forks    *forks                 // set where branches of forked authors are compared
	partings []parting              // that are being looked into; they delay our VEC
	probes   int                    // of theirs
	parted   map[memo.Author]uint64 // up to where we both hold one chain; nil: nobody's
	again    bool                   // a fork showed: the next session looks into it

	queue  runQueue // what they lack, next run of each author
	until  uint64   // order of the first state that stands for what they lack
	refuse bool     // they take no runs in this session
	credit int      // bytes we may still send; one run may go beyond
	more   bool     // there is more to send at once than was read in one Step
	sent   int      // bytes of runs
	lent   int      // of these, not credited again

	pulls   bool     // we take runs in this session
	listens bool     // of chains that are heard only
	window  int      // bytes they may still send; one run may go beyond
	got     int      // bytes of runs
	waiting int      // of these, not attached yet
	parked  []parked // of these, what waits for the budget
	fresh   int      // memos that were new here
	useless int      // bytes since something was new
	orphans int      // of these, such as wait for causes that they did not send
	came    map[memo.Author]uint64
	forked  map[memo.Author]bool // their branch contradicts ours

	supply *supply // set for a session that carries blocks instead of all that
}

// open starts a session of ours.
func (c *Core) open(now time.Time, sp *space, p Peer, m *member, e *Effects) {
	root, err := c.cfg.Holdings.HadRoot(sp.id)
	forkRoot, errForks := c.forkRoot(sp.id)
	if err != nil || errForks != nil {
		m.due = now.Add(retryMax)
		return
	}
	c.nextID += 2
	s := newSession(c.nextID, p, now)
	s.urgent = m.urgent
	m.due, m.urgent, m.hint, m.turned = time.Time{}, false, 0, now
	s.space, s.member, s.opened, s.root, s.forkRoot = sp, m, true, root, forkRoot
	s.cut = c.cfg.Holdings.Had(sp.id)
	c.sessions[s.id] = s
	c.stats.Sessions++
	e.Open = append(e.Open, Open{Session: s.id, Peer: p})
	s.listens = !c.takesRuns(sp)
	s.pulls = !s.listens || sp.hearing.flood
	c.sayHello(s, e)
}

func newSession(id SessionID, p Peer, now time.Time) *session {
	return &session{
		id: id, peer: p, begun: now, active: now, fed: now,
		until: math.MaxUint64, theirs: map[memo.Author]memo.Head{}, came: map[memo.Author]uint64{}, forked: map[memo.Author]bool{},
	}
}

// accept makes the session of a stream that a peer opened.
func (c *Core) accept(now time.Time, in *Frame) (*session, error) {
	s := newSession(in.Session, in.Peer, now)
	c.sessions[s.id] = s
	c.stats.Sessions++
	all, his := 0, 0
	for _, o := range c.sessions {
		if !o.opened {
			all++
			if o.peer == in.Peer {
				his++
			}
		}
	}
	if all > MaxSessions-keptSessions || his > MaxPeerSessions {
		return s, fmt.Errorf("%w: %d accepted, %d of this peer", errFull, all, his)
	}
	return s, nil
}

// sayHello opens our side. A credit of zero says that we take no runs.
func (c *Core) sayHello(s *session, e *Effects) {
	if s.pulls {
		s.window = sessionCredit
	}
	s.nonce = c.rng.Uint64()
	s.send(e, &hello{
		Type: typeHello, Version: wireVersion, Space: s.space.id,
		Proof: proof(s.space.secret, s.space.id, c.cfg.Self, s.peer),
		Root:  s.forkRoot, VecRoot: s.root, Nonce: s.nonce, Credit: uint64(s.window),
	})
}

func (s *session) send(e *Effects, m message) {
	e.Send = append(e.Send, Send{Session: s.id, Data: encode(m)})
}

// frame takes one frame; the first of a stream we accepted makes its session.
func (c *Core) frame(now time.Time, in *Frame, e *Effects) {
	s := c.sessions[in.Session]
	if s == nil {
		if in.Session%2 == 0 || c.ended[in.Session] {
			return // late frame of a session that ended
		}
		var err error
		if s, err = c.accept(now, in); err != nil {
			c.abort(now, s, err, false, e)
			return
		}
	}
	s.active = now
	var err error
	switch m := in.msg.(type) {
	case *hello:
		err = c.onHello(now, s, m, e)
	case *vec:
		err = c.onVec(s, m, e)
	case *ranges:
		err = c.onRanges(s, m, e)
	case *need:
		err = c.onNeed(s, m, e)
	case *verifiedBranches:
		err = c.onBranches(now, s, m, e)
	case *probe:
		err = c.onProbe(s, m, e)
	case *probed:
		err = c.onProbed(s, m, e)
	case *parted:
		err = c.onParted(s, m)
	case *hashedNodes:
		err = c.onVecNodes(s, m, e)
	case *vecWant:
		err = c.onVecWant(s, m, e)
	case *verified:
		if s.supply != nil {
			err = c.onRun(now, s, m, e)
		} else {
			err = c.onRuns(now, s, m, e)
		}
	case *credit:
		err = c.onCredit(s, m, e)
	case *done:
		err = c.onDone(s)
	case *fetch:
		err = c.onFetch(now, s, m, e)
	case *want:
		err = c.onWant(s, m, e)
	case *hashed:
		err = c.onBlocks(now, s, m, e)
	case *wantSeals:
		err = c.onWantSeals(s, m, e)
	case *sealed:
		err = c.onSeals(now, s, m, e)
	case *said:
		err = c.onWord(s, m)
	case *wantRun:
		err = c.onWantRun(s, m, e)
	default:
		err = fmt.Errorf("%w: frame was not prepared", ErrWire)
	}
	if err != nil {
		c.abort(now, s, err, errors.Is(err, ErrWire), e)
		return
	}
	c.going = c.going || s.supply != nil
	c.maybeFinish(now, s, e)
}

func (c *Core) onHello(now time.Time, s *session, m *hello, e *Effects) error {
	if s.replied || s.supply != nil || m.Version != wireVersion {
		return fmt.Errorf("%w: unexpected HELLO, version %d", ErrWire, m.Version)
	}
	if err := c.checkProof(s, m.Space, m.Proof); err != nil {
		c.stats.Refused++
		return err
	}
	s.replied, s.refuse, s.credit = true, m.Credit == 0, int(min(m.Credit, maxCredit))
	s.their, s.theirForks, s.theirNonce = m.VecRoot, m.Root, m.Nonce
	if s.opened {
		c.prove(now, s, e)
		s.partial = s.root == m.VecRoot
		s.equal = s.partial && sameLink(s.forkRoot, m.Root)
		if c.superfluous(now, s, e) {
			return nil
		}
	} else if err := c.answerHello(now, s, m, e); err != nil {
		return err
	}
	if s.equal {
		s.member.has = s.cut.Clone()
		c.stats.Equal++
		c.told(s, e)
	}
	return nil
}

// superfluous begins what a session of ours is for, or ends it. One that was answered so late that
// another brings memos of the space by now ends instead, to be had again: after a
// partition all that stood still are answered at once, and would bring the same.
func (c *Core) superfluous(now time.Time, s *session, e *Effects) (over bool) {
	for _, o := range c.sessions {
		if o != s && s.pulls && !s.urgent && !s.equal && o.space == s.space && o.replied && o.feeds(now) {
			over = true
		}
	}
	if over {
		e.Close = append(e.Close, Close{Session: s.id})
		c.settle(now, s, nil, e)
		c.wantRecon(s.member, now)
		return true
	}
	s.begun, s.fed = now, now
	return false
}

// checkProof tells whether the peer may know that the space is here.
func (c *Core) checkProof(s *session, id memo.SpaceID, given [proofSize]byte) error {
	sp := c.spaces[id]
	if sp == nil || s.opened && sp != s.space || c.expelled(id, s.peer) {
		return ErrRefused
	}
	want := proof(sp.secret, sp.id, s.peer, c.cfg.Self)
	if !hmac.Equal(want[:], given[:]) {
		return ErrRefused
	}
	return nil
}

// answerHello takes the HELLO of a peer that belongs to the space.
func (c *Core) answerHello(now time.Time, s *session, m *hello, e *Effects) error {
	sp := c.spaces[m.Space]
	root, err := c.cfg.Holdings.HadRoot(sp.id)
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	if s.forkRoot, err = c.forkRoot(sp.id); err != nil {
		return err
	}
	crossed := c.opened(s.peer, sp) // both opened at once: each pulls in its own session
	s.space, s.root, s.cut = sp, root, c.cfg.Holdings.Had(sp.id)
	c.prove(now, s, e)
	s.equal = root == m.VecRoot && sameLink(s.forkRoot, m.Root)
	known := s.member
	known.hint = 0
	if !known.urgent {
		known.due = time.Time{}
	}
	switch {
	case s.equal || c.stood(sp): // what it leads by is not known yet: a session of ours takes it, if anything
	case known.urgent || known.pause.After(now) || c.pulling(now, sp) || len(c.ready(now, sp, false)) > 0:
		if !crossed {
			c.wantRecon(known, now)
		}
	default:
		s.pulls = true
	}
	c.sayHello(s, e)
	if s.equal {
		return nil
	}
	return c.offerVec(s, m.VecRoot, e)
}

// opened reports whether a session of ours with p in sp is under way.
func (c *Core) opened(p Peer, sp *space) bool {
	for _, s := range c.sessions {
		if s.opened && s.peer == p && s.space == sp && s.supply == nil {
			return true
		}
	}
	return false
}

// prove records that the session's peer knows the secret.
func (c *Core) prove(now time.Time, s *session, e *Effects) {
	c.Know(now, s.space.id, s.peer)
	m := s.space.members[s.peer]
	if m == nil { // more than maxMembers: serve it, remember nothing
		m = &member{}
	}
	s.member = m
	if !m.proved {
		m.proved = true
		e.Admit = append(e.Admit, Admit{Space: s.space.id, Peer: s.peer})
	}
}

func (c *Core) onDone(s *session) error {
	if !s.streaming && (s.supply == nil || s.opened) || s.doneCame {
		return fmt.Errorf("%w: unexpected DONE", ErrWire)
	}
	s.doneCame = true
	return nil
}

// complete reports whether nothing is left to do: the vectors are equal, or both
// sides are done, in whatever order, and everything sent either way is attached.
func (s *session) complete() bool {
	if s.supply != nil {
		return s.doneCame // our opener's word; our own sessions are forgotten when we end them
	}
	return s.equal || s.doneSent && s.doneCame && s.waiting == 0 && s.lent == 0
}

// maybeFinish ends a complete session of ours; the opener closes the stream.
func (c *Core) maybeFinish(now time.Time, s *session, e *Effects) {
	if s.opened && s.supply == nil && s.complete() {
		e.Close = append(e.Close, Close{Session: s.id})
		c.settle(now, s, nil, e)
	}
}

// abort ends a session for a reason.
func (c *Core) abort(now time.Time, s *session, err error, blame bool, e *Effects) {
	e.Close = append(e.Close, Close{Session: s.id, Err: err, Blame: blame})
	if !s.opened {
		c.ended[s.id] = true // frames on their way do not begin it anew
	}
	c.settle(now, s, err, e)
}

// closed takes the end of a stream that the other side, or the driver, closed.
func (c *Core) closed(now time.Time, in Closed, e *Effects) {
	delete(c.ended, in.Session)
	s := c.sessions[in.Session]
	if s == nil {
		return
	}
	err := in.Err
	if err == nil && !s.complete() {
		err = errors.New("peer ended the session early")
	}
	c.settle(now, s, err, e)
}

// settle forgets a session, plans the next one with its peer, and tells the
// topic that our vector moved, by hint alone: who lacks what recon brought asks.
func (c *Core) settle(now time.Time, s *session, err error, e *Effects) {
	delete(c.sessions, s.id)
	c.look = true
	if s.fresh > 0 {
		hint := c.cfg.Holdings.Had(s.space.id).Hint()
		e.Publish = append(e.Publish, Publish{Space: s.space.id, Data: publication(hint, nil)})
	}
	if err != nil {
		c.stats.Failed++
	}
	m := s.member
	switch {
	case s.supply != nil:
		c.settleSupply(now, s, err)
		c.unanswered(now, s, err, e)
	case m == nil:
	case err != nil:
		again := now.Add(min(retryMin<<min(m.failures, 10), retryMax))
		m.failures++
		if s.opened || c.ended[s.id] { // we tried, or ended it
			m.pause = again
		} else {
			again = again.Add(politeness) // who opened it tries first
		}
		c.wantRecon(m, again)
	case s.sent >= sessionBytes || s.got >= sessionBytes:
		c.wantRecon(m, now)
	default:
		m.pause, m.failures = time.Time{}, 0
		if s.again {
			c.lookAgain(now, m)
		}
	}
}

// lookAgain plans a session for a fork that showed, hintPause behind the last such one.
func (c *Core) lookAgain(now time.Time, m *member) {
	at := now
	if next := m.again.Add(hintPause); next.After(now) {
		at = next
	}
	m.again = at
	c.wantRecon(m, at)
}
