package gossip

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"lightcone/memo"
)

// Timing and limits of the protocol.
const (
	// antiEntropy is the mean period of recon with one random peer; each period
	// is drawn from 50 % to 150 % of it.
	antiEntropy = 10 * time.Second
	// hintPatience is how long a differing hint may be explained by messages
	// still under way before recon looks into it.
	hintPatience = 400 * time.Millisecond
	// hintPause is the least time between two recons that hints start with a peer.
	hintPause = 2 * time.Second
	// politeness is how long the peer with the greater id leaves the first HELLO
	// to the other, so that a new connection makes one session and not two.
	politeness = time.Second
	// retryMin and retryMax bound the pause after a failed session.
	retryMin, retryMax = 500 * time.Millisecond, 30 * time.Second

	// MaxSessions bounds the recon sessions of a replica, MaxPeerSessions those
	// with one peer.
	MaxSessions     = 8
	MaxPeerSessions = 2
	// maxMembers bounds the peers remembered per space.
	maxMembers = 4096
)

// Config is what a Core needs to know from the start.
type Config struct {
	Self     Peer
	Holdings Holdings
	Seed     uint64 // of the anti-entropy timer and choice of peers
}

// Core is the protocol state of one replica, for all its spaces. It belongs to
// one goroutine.
type Core struct {
	cfg      Config
	rng      *rand.Rand
	spaces   map[memo.SpaceID]*space
	order    []memo.SpaceID // keys of spaces, ascending: iteration is visible
	up       map[Peer]bool
	sessions map[SessionID]*session
	nextID   SessionID
	stats    Stats
}

// Stats counts what the protocol did since the start.
type Stats struct {
	Sessions  int // recon sessions begun, both ways
	Equal     int // of these, ended after one round trip
	Failed    int
	Refused   int // sessions of peers without the secret
	Forks     int // authors seen with two heads of the same seq
	RunsSent  int
	BytesSent int // of runs in recon
}

// space is the protocol state of one space.
type space struct {
	id      memo.SpaceID
	secret  Secret
	members map[Peer]*member
	order   []Peer // keys of members, ascending
	nextAE  time.Time
}

// member is a peer that takes part in a space, connected or not.
type member struct {
	proved   bool        // showed in a HELLO that it knows the secret
	has      memo.Vector // what it is known to have, a lower bound
	due      time.Time   // when to start recon; zero: no reason to
	hint     uint64      // last hint that differed from ours; zero: none
	hintAt   time.Time
	last     time.Time // end of the last session
	failures int
}

// New returns a Core without spaces or peers.
func New(cfg Config) *Core {
	return &Core{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, uint64(len(cfg.Self)))),
		spaces: map[memo.SpaceID]*space{}, up: map[Peer]bool{}, sessions: map[SessionID]*session{},
	}
}

// AddSpace makes the core replicate a space with those who know the secret.
func (c *Core) AddSpace(id memo.SpaceID, secret Secret) {
	if _, ok := c.spaces[id]; ok {
		return
	}
	c.spaces[id] = &space{id: id, secret: secret, members: map[Peer]*member{}}
	i, _ := slices.BinarySearchFunc(c.order, id, compareSpaces)
	c.order = slices.Insert(c.order, i, id)
}

func compareSpaces(a, b memo.SpaceID) int { return memo.ID(a).Compare(memo.ID(b)) }

// Know adds a peer that is believed to take part in a space; recon with it
// starts when it is connected.
func (c *Core) Know(now time.Time, id memo.SpaceID, p Peer) {
	s := c.spaces[id]
	if s == nil || p == c.cfg.Self || s.members[p] != nil || len(s.members) >= maxMembers {
		return
	}
	m := &member{}
	s.members[p] = m
	i, _ := slices.BinarySearchFunc(s.order, p, Peer.Compare)
	s.order = slices.Insert(s.order, i, p)
	if c.up[p] {
		m.due = now
	}
}

// Stats returns the counters.
func (c *Core) Stats() Stats { return c.stats }

// Members yields the peers of a space in ascending order: whether each is
// connected and a lower bound of what it has.
func (c *Core) Members(id memo.SpaceID, yield func(p Peer, up bool, has memo.Vector)) {
	if s := c.spaces[id]; s != nil {
		for _, p := range s.order {
			yield(p, c.up[p], s.members[p].has)
		}
	}
}

// Step takes one input, prepared by Prepare, and appends what to do to e.
func (c *Core) Step(now time.Time, in Input, e *Effects) {
	switch in := in.(type) {
	case PeerUp:
		c.peerUp(now, in.Peer)
	case PeerDown:
		delete(c.up, in.Peer)
	case Tick:
		c.tick(now, e)
	case *Frame:
		c.frame(now, in, e)
	case Closed:
		c.closed(now, in, e)
	case *Heard:
		c.heard(now, in, e)
	case *Attached:
		c.attached(now, in, e)
	case Want:
		c.want(now, in)
	}
	c.openDue(now, e)
}

func (c *Core) peerUp(now time.Time, p Peer) {
	c.up[p] = true
	wait := time.Duration(0)
	if c.cfg.Self.Compare(p) > 0 {
		wait = politeness
	}
	for _, id := range c.order {
		if m := c.spaces[id].members[p]; m != nil {
			m.due, m.failures = now.Add(wait), 0
		}
	}
}

// tick starts anti-entropy, looks at hints that stayed different and ends
// sessions that stand still.
func (c *Core) tick(now time.Time, e *Effects) {
	for _, id := range c.order {
		s := c.spaces[id]
		own := c.cfg.Holdings.Vector(id).Hint()
		for _, p := range s.order {
			m := s.members[p]
			if m.hint == own {
				m.hint = 0
			}
			if m.hint != 0 && now.Sub(m.hintAt) > hintPatience && now.Sub(m.last) > hintPause {
				m.wantRecon(now)
			}
		}
		if now.After(s.nextAE) {
			if !s.nextAE.IsZero() {
				c.pickRandom(now, s)
			}
			s.nextAE = now.Add(antiEntropy/2 + time.Duration(c.rng.Int64N(int64(antiEntropy))))
		}
	}
	for _, sid := range c.sortedSessions() {
		if s := c.sessions[sid]; now.Sub(s.active) > sessionIdle {
			c.abort(now, s, errors.New("session stood still"), false, e)
		}
	}
}

func (c *Core) pickRandom(now time.Time, s *space) {
	var up []*member
	for _, p := range s.order {
		if c.up[p] {
			up = append(up, s.members[p])
		}
	}
	if len(up) > 0 {
		up[c.rng.IntN(len(up))].wantRecon(now)
	}
}

// wantRecon asks for a session at t, unless one is due earlier.
func (m *member) wantRecon(t time.Time) {
	if m.due.IsZero() || t.Before(m.due) {
		m.due = t
	}
}

// openDue starts the sessions whose time has come, within the limits.
func (c *Core) openDue(now time.Time, e *Effects) {
	for _, id := range c.order {
		s := c.spaces[id]
		for _, p := range s.order {
			m := s.members[p]
			if m.due.IsZero() || m.due.After(now) || !c.up[p] || c.busy(p, id) {
				continue
			}
			if len(c.sessions) >= MaxSessions {
				return
			}
			c.open(now, s, p, m, e)
		}
	}
}

// busy reports whether no further session with p may start: one in the space is
// under way, or the peer's share is used up.
func (c *Core) busy(p Peer, id memo.SpaceID) bool {
	n := 0
	for _, s := range c.sessions {
		if s.peer == p {
			n++
			if s.space != nil && s.space.id == id {
				return true
			}
		}
	}
	return n >= MaxPeerSessions
}

func (c *Core) sortedSessions() []SessionID {
	ids := make([]SessionID, 0, len(c.sessions))
	for id := range c.sessions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// heard takes a published message: its run goes to the owner, its hint is kept
// if it differs from our vector.
func (c *Core) heard(now time.Time, in *Heard, e *Effects) {
	s := c.spaces[in.Space]
	if s == nil {
		return
	}
	m := s.members[in.Peer]
	if m == nil || !m.proved {
		return // the topic is for members; the driver filters, this makes sure
	}
	m.hint, m.hintAt = in.hint, now
	if in.run == nil {
		return
	}
	m.saw(in.run)
	e.Deliver = append(e.Deliver, Deliver{
		Space: in.Space, From: in.Peer, Runs: []*memo.Run{in.run}, Bytes: len(in.Data),
	})
}

// saw notes that the member has the run.
func (m *member) saw(r *memo.Run) {
	if h := r.Head(); !m.has.Covers(h.Author, h.Seq) {
		m.has.Set(memo.Mark{Head: h})
	}
}

// attached publishes own runs and goes on with what a delivery asked for.
func (c *Core) attached(now time.Time, in *Attached, e *Effects) {
	s := c.spaces[in.Space]
	if s == nil {
		return
	}
	if len(in.Own) > 0 {
		hint := c.cfg.Holdings.Vector(s.id).Hint()
		for _, r := range in.Own {
			raw, err := r.Encode()
			if err != nil {
				panic(err) // a run that was sealed and stored encodes
			}
			e.Publish = append(e.Publish, Publish{Space: s.id, Data: publication(hint, raw)})
		}
	}
	if m := s.members[in.From]; m != nil && in.Session == 0 {
		if in.Orphans {
			m.wantRecon(now)
		}
		return
	}
	if ses := c.sessions[in.Session]; ses != nil {
		c.credited(now, ses, in, e)
	}
}

// want starts recon at once: with the origin if it is connected, else with all.
func (c *Core) want(now time.Time, in Want) {
	s := c.spaces[in.Space]
	if s == nil {
		return
	}
	if m := s.members[in.Origin]; m != nil && c.up[in.Origin] {
		m.wantRecon(now)
		return
	}
	for _, p := range s.order {
		if c.up[p] {
			s.members[p].wantRecon(now)
		}
	}
}
