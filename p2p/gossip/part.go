package gossip

import (
	"fmt"
	"slices"

	"lightcone/memo"
)

// This file finds where two chains of one author part, of which each side holds one:
// then neither knows of a fork, and RANGES have nothing to compare. The opener asks for
// digests at some places (PROBE); equal ones are common, and so are all below. What
// each side has behind the last common place it then sends like any run.

const (
	// maxParted bounds the authors of a session, and those of a space that wait for one.
	maxParted = 16
	// maxProbes bounds the PROBE frames of a session: 16 rounds for each author.
	maxProbes = 16 * maxParted
)

// parting looks for the place where chains part.
type parting struct {
	author memo.Author
	lo, hi uint64 // the place is known to be from lo on and below hi
	least  uint64 // the lower of both heads
	asked  []uint64
}

// suspect is an author whose chain as a peer has it contradicts ours.
type suspect struct {
	author  memo.Author
	orphans bool // RANGES brought runs of him that go on from what is not held here
}

// suspectFork notes a suspect, for the next session that we open.
func (c *Core) suspectFork(s *session, a memo.Author, orphans bool) {
	sp := s.space
	if s.parts(a) || !orphans && c.knownFork(sp.id, a) { // RANGES find what is missing
		return
	}
	i, ok := slices.BinarySearchFunc(sp.suspects, a, func(x suspect, a memo.Author) int { return x.author.Compare(a) })
	switch {
	case ok:
		sp.suspects[i].orphans = sp.suspects[i].orphans || orphans
	case len(sp.suspects) < maxParted:
		sp.suspects = slices.Insert(sp.suspects, i, suspect{a, orphans})
		s.again = true
	}
}

// knownFork tells whether two branches of an author are held: RANGES find what is
// missing of them.
func (c *Core) knownFork(space memo.SpaceID, a memo.Author) bool {
	_, ok := slices.BinarySearchFunc(c.cfg.Holdings.Forked(space), a, memo.Author.Compare)
	return ok
}

// parts tells whether the session exchanges two branches of an author.
func (s *session) parts(a memo.Author) bool {
	_, ok := s.parted[a]
	return ok
}

// beginPartings looks into the suspects whom both sides have memos of.
func (c *Core) beginPartings(s *session) {
	s.space.suspects = slices.DeleteFunc(s.space.suspects, func(x suspect) bool {
		own, _ := s.cut.Get(x.author)
		theirs, named := s.theirs[x.author]
		if !named && s.partial {
			theirs = own.Head
		}
		switch {
		case !x.orphans && c.knownFork(s.space.id, x.author):
			return true
		case own.Seq == 0 || theirs.Seq == 0:
			return false // another peer may show it
		}
		s.partings = append(s.partings, parting{author: x.author, hi: min(own.Seq, theirs.Seq) + 1, least: min(own.Seq, theirs.Seq)})
		return true
	})
}

// probeOn asks about the next places. done tells that all is known, and was said.
func (c *Core) probeOn(s *session, e *Effects) (done bool) {
	for len(s.partings) > 0 {
		p := &s.partings[0]
		if p.hi-p.lo > 1 {
			p.asked = p.places()
			s.send(e, &probe{Type: typeProbe, Author: p.author, Seqs: p.asked})
			return false
		}
		if p.lo < p.least {
			s.part(p.author, p.lo)
			s.send(e, &parted{Type: typeParted, Author: p.author, After: p.lo})
		}
		s.partings = s.partings[1:]
	}
	return true
}

// places are up to probeFan places between lo and hi, evenly spread; the last of all
// that may be common is one of them.
func (p *parting) places() (out []uint64) {
	width := p.hi - p.lo - 1
	for i := uint64(1); i <= probeFan; i++ {
		seq := p.lo + width/probeFan*i + width%probeFan*i/probeFan
		if seq > p.lo && (len(out) == 0 || seq > out[len(out)-1]) {
			out = append(out, seq)
		}
	}
	return out
}

func (s *session) part(a memo.Author, after uint64) {
	if s.parted == nil {
		s.parted = map[memo.Author]uint64{}
	}
	s.parted[a] = after
}

// onProbe says what is held at some places of a chain.
func (c *Core) onProbe(s *session, m *probe, e *Effects) error {
	if s.probes++; s.opened || !s.replied || s.equal || s.streaming || s.probes > maxProbes || len(m.Seqs) == 0 {
		return fmt.Errorf("%w: unexpected PROBE", ErrWire)
	}
	out := &probed{Type: typeProbed}
	for _, seq := range m.Seqs {
		id, ok, err := c.cfg.Holdings.ID(s.space.id, m.Author, seq)
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if !ok {
			id = memo.ID{}
		}
		out.IDs = append(out.IDs, id)
	}
	s.send(e, out)
	return nil
}

// onProbed narrows the place where the chains part.
func (c *Core) onProbed(s *session, m *probed, e *Effects) error {
	if len(s.partings) == 0 || len(m.IDs) != len(s.partings[0].asked) || len(m.IDs) == 0 {
		return fmt.Errorf("%w: unexpected PROBED", ErrWire)
	}
	p := &s.partings[0]
	for i, seq := range p.asked {
		own, ok, err := c.cfg.Holdings.ID(s.space.id, p.author, seq)
		if err != nil {
			return fmt.Errorf("%w: %w", errLocal, err)
		}
		if !ok || m.IDs[i].IsZero() { // a state stands for it: only what is held can be compared
			p.lo = max(p.lo, seq)
			continue
		}
		if own != m.IDs[i] {
			p.hi = seq
			break
		}
		p.lo = seq
	}
	if p.asked = nil; p.lo >= p.hi {
		p.lo = p.hi - 1
	}
	if c.probeOn(s, e) {
		return c.answerVec(s, e)
	}
	return nil
}

// onParted takes the place up to where a chain is common.
func (c *Core) onParted(s *session, m *parted) error {
	if s.opened || !s.replied || s.equal || s.streaming || len(s.parted) >= maxParted {
		return fmt.Errorf("%w: unexpected PARTED", ErrWire)
	}
	s.part(m.Author, m.After)
	return nil
}
