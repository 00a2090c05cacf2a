package node

import (
	"context"
	"maps"
	"slices"
	"time"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// SpaceInfo is a line about a space.
type SpaceInfo struct {
	ID      memo.SpaceID
	Name    string
	Authors int
	Memos   uint64 // attached here
	Rights  memo.Rights
	// Standing says what this node may do, one of the names above Member.
	Standing string
}

// Status is what a node knows about itself and its peers.
type Status struct {
	ID     PeerID
	Dir    string
	Addrs  []string
	Online bool // a network is attached
	Peers  []gossip.PeerInfo
	Spaces []SpaceStatus
	// WritesRefused says why, nil while writes are accepted: ErrDiskFull, which
	// ends by itself, or ErrStopped, which a restart ends.
	WritesRefused error
	LogBytes      int64 // of the write-ahead log
	Pending       int   // runs that wait for causes
	Delayed       int   // runs that are ahead of this node's clock
	Hearing       HearingStatus
	Traffic       gossip.Traffic
	Protocol      gossip.Stats
	Adopted       int64 // states that were joined on a peer's word since the start
	// Of places of them that were drawn by lot Audited are as their memos say; of
	// Unaudited nobody who could be asked has the memos any more.
	Audited, Unaudited int64
	Refused            int64 // runs that broke a rule
	Invalid            int64 // messages that did not decode or verify
}

// HearingStatus says what the node takes in of what is offered; Status.Protocol counts it.
type HearingStatus struct {
	// Budget bounds it, in units a second, 0 while nothing does; see Options.Budget.
	Budget int
	// Capacity is how many memos were attached in a busy second lately, 0 until that
	// was measured; Backlog how many messages wait.
	Capacity float64
	Backlog  int
	Spent    int // units since the start
}

// SpaceStatus is a space with its peers.
type SpaceStatus struct {
	SpaceInfo
	Chance  float64 // that a memo which is published is heard, 1 if not too many are
	Members []MemberStatus
	Writers []Member     // who may write, and who was revoked; nil in an open space
	Layer   *LayerStatus // nil when no peer's state is shown or fetched
	// AsksHead says that writes wait, behind an unclean stop, for peers to say how far they
	// have the own chain. Regained are own memos that came from peers since the start: the
	// log had lost them.
	AsksHead bool
	Regained uint64
	// Liars are peers that vouched for a state that was false: nothing is taken of them.
	Liars []PeerID
	// Forks are the authors who wrote two memos for one place of their chains.
	Forks []ForkStatus
	// Proofs show to anyone that a peer signed a state that is false, a row each; what was
	// adopted of it stays. Doubted are peers of whom nothing is adopted for a while, because
	// something did not fit that is no proof.
	Proofs  []Proof
	Doubted []PeerID
	// Alarms are announcements that the memos held here prove to be false.
	Alarms []Alarm
}

// LayerStatus is the state of a space that a peer vouches for, while the memos behind
// it are on their way.
type LayerStatus struct {
	Peer    PeerID
	Since   time.Time // when it was begun to be fetched
	Memos   uint64    // that it covers; 0 until that is known
	Missing uint64    // of them, not here
	Blocks  int       // of it that came
	Ready   bool      // rows that came are shown
	Whole   bool      // all came
}

// MemberStatus says what a peer of a space is known to have.
type MemberStatus struct {
	Peer      PeerID
	Connected bool
	// Ahead is how many memos the peer is known to have that are not here; Lacks
	// is how many are here that it is not known to have.
	Ahead, Lacks uint64
	// AheadSince and LacksSince are since when there are any, to a second; zero when
	// there are none.
	AheadSince, LacksSince time.Time
}

// Spaces lists the spaces of this node by name.
func (n *Node) Spaces() []SpaceInfo {
	spaces := n.allSpaces()
	v := n.view.Load()
	out := make([]SpaceInfo, len(spaces))
	for i, s := range spaces {
		out[i] = v.info(s)
	}
	slices.SortFunc(out, func(a, b SpaceInfo) int {
		if a.Name != b.Name {
			if a.Name < b.Name {
				return -1
			}
			return 1
		}
		return memo.ID(a.ID).Compare(memo.ID(b.ID))
	})
	return out
}

func (v *view) info(s *Space) SpaceInfo {
	i := SpaceInfo{ID: s.id, Name: s.name, Standing: v.standing(s.id, s.node.id)}
	if v.store.Rights(s.id) != nil {
		i.Rights = memo.Members
	}
	for m := range v.store.All(s.id).All() {
		i.Authors++
		i.Memos += m.Seq
	}
	return i
}

// Vector returns what is attached here: the newest memo of each author.
func (s *Space) Vector() memo.Vector { return s.node.view.Load().store.Vector(s.id) }

// settled counts the memos of a space without the pings since the node started: a
// space in which just those attach is at rest.
func (v *view) settled(s *Space) uint64 { return v.info(s).Memos - v.pings[s.id] }

// Status reports the node's state.
func (n *Node) Status(ctx context.Context) (Status, error) {
	c := &askStatus{reply: make(chan Status, 1)}
	return await(ctx, n, c, c.reply)
}

type askStatus struct{ reply chan Status }

func (c *askStatus) do(o *owner) {
	n := o.n
	runs, _ := n.store.Pending()
	st := Status{
		ID: n.id, Dir: n.dir, Peers: o.peers(), WritesRefused: o.ready(), LogBytes: n.store.Size(), Pending: runs, Delayed: len(o.delayed.runs),
		Protocol: o.core.Stats(), Adopted: o.counts.adopted, Audited: o.counts.audited, Unaudited: o.counts.unaudited, Refused: o.counts.refused, Invalid: o.counts.invalid,
	}
	st.Hearing = HearingStatus{
		Budget: int(o.load.told.Capacity), Capacity: o.load.capacity, Backlog: len(n.inputs), Spent: o.core.Spent(),
	}
	if net := n.net.Load(); net != nil {
		st.Online, st.Addrs, st.Traffic = true, net.Addrs(), net.Traffic()
		st.Traffic.Dropped += n.gate.dropped()
	}
	for _, info := range n.Spaces() {
		s := SpaceStatus{SpaceInfo: info, Chance: o.core.Chance(info.ID)}
		mine := n.view.Load().store.Vector(info.ID)
		had := n.view.Load().store.Had(info.ID).Vector() // what is held back is not missing
		o.core.Members(info.ID, func(p gossip.Peer, up bool, has memo.Vector) {
			s.Members = append(s.Members, o.memberStatus(info.ID, p, up, has, had))
		})
		if sp := o.coldOf(info.ID).space; sp != nil {
			s.Writers = sp.Members()
			s.AsksHead, s.Regained = sp.asks(), o.regained[info.ID]
		}
		s.Layer, s.Liars = o.layerStatus(info.ID, mine)
		s.Forks = forkStatus(n.view.Load().store, info.ID, n.id)
		if c := o.cold[info.ID]; c != nil {
			s.Alarms, s.Proofs = slices.Clone(c.alarms), slices.Clone(c.proofs)
			s.Doubted = slices.SortedFunc(maps.Keys(c.doubted), PeerID.Compare)
		}
		st.Spaces = append(st.Spaces, s)
	}
	c.reply <- st
}

// memberStatus compares what a member has with mine.
func (o *owner) memberStatus(id memo.SpaceID, p PeerID, up bool, has, mine memo.Vector) MemberStatus {
	m := MemberStatus{Peer: p, Connected: up, Ahead: lead(has, mine), Lacks: lead(mine, has)}
	since := o.lagging.of(lagKey{id, p}, o.n.opts.Now(), m.Ahead > 0, m.Lacks > 0)
	m.AheadSince, m.LacksSince = since.ahead, since.lacks
	return m
}

// layerStatus describes the layer of a space, of which mine is here.
func (o *owner) layerStatus(id memo.SpaceID, mine memo.Vector) (*LayerStatus, []PeerID) {
	c := o.coldOf(id)
	if c.space == nil {
		return nil, nil
	}
	l := c.space.layer.Load()
	if l.peer == (PeerID{}) {
		return nil, slices.Clone(c.liars)
	}
	return &LayerStatus{
		Peer: l.peer, Since: l.since, Memos: lead(l.vector, memo.Vector{}), Missing: lead(l.vector, mine),
		Blocks: l.blocks, Ready: l.ready, Whole: l.whole,
	}, slices.Clone(c.liars)
}

// lead counts the memos of a that b lacks.
func lead(a, b memo.Vector) (n uint64) {
	for m := range a.All() {
		if have, _ := b.Get(m.Author); m.Seq > have.Seq {
			n += m.Seq - have.Seq
		}
	}
	return n
}

// Block cuts the named peers off, or everybody when none is named, with the
// product's own connection gater, until Unblock.
func (n *Node) Block(peers ...PeerID) error {
	net := n.net.Load()
	if net == nil {
		return ErrNoNetwork
	}
	net.Block(peers...)
	return nil
}

// Unblock undoes every Block.
func (n *Node) Unblock() error {
	net := n.net.Load()
	if net == nil {
		return ErrNoNetwork
	}
	net.Unblock()
	return nil
}

// want asks for what the session waits for, the origins of its tokens first.
func (x *Session) want(ctx context.Context) {
	x.mu.Lock()
	origins := make([][8]byte, 0, len(x.taken)+1)
	var authors [][8]byte
	for _, t := range x.taken {
		origins = append(origins, t.Origin)
		for _, h := range t.Heads {
			authors = append(authors, h.Author)
		}
	}
	if len(origins) == 0 {
		origins = append(origins, x.origin)
	}
	x.mu.Unlock()
	for _, origin := range origins {
		if err := x.space.node.submit(ctx, wantFrom{x.space.id, origin, authors}); err != nil {
			return
		}
	}
}

// wantFrom asks for what is missing, the peer whose id begins with origin first, and has
// the authors heard whose ids begin with one of those given.
type wantFrom struct {
	space   memo.SpaceID
	origin  [8]byte
	authors [][8]byte
}

func (c wantFrom) do(o *owner) {
	w := gossip.Want{Space: c.space}
	o.core.Members(c.space, func(p gossip.Peer, _ bool, _ memo.Vector) {
		if [8]byte(p[:8]) == c.origin {
			w.Origin = p
		}
	})
	for m := range o.n.view.Load().store.Vector(c.space).All() {
		if slices.Contains(c.authors, [8]byte(m.Author[:8])) {
			w.Heads = append(w.Heads, m.Head)
		}
	}
	o.step(w)
}

// fill adds to e who may have what is missing.
func (x *Session) fill(ctx context.Context, e *BehindError) error {
	x.mu.Lock()
	c := &askHolders{space: x.space.id, missing: e.Missing, taken: slices.Clone(x.taken), reply: make(chan holders, 1)}
	x.mu.Unlock()
	if h, err := await(ctx, x.space.node, c, c.reply); err == nil {
		e.Missing, e.Holders, e.Held = h.missing, h.peers, h.held
		e.Lag.Beacons, e.Lag.Time = h.lag.Beacons, h.lag.Time
	}
	return e
}

type askHolders struct {
	space   memo.SpaceID
	missing []memo.Head
	taken   []causal.Token
	reply   chan holders
}

// holders answers askHolders: missing with authors completed where a member of
// the space has the prefix, and who may have it.
type holders struct {
	missing []memo.Head
	peers   []PeerID
	held    bool
	lag     Lag
}

// do names the peers that said they have a missing memo, that wrote it, or that
// issued a token naming it.
func (c *askHolders) do(o *owner) {
	out := holders{missing: slices.Clone(c.missing)}
	o.core.Members(c.space, func(p gossip.Peer, _ bool, has memo.Vector) {
		for i, h := range out.missing {
			if [8]byte(h.Author[:8]) == [8]byte(p[:8]) {
				out.missing[i].Author = p
			}
		}
		may := slices.ContainsFunc(out.missing, func(h memo.Head) bool {
			return h.Author == p || has.Covers(h.Author, h.Seq)
		}) || slices.ContainsFunc(c.taken, func(t causal.Token) bool {
			return t.Origin == [8]byte(p[:8])
		})
		if may {
			out.peers = append(out.peers, p)
		}
	})
	mine, seen := o.n.view.Load().store.All(c.space), map[PeerID]bool{}
	for _, h := range out.missing {
		if have, _ := mine.Get(h.Author); !seen[h.Author] {
			seen[h.Author] = true
			out.lag.miss(h.Seq-min(h.Seq, have.Seq), have, o.n.opts.Now())
		}
	}
	had := o.n.view.Load().store.Had(c.space).Vector()
	out.held = slices.ContainsFunc(out.missing, func(h memo.Head) bool {
		return !mine.Covers(h.Author, h.Seq) && had.Covers(h.Author, h.Seq)
	})
	c.reply <- out
}
