package gossip

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// Timing and limits of the protocol.
const (
	// antiEntropy is the mean period of recon with one random peer; each period
	// is drawn from 50 % to 150 % of it.
	antiEntropy = 10 * time.Second
	// hintPatience is how long a differing hint may be explained by messages
	// still under way before recon looks into it. It counts from the peer's last
	// message: under constant traffic hints always differ and mean nothing, and a
	// loss shows as an orphan.
	hintPatience = 400 * time.Millisecond
	// orphanPatience is how long a run without its causes may be explained by
	// messages that overtook each other.
	orphanPatience = 100 * time.Millisecond
	// hintPause is the least time between two recons that hints start with a peer.
	hintPause = 2 * time.Second
	// politeness is how long the peer with the greater id leaves the first HELLO
	// to the other, so that a new connection makes one session and not two.
	politeness = 250 * time.Millisecond
	// retryMin and retryMax bound the pause after a failed session.
	retryMin, retryMax = 500 * time.Millisecond, 30 * time.Second

	// pullStall is how long a session that pulls may bring nothing new, pullTurn
	// how long it may last, until another may pull the same space beside it.
	pullStall, pullTurn = time.Second, 10 * time.Second

	// MaxSessions bounds the recon sessions of a replica, MaxPeerSessions those
	// with one peer. Others can take all but keptSessions of them.
	MaxSessions     = 8
	MaxPeerSessions = 2
	keptSessions    = 2
	// maxMembers bounds the peers remembered per space, maxHas the authors
	// remembered of what one of them has.
	maxMembers, maxHas = 4096, 1 << 16
	// maxPinned is how many peers of a space are pinned: the first that were known, whom
	// its ticket named or who came before others. Every other choice of whom to turn to
	// is among them, so that whoever comes with very many keys later does not keep us
	// from those.
	maxPinned = 4
)

// Config is what a Core needs to know from the start.
type Config struct {
	Self     Peer
	Holdings Holdings
	Seed     uint64 // of the timers and the choice of peers
	// Sign signs with the replica's key. Without it no root is announced.
	Sign func(msg []byte) memo.Seal
	// LocalSecret keys the choice of what is heard; nobody else may know it.
	LocalSecret [16]byte
	// Cares reports whether somebody here waits for, follows or wrote a row that the
	// memo changes: it is heard whatever is offered. Nil: nobody does.
	Cares func(m *memo.Memo) bool
	// Expelled reports whether a peer is served nothing in a space though it knows the
	// secret: its key was revoked there. It is asked each time, so that no list of them
	// is kept here, which could grow full. Nil: nobody is.
	Expelled func(space memo.SpaceID, p Peer) bool
}

// Core is the protocol state of one replica, for all its spaces. It belongs to
// one goroutine.
type Core struct {
	cfg       Config
	rng       *rand.Rand
	spaces    map[memo.SpaceID]*space
	order     []memo.SpaceID // keys of spaces, ascending: iteration is visible
	up        map[Peer]bool
	sessions  map[SessionID]*session
	ended     map[SessionID]bool // accepted, ended by us, and not yet reported Closed
	nextID    SessionID
	served    SessionID  // whose turn to send it was last
	nothing   memo.ID    // vecRoot of an empty vector
	look      bool       // a session may be due
	jobs      []*job     // roots to fetch, in the order in which they were asked for
	inquiries []*inquiry // at most maxInquiries
	going     bool       // one of these may go on
	budget    Budget
	under     Terms // of the space that is decided about; see terms
	stats     Stats
}

// Stats counts what the protocol did since the start.
type Stats struct {
	Sessions  int // recon sessions begun, both ways
	Equal     int // of these, ended after one round trip
	Failed    int
	Refused   int // sessions of peers without the secret
	Forks     int // authors seen with two heads of the same seq
	Gaps      int // authors of whom a peer lacks memos that are not held here either
	RunsSent  int
	BytesSent int // of runs in recon
	Again     int // runs that recon brought once more; their seals were not checked
	Roots     RootStats
	Hearing   HearingStats

	Fetches    int // sessions begun to fetch blocks
	BlocksGot  int // that came and were taken
	BlocksSent int
}

// space is the protocol state of one space.
type space struct {
	id      memo.SpaceID
	secret  Secret
	members map[Peer]*member
	order   []Peer // keys of members, ascending
	nextAE  time.Time
	roots   roots

	looked, opened int // choices of whom to turn to: by the timer, of those that are due

	meter    meter
	suspects []suspect // ascending by author
	Ear
}

// member is a peer that takes part in a space, connected or not.
type member struct {
	pinned   bool
	turned   time.Time   // when we opened recon with it last
	proved   bool        // showed in a HELLO that it knows the secret
	has      memo.Vector // what it said or showed to have, at most maxHas authors
	due      time.Time   // when to start recon; zero: no reason to
	urgent   bool        // a reader waits for it
	pause    time.Time   // no recon and no memos from it before, after a failure
	hint     uint64      // last hint it relayed since the last recon; zero: none
	hintAt   time.Time
	heard    memo.Head // of the last run it relayed
	orphan   memo.Head // a run it relayed whose causes were missing; seq 0: none
	orphanAt time.Time
	hinted   time.Time // when a hint last asked for recon
	again    time.Time // when a fork last did, or will
	failures int       // sessions that failed in a row

	announces Pace          // of the announcements it signed
	relays    Pace          // of those it relayed whose maker we do not know
	told      *Announcement // newest root it relayed that was news, to be looked into; nil: none
	toldAt    time.Time     // since when there is one
}

// New returns a Core without spaces or peers.
func New(cfg Config) *Core {
	nothing, err := merge.BuildVector(merge.DefaultParams(memo.SpaceID{}), memo.Vector{}, nil) // whatever the space
	if err != nil {
		panic(err)
	}
	return &Core{
		cfg: cfg, nothing: nothing, rng: rand.New(rand.NewPCG(cfg.Seed, binary.BigEndian.Uint64(cfg.Self[:8]))),
		spaces: map[memo.SpaceID]*space{}, up: map[Peer]bool{},
		sessions: map[SessionID]*session{}, ended: map[SessionID]bool{},
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
	if s == nil || p == c.cfg.Self || s.members[p] != nil || c.expelled(id, p) || len(s.members) >= maxMembers {
		return
	}
	m := &member{pinned: len(s.order) < maxPinned}
	s.members[p] = m
	i, _ := slices.BinarySearchFunc(s.order, p, Peer.Compare)
	s.order = slices.Insert(s.order, i, p)
	if c.up[p] {
		c.wantRecon(m, now)
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

// Step takes one input, prepared by Prepare, and appends what to do to e. now
// must not go backward from one call to the next.
func (c *Core) Step(now time.Time, in Input, e *Effects) {
	for _, j := range c.jobs {
		clear(j.fresh) // written by now
	}
	switch in := in.(type) {
	case PeerUp:
		c.peerUp(now, in.Peer)
	case PeerDown:
		delete(c.up, in.Peer)
	case Tick:
		c.tick(now, e)
		c.serve(now, e)
	case Turn:
		c.serve(now, e)
	case *Frame:
		c.frame(now, in, e)
	case Closed:
		c.closed(now, in, e)
	case *Heard:
		c.heard(now, in, e)
	case Linked:
		c.linked(now, in)
	case Met:
		c.Know(now, in.Space, in.Peer)
	case *Attached:
		c.attached(now, in, e)
	case Want:
		c.want(now, in)
	case Load:
		c.load(in)
	case Expel:
		c.expel(now, in, e)
	case Fetch:
		c.fetch(now, in, e)
	case Prefer:
		c.prefer(in)
	case Drop:
		c.drop(now, in, e)
	case Inquire:
		c.inquire(now, in, e)
	case Folded:
		c.folded(now, in, e) // first: it is what an answer signs for
		c.refolded(in, e)
	case *HeardRoot:
		c.heardRoot(now, in, e)
	}
	for c.look || c.going {
		look := c.look
		c.look, c.going = false, false
		if look {
			c.openDue(now, e)
		}
		c.goOn(now, e)
	}
	c.fetched(e)
	for _, s := range c.sessions {
		e.Again = e.Again || s.more
	}
}

func memosOf(runs []*memo.Run) (n int) {
	for _, r := range runs {
		n += len(r.Memos)
	}
	return n
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
// for the next ticks to compare with our vector.
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
	m.heard = in.run.Head()
	m.note(m.heard)
	if !c.hears(now, s, m, in.run) {
		return
	}
	e.Deliver = append(e.Deliver, Deliver{
		Space: in.Space, From: in.Peer, Runs: []*memo.Run{in.run}, Bytes: len(in.Data),
	})
}

// note remembers that the member has h, and with it the chain up to h.
func (m *member) note(h memo.Head) {
	if mark, ok := m.has.Get(h.Author); ok && h.Seq > mark.Seq || !ok && m.has.Len() < maxHas {
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
		c.budget.take(now, memosOf(in.Own), forOwn)
		hint := c.cfg.Holdings.Had(s.id).Hint()
		for _, r := range in.Own {
			raw, err := r.Encode()
			if err != nil {
				panic(err) // a run that was sealed and stored encodes
			}
			e.Publish = append(e.Publish, Publish{Space: s.id, Data: publication(hint, raw)})
		}
	}
	if m := s.members[in.From]; m != nil && in.Session == 0 {
		if in.Orphans && (m.orphan.Seq == 0 || c.covers(s, m.orphan)) {
			m.orphan, m.orphanAt = m.heard, now
		}
		return
	}
	if ses := c.sessions[in.Session]; ses != nil {
		c.credited(now, ses, in, e)
	}
}
