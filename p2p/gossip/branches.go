package gossip

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
)

// This file is the part of a session that exchanges the branches of forked authors: in
// turns of RANGES both sides find out which runs the other has and they have not, NEED
// asks for those by digest, BRANCHES brings them under the same credit as RUNS.

// Limits of one session. What does not fit is for the next.
const (
	// maxTurns bounds the turns of RANGES: two honest sides need one for each split.
	maxTurns = 64
	// maxRangeFrames bounds the RANGES frames that one side takes.
	maxRangeFrames = 1024
	// maxReply bounds the bytes of one turn. Ranges beyond it stay unanswered.
	maxReply = 16 << 20
	// maxWants bounds the runs that are asked for by digest and did not come.
	maxWants = 4096
	// maxListed bounds the runs that wait to be asked for.
	maxListed = 1 << 17
	// missCost is what an answer counts that a run is not held after all.
	missCost = 64
)

// forks is the state of that part.
type forks struct {
	key    [sha256.Size]byte
	sets   map[memo.Author]*runSet
	mine   bool // it is our turn to say ranges
	turns  int  // both sides'
	frames int  // of theirs
	empty  bool // their turn has no range so far
	over   bool
	reply  []ranges // to the turn they are at
	size   int      // of reply, about

	lacks   []memo.ID        // to be asked for, in order
	known   map[memo.ID]bool // of lacks and asked, ever
	asked   []memo.ID        // in the order of asking, not answered yet
	asks    bool             // we said that we ask for nothing more
	served  []memo.ID        // they asked for, in order
	brought []memo.Author    // whose runs came, ascending
	enough  bool             // they said that they ask for nothing more
}

// forkRoot is the digest over all that is held of forked authors; nil where nobody
// forked.
func (c *Core) forkRoot(space memo.SpaceID) (*memo.Link, error) {
	authors := c.cfg.Holdings.Forked(space)
	if len(authors) == 0 {
		return nil, nil
	}
	h := sha256.New()
	h.Write([]byte("lightcone/forks/1"))
	for _, a := range authors {
		runs, err := c.cfg.Holdings.BranchRuns(space, a)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errLocal, err)
		}
		h.Write(binary.BigEndian.AppendUint64(a[:], uint64(len(runs))))
		for _, r := range runs {
			h.Write(r.ID[:])
		}
	}
	root := memo.Link(h.Sum(nil))
	return &root, nil
}

func sameLink(a, b *memo.Link) bool { return a == b || a != nil && b != nil && *a == *b }

// beginForks prepares to compare, and says the opener's first turn. It does nothing
// where both HELLOs named one digest.
func (c *Core) beginForks(s *session, e *Effects) error {
	if sameLink(s.forkRoot, s.theirForks) {
		return nil
	}
	opener, acceptor := s.nonce, s.theirNonce
	if !s.opened {
		opener, acceptor = acceptor, opener
	}
	s.forks = &forks{
		key: rangeKey(s.space.secret, opener, acceptor), sets: map[memo.Author]*runSet{},
		mine: s.opened, empty: true, known: map[memo.ID]bool{},
	}
	if !s.opened {
		return nil
	}
	turn, err := c.unnamed(s)
	if err != nil {
		return err
	}
	s.forks.reply = turn
	s.sayTurn(e)
	return nil
}

// unnamed are the fingerprints of our forked authors that were not compared yet.
func (c *Core) unnamed(s *session) (out []ranges, err error) {
	for _, a := range c.cfg.Holdings.Forked(s.space.id) {
		if s.forks.sets[a] != nil || s.parts(a) {
			continue
		}
		set, err := c.set(s, a)
		if err != nil {
			return nil, err
		}
		out = append(out, ranges{Author: a, Ranges: []runRange{set.whole()}})
	}
	return out, nil
}

// set returns what was held of an author when the session first looked.
func (c *Core) set(s *session, a memo.Author) (*runSet, error) {
	if set := s.forks.sets[a]; set != nil {
		return set, nil
	}
	runs, err := c.cfg.Holdings.BranchRuns(s.space.id, a)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLocal, err)
	}
	s.forks.sets[a] = newRunSet(s.forks.key, runs)
	return s.forks.sets[a], nil
}

// sayTurn sends what is to be answered, in frames, and gives the turn away.
func (s *session) sayTurn(e *Effects) {
	f := s.forks
	out := &ranges{Type: typeRanges}
	size := 0
	flush := func(more bool) {
		out.More = more
		s.send(e, out)
		out, size = &ranges{Type: typeRanges}, 0
	}
	said := false
	for _, r := range f.reply {
		for _, part := range r.Ranges {
			if said && (out.Author != r.Author || size >= rangesFrame || len(out.Ranges) == rangesChunk) {
				flush(true)
			}
			said = true
			out.Author, out.Ranges, size = r.Author, append(out.Ranges, part), size+len(part.Heads)+missCost
		}
	}
	flush(false)
	f.over = f.over || !said && f.turns > 0
	f.reply, f.size, f.mine, f.empty = nil, 0, false, true
	f.turns++
}

// onRanges takes a frame of their turn, and answers when it is the last.
func (c *Core) onRanges(s *session, m *ranges, e *Effects) error {
	if s.forks == nil && !s.opened && s.replied && !s.equal && !s.streaming {
		if err := c.beginForks(s, e); err != nil {
			return err
		}
	}
	f := s.forks
	if f == nil || f.mine || f.over {
		return fmt.Errorf("%w: unexpected RANGES", ErrWire)
	}
	if f.frames++; f.frames > maxRangeFrames || f.turns > maxTurns {
		return fmt.Errorf("%w: %d frames and %d turns of RANGES", ErrWire, f.frames, f.turns)
	}
	if len(m.Ranges) > 0 {
		f.empty = false
		if err := c.compareRanges(s, m); err != nil {
			return err
		}
	}
	if m.More {
		return nil
	}
	first := f.turns == 0
	f.turns++
	if f.over = f.empty && !first; !f.over {
		if f.turns < 3 && !s.opened {
			more, err := c.unnamed(s)
			if err != nil {
				return err
			}
			f.reply = append(f.reply, more...)
		}
		f.mine = true
		s.sayTurn(e)
	}
	return c.askOn(s, e)
}

// compareRanges takes the ranges of one author.
func (c *Core) compareRanges(s *session, m *ranges) error {
	set, err := c.set(s, m.Author)
	if err != nil {
		return err
	}
	answer := ranges{Author: m.Author}
	for _, r := range m.Ranges {
		if s.forks.size < maxReply {
			parts := set.answer(r)
			for _, part := range parts {
				s.forks.size += missCost + len(part.Heads)
			}
			answer.Ranges = append(answer.Ranges, parts...)
		}
		for _, h := range r.listed() {
			if err := c.listed(s, memo.Head{Author: m.Author, Seq: h.Seq, ID: h.ID}); err != nil {
				return err
			}
		}
	}
	if len(answer.Ranges) > 0 {
		s.forks.reply = append(s.forks.reply, answer)
	}
	return nil
}

// listed notes a run that they have.
func (c *Core) listed(s *session, h memo.Head) error {
	f := s.forks
	if !s.pulls || f.known[h.ID] || len(f.known) >= maxListed {
		return nil
	}
	held, err := c.cfg.Holdings.Holds(s.space.id, h)
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	if !held {
		f.known[h.ID] = true
		f.lacks = append(f.lacks, h.ID)
	}
	return nil
}

// askOn asks for runs, within maxWants, and says when there are no more.
func (c *Core) askOn(s *session, e *Effects) error {
	f := s.forks
	for n := min(len(f.lacks), maxWants-len(f.asked)); n > 0; {
		part := f.lacks[:min(n, needChunk)]
		s.send(e, &need{Type: typeNeed, IDs: part})
		f.asked, f.lacks, n = append(f.asked, part...), f.lacks[len(part):], n-len(part)
	}
	if f.over && !f.asks && len(f.lacks) == 0 {
		f.asks = true
		s.send(e, &need{Type: typeNeed})
	}
	if !s.streaming {
		return nil
	}
	return c.pump(s, e)
}

// onNeed queues runs that they ask for.
func (c *Core) onNeed(s *session, m *need, e *Effects) error {
	f := s.forks
	if f == nil || !s.streaming || f.enough || s.refuse && len(m.IDs) > 0 || len(f.served)+len(m.IDs) > maxWants {
		return fmt.Errorf("%w: unexpected NEED of %d runs", ErrWire, len(m.IDs))
	}
	f.served, f.enough = append(f.served, m.IDs...), len(m.IDs) == 0
	return c.pump(s, e)
}

// pumpBranches sends runs that were asked for while there is credit, at most serveStep
// of bytes, of which so many were read in this Step already.
func (c *Core) pumpBranches(s *session, read int, e *Effects) error {
	f, out, size := s.forks, &branches{Type: typeBranches}, 0
	if f == nil {
		return nil
	}
	for len(f.served) > 0 && s.credit > size && s.sent+size < sessionBytes {
		if s.more = read+size >= serveStep; s.more {
			break
		}
		raw, err := c.cfg.Holdings.RunByID(s.space.id, f.served[0])
		f.served = f.served[1:]
		if err != nil {
			out.Runs, read = append(out.Runs, nil), read+missCost // dropped meanwhile
			continue
		}
		run := memo.Bytes(raw)
		out.Runs, size = append(out.Runs, &run), size+len(raw)
		c.stats.RunsSent++
	}
	if len(out.Runs) > 0 {
		s.send(e, out)
		s.credit, s.sent, s.lent = s.credit-size, s.sent+size, s.lent+size
		c.stats.BytesSent += size
	}
	return nil
}

// settled tells that nothing of forks remains to be said or sent by us.
func (f *forks) settled() bool {
	return f == nil || f.over && f.asks && f.enough && len(f.served) == 0
}

// onBranches hands runs that were asked for to the owner.
func (c *Core) onBranches(now time.Time, s *session, m *verifiedBranches, e *Effects) error {
	f := s.forks
	if f == nil || s.doneCame || len(m.runs) == 0 || len(m.runs) > len(f.asked) {
		return fmt.Errorf("%w: unexpected BRANCHES", ErrWire)
	}
	if err := s.charge(m.bytes); err != nil {
		return err
	}
	var take []*memo.Run
	for _, r := range m.runs {
		id := f.asked[0]
		f.asked = f.asked[1:]
		switch {
		case r == nil:
			s.useless += missCost
			continue
		case r.Space != s.space.id || r.Head().ID != id:
			return fmt.Errorf("%w: a run that ends in %s, asked for was %s", ErrWire, r.Head().ID, id)
		}
		take = append(take, r)
		if i, ok := slices.BinarySearchFunc(f.brought, r.Author(), memo.Author.Compare); !ok {
			f.brought = slices.Insert(f.brought, i, r.Author())
		}
	}
	if m.bytes > 0 {
		c.handOver(now, s, take, m.bytes, e)
	}
	if s.useless > sessionWaste {
		return fmt.Errorf("%w: %d bytes in a row brought nothing new", ErrWire, s.useless)
	}
	return c.askOn(s, e)
}
