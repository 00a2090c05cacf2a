package gossip

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// This file is the session that carries blocks: FETCH both ways, then WANT and
// WANTSEALS by its opener, BLOCKS and SEALS by the other side, until DONE. What is
// asked for, and of whom, is in fetch.go.

const (
	// foldPatience is how long an answer waits for the fold that the peer asked for;
	// then the newest root there is has to do.
	foldPatience = 5 * time.Second
	// answerPatience is how long a peer may leave what it was asked for unanswered.
	answerPatience = 10 * time.Second
	// turnSlice is how long a job may ask a peer that another waits for.
	turnSlice = time.Second
	// retryMost bounds the pause until a peer is asked again whose session failed.
	retryMost = 4 * time.Second
	// blockGuess is what the size of blocks is taken for until some came; meanOver is
	// over how many their mean is taken then.
	blockGuess, meanOver = 4 << 10, 16
	// answerCost and sealCost are what an answer counts in bytes, a block's on top of
	// its own: to ask for what is not held, and for signatures, comes to an end too.
	answerCost, sealCost = 64, 1024
	// supplyBytes bounds the bytes of one session that we serve; honest peers stop at
	// sessionBytes.
	supplyBytes = sessionBytes + sessionBytes/2
)

// supply is what a session is that carries blocks.
type supply struct {
	job     *job          // that it serves, on our side; nil when we accepted it
	inquiry *inquiry      // that it is for instead
	greeted bool          // the peer showed that it may be asked
	sure    bool          // it did so in an earlier session: ask at once
	asked   []memo.ID     // blocks, in the order of asking, not answered yet
	heads   []memo.Head   // of seals, the same
	lacking []memo.ID     // blocks it does not have
	without map[Peer]bool // authors whose seals it does not have
	mean    int           // bytes of a block, lately
	bytes   int           // of answers, either way
	yield   bool          // another job waits for the peer
	fresh   bool          // the peer asked for our newest root
	cut     memo.Vector   // that the root must cover which we answer FETCH with …
	until   time.Time     // … until then; zero: it was answered
}

// answerFetch takes the FETCH of a peer that opened a stream.
func (c *Core) answerFetch(now time.Time, s *session, m *fetch, e *Effects) error {
	if s.space != nil || m.Root != nil {
		return fmt.Errorf("%w: unexpected FETCH", ErrWire)
	}
	if err := c.checkProof(s, m.Space, m.Proof); err != nil {
		c.stats.Refused++
		return err
	}
	s.space, s.supply = c.spaces[m.Space], &supply{greeted: true, fresh: m.Fresh}
	c.prove(now, s, e)
	if m.Fresh && !c.upToDate(s.space) {
		s.supply.cut, s.supply.until = c.cfg.Holdings.Vector(m.Space), now.Add(foldPatience)
		e.Fold = append(e.Fold, Fold{Space: m.Space})
		return nil
	}
	c.sayRoot(s, e)
	return nil
}

// upToDate reports whether the newest root is that of all that is attached.
func (c *Core) upToDate(sp *space) bool {
	_, r, ok := c.cfg.Holdings.Root(sp.id)
	if !ok {
		return false
	}
	vecRoot, err := c.cfg.Holdings.VecRoot(sp.id)
	return err == nil && vecRoot == r.Vector
}

// sayFetch says FETCH.
func (c *Core) sayFetch(s *session, root *memo.Link, fresh bool, e *Effects) {
	s.send(e, &fetch{
		Type: typeFetch, Version: wireVersion, Space: s.space.id,
		Proof: proof(s.space.secret, s.space.id, c.cfg.Self, s.peer), Root: root, Fresh: fresh,
	})
}

// sayRoot answers FETCH with the newest root.
func (c *Core) sayRoot(s *session, e *Effects) {
	s.supply.cut, s.supply.until = memo.Vector{}, time.Time{}
	var root *memo.Link
	if id, _, ok := c.cfg.Holdings.Root(s.space.id); ok {
		link := memo.Link(id)
		root = &link
	}
	if c.sayFetch(s, root, false, e); root != nil && s.supply.fresh {
		c.sayWord(s, memo.ID(*root), e)
	}
}

// refolded answers the peers that waited for a fold which is new enough for them.
func (c *Core) refolded(in Folded, e *Effects) {
	for _, id := range c.sortedSessions() {
		s := c.sessions[id]
		if s.supply == nil || s.supply.until.IsZero() || s.space.id != in.Space {
			continue
		}
		if in.Err != nil || in.Vector.CoversAll(s.supply.cut) {
			c.sayRoot(s, e)
		}
	}
}

// onWant serves blocks of the session's space, and no others.
func (c *Core) onWant(s *session, m *want, e *Effects) error {
	if s.opened || s.supply == nil || len(m.IDs) == 0 {
		return fmt.Errorf("%w: unexpected WANT", ErrWire)
	}
	out, size := &blocks{Type: typeBlocks}, 0
	for _, id := range m.IDs {
		data, err := c.cfg.Holdings.Block(s.space.id, id)
		if err != nil && !errors.Is(err, merge.ErrNoBlock) {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if size+len(data) > blocksFrame && len(out.Blocks) > 0 {
			s.send(e, out)
			out, size = &blocks{Type: typeBlocks}, 0
		}
		var block *memo.Bytes
		if err == nil && len(data) <= maxBlock {
			b := memo.Bytes(data)
			block, size = &b, size+len(data)
			c.stats.BlocksSent++
		}
		out.Blocks = append(out.Blocks, block)
		s.supply.bytes += answerCost + len(data)
	}
	s.send(e, out)
	return s.supply.share()
}

// onWantSeals serves seals.
func (c *Core) onWantSeals(s *session, m *wantSeals, e *Effects) error {
	if s.opened || s.supply == nil || len(m.Heads) == 0 {
		return fmt.Errorf("%w: unexpected WANTSEALS", ErrWire)
	}
	mine := c.cfg.Holdings.Vector(s.space.id)
	out := &seals{Type: typeSeals, Space: s.space.id, Seals: make([]*sealedHead, len(m.Heads))}
	for i, h := range m.Heads {
		seal, ok, err := c.sealOf(mine, s.space.id, memo.Head{Author: h.Author, Seq: h.Seq, ID: h.ID})
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if ok {
			out.Seals[i] = &sealedHead{Author: h.Author, Seq: h.Seq, ID: h.ID, Seal: seal}
		}
		s.supply.bytes += sealCost
	}
	s.send(e, out)
	return s.supply.share()
}

// sealOf returns the seal of a head, false if there is none here. Of an author who
// forked another branch may be held, whose seal is another: what is not the newest
// head is verified.
func (c *Core) sealOf(mine memo.Vector, space memo.SpaceID, h memo.Head) (memo.Seal, bool, error) {
	newest, ok := mine.Get(h.Author)
	if !ok || h.Seq == 0 || h.Seq > newest.Seq || h.Seq == newest.Seq && h.ID != newest.ID {
		return memo.Seal{}, false, nil
	}
	seal, ok, err := c.cfg.Holdings.Seal(space, h.Author, h.Seq)
	if err != nil || !ok || h.Seq < newest.Seq && memo.VerifySeal(space, h, seal) != nil {
		return memo.Seal{}, false, err
	}
	return seal, true, nil
}

// share ends a session that took more than anybody needs.
func (u *supply) share() error {
	if u.bytes > supplyBytes {
		return fmt.Errorf("%w: %d bytes of blocks in one session", errFull, u.bytes)
	}
	return nil
}

// openSupply opens a stream to a peer for a job.
func (c *Core) openSupply(now time.Time, j *job, p Peer, e *Effects) {
	c.nextID += 2
	s := newSession(c.nextID, p, now)
	s.space, s.member, s.opened = j.space, j.space.members[p], true
	s.supply = &supply{job: j, sure: s.member.proved && !j.root.IsZero(), without: map[Peer]bool{}, mean: blockGuess}
	c.sessions[s.id], j.session = s, s
	c.stats.Fetches++
	e.Open = append(e.Open, Open{Session: s.id, Peer: p})
	c.sayFetch(s, nil, j.root.IsZero(), e)
}

// onFetch takes the FETCH of either side.
func (c *Core) onFetch(now time.Time, s *session, m *fetch, e *Effects) error {
	if m.Version != wireVersion {
		return fmt.Errorf("%w: FETCH of version %d", ErrWire, m.Version)
	}
	if !s.opened {
		return c.answerFetch(now, s, m, e)
	}
	u := s.supply
	if u == nil || u.greeted {
		return fmt.Errorf("%w: unexpected FETCH", ErrWire)
	}
	if err := c.checkProof(s, m.Space, m.Proof); err != nil {
		c.stats.Refused++
		return err
	}
	c.prove(now, s, e)
	u.greeted = true
	switch j := u.job; {
	case u.inquiry != nil:
		u.inquiry.ask(e)
	case !j.root.IsZero():
	case m.Root == nil:
		c.finish(now, j, fmt.Errorf("%w: %s has none", ErrUnavailable, s.peer), e)
	default:
		j.root, j.fed, j.from = memo.ID(*m.Root), now, s.peer
	}
	return nil
}

// onBlocks takes blocks that were asked for, in that order.
func (c *Core) onBlocks(now time.Time, s *session, m *hashed, e *Effects) error {
	u := s.supply
	if u == nil || !u.greeted || len(m.blocks) == 0 || len(m.blocks) > len(u.asked) {
		return fmt.Errorf("%w: unexpected BLOCKS", ErrWire)
	}
	kept := make([]Block, 0, len(m.blocks))
	var err, costs error
	for _, b := range m.blocks {
		id := u.asked[0]
		u.bytes += answerCost + len(b.Data)
		if b.Data == nil {
			c.budget.answered(now, false)
			u.asked, u.lacking = u.asked[1:], append(u.lacking, id)
			continue
		}
		if err = u.job.take(id, b); err != nil {
			break
		}
		c.budget.answered(now, true)
		u.asked, kept = u.asked[1:], append(kept, b)
		u.mean += (len(b.Data) - u.mean) / meanOver
		u.job.fresh[id] = b.Data
		u.job.gave(now, s.peer)
		c.stats.BlocksGot++
		if u.job.isState(id) && costs == nil {
			costs = c.costly(u.job, b.Data)
		}
	}
	if len(kept) > 0 {
		e.Keep = append(e.Keep, Keep{Space: s.space.id, Blocks: kept})
	}
	if errors.Is(err, merge.ErrTree) { // an honest peer may hold it
		c.finish(now, u.job, err, e)
		return nil
	}
	if costs != nil {
		c.finish(now, u.job, costs, e)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWire, err)
	}
	return nil
}

// onSeals takes seals that were asked for, which hold.
func (c *Core) onSeals(now time.Time, s *session, m *sealed, e *Effects) error {
	u := s.supply
	if u == nil || !u.greeted || len(u.heads) == 0 || len(m.heads) != len(u.heads) || m.space != s.space.id {
		return fmt.Errorf("%w: unexpected SEALS", ErrWire)
	}
	asked, j := u.heads, u.job
	u.heads = nil
	for i, h := range m.heads {
		u.bytes += sealCost
		switch {
		case h.Seq == 0:
			u.without[asked[i].Author] = true
			continue
		case h.Head != asked[i]:
			return fmt.Errorf("%w: a seal of %s, asked for was %s", ErrWire, h.Head, asked[i])
		}
		j.seals = append(j.seals, h)
		j.gave(now, s.peer)
	}
	j.heads = slices.DeleteFunc(j.heads, func(h memo.Head) bool {
		i, ok := slices.BinarySearchFunc(asked, h, compareHeads)
		return ok && m.heads[i].Seq > 0
	})
	return nil
}

func compareHeads(a, b memo.Head) int { return a.Author.Compare(b.Author) }

// leave ends a session of ours in order.
func (c *Core) leave(now time.Time, s *session, e *Effects) {
	s.send(e, &done{Type: typeDone})
	e.Close = append(e.Close, Close{Session: s.id})
	switch u := s.supply; {
	case len(u.lacking)+len(u.without) > 0:
		u.job.spent[s.peer] = time.Time{}
	case u.yield:
		u.job.spent[s.peer] = now.Add(TickEvery) // the other comes first
	}
	c.settle(now, s, nil, e)
}

// settleSupply forgets a session that carried blocks. What it left open is asked
// for again, elsewhere if it failed.
func (c *Core) settleSupply(now time.Time, s *session, err error) {
	c.going = true
	j := s.supply.job
	if j == nil || j.session != s {
		return
	}
	j.session = nil
	c.budget.aside -= len(s.supply.asked)
	for _, id := range slices.Concat(s.supply.asked, s.supply.lacking) {
		if j.walk != nil {
			j.walk.Again(id)
		}
	}
	switch {
	case err == nil:
		return
	case errors.Is(err, ErrWire) || errors.Is(err, ErrRefused):
		j.liars[s.peer] = true
	default:
		j.spent[s.peer] = now.Add(min(retryMin<<min(j.fails, 10), retryMost))
	}
	j.fails++
	j.last = err
}

// turnTo opens a session with the next peer that may have what a job lacks. When
// there is none the job waits for a while, or ends.
func (c *Core) turnTo(now time.Time, j *job, e *Effects) (opened bool) {
	p, patience := c.nextPeer(now, j)
	switch {
	case p != (Peer{}):
		c.openSupply(now, j, p, e)
		return true
	case now.Sub(j.fed) >= patience:
		err := ErrUnavailable
		if j.last != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, j.last)
		}
		c.finish(now, j, err, e)
	}
	return false
}

// nextPeer chooses whom to ask: the origin first, then members in turn. If there is
// nobody, patience is how long to wait for somebody since anything came.
func (c *Core) nextPeer(now time.Time, j *job) (p Peer, patience time.Duration) {
	all, patience := true, fetchPatience // all that are connected said that they lack it
	asked := false
	may := func(p Peer) bool {
		until, spent := j.spent[p]
		switch {
		case !c.up[p] || j.space.members[p] == nil:
			return false
		case j.liars[p] || spent && until.IsZero():
			asked = true
			return false
		case until.After(now):
			all = false
			return false
		case c.taken(now, p):
			patience = turnPatience
			return false
		}
		return true
	}
	if may(j.origin) {
		return j.origin, 0
	}
	if !j.root.IsZero() || j.origin == (Peer{}) {
		for i := range j.space.order {
			at := (j.turn + i) % len(j.space.order)
			if p := j.space.order[at]; may(p) {
				j.turn = at + 1
				return p, 0
			}
		}
	}
	if asked && all && patience == fetchPatience {
		patience = 0
	}
	return Peer{}, patience
}

// taken tells whether no further stream to p may be opened now. One job at a time
// asks a peer, so that recon finds room beside it; who had turnSlice gives way.
func (c *Core) taken(now time.Time, p Peer) bool {
	ours, asking := 0, false
	for _, s := range c.sessions {
		if s.peer != p || !s.opened {
			continue
		}
		ours++
		if s.supply != nil {
			asking = true
			s.supply.yield = s.supply.yield || now.Sub(s.begun) > turnSlice
		}
	}
	return asking || ours >= MaxPeerSessions || len(c.sessions) >= MaxSessions
}

// hurry answers who waited long enough for a fold, and ends a session whose peer
// leaves us waiting.
func (c *Core) hurry(now time.Time, s *session, e *Effects) {
	u := s.supply
	switch {
	case !u.until.IsZero() && now.After(u.until):
		c.sayRoot(s, e)
	case (u.inquiry != nil || u.job != nil && (!u.greeted || !u.settled())) && now.Sub(s.active) > answerPatience:
		c.abort(now, s, fmt.Errorf("peer left us waiting for %v", answerPatience), false, e)
	}
}
