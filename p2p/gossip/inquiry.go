package gossip

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"lightcone/memo"
)

// This file asks one peer for one run, which recon does not bring: memos that a state
// stands for are covered and not missing. It is for who looks into what he adopted.

const (
	// maxInquiries bounds those under way.
	maxInquiries = 8
	// maxBranchLook bounds the runs of a forked author that are looked through for the
	// memo that was asked for.
	maxBranchLook = 16
)

// The types of its messages, see wire.go.
const (
	typeWord    = 19
	typeWantRun = 20
)

// ErrNotAsked reports an inquiry that did not get as far as an answer.
var ErrNotAsked = errors.New("the peer could not be asked for a run")

// inquiry is one question under way.
type inquiry struct {
	Inquire
	since   time.Time
	session *session // nil until there is room for one
}

// wantRun asks for the run that holds a memo: on whatever branch its digest is, else
// that of the chain in the same place.
type wantRun struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	Head vecHead
}

// word is a signed announcement of the root that FETCH names.
type word struct {
	_    struct{} `cbor:",toarray"`
	Type uint64
	Data memo.Bytes
}

// said is a word whose signature holds.
type said struct {
	space memo.SpaceID
	*Announcement
}

func (*wantRun) message() {}
func (*word) message()    {}
func (*said) message()    {}

func hearWord(w *word) (*said, error) {
	space, a, err := parseAnnouncement([]byte(w.Data))
	return &said{space, a}, err
}

// Word returns an announcement of the newest root made here, signed, and the root's id;
// nil where there is none.
func (c *Core) Word(id memo.SpaceID) ([]byte, memo.ID) {
	s := c.spaces[id]
	if s == nil || s.roots.own == nil || c.cfg.Sign == nil {
		return nil, memo.ID{}
	}
	return c.announcement(s).sign(id, c.cfg.Sign), s.roots.own.ID
}

// sayWord signs for the root that FETCH named, if that is the newest made here.
func (c *Core) sayWord(s *session, root memo.ID, e *Effects) {
	if data, id := c.Word(s.space.id); data != nil && id == root {
		s.send(e, &word{Type: typeWord, Data: memo.Bytes(data)})
	}
}

// onWord keeps what the peer signed beside the root it named.
func (c *Core) onWord(s *session, m *said) error {
	u := s.supply
	if u == nil || u.job == nil || !u.greeted || m.From != s.peer || m.space != s.space.id {
		return fmt.Errorf("%w: unexpected WORD", ErrWire)
	}
	u.job.word = m.Announcement
	return nil
}

// signed returns what was signed of the root that came; nil: nothing.
func (j *job) signed() *Announcement {
	if a := j.word; a != nil && a.Root.Vector == j.made.Vector && a.Root.State == j.made.State {
		return a
	}
	return nil
}

// inquire takes on a question.
func (c *Core) inquire(now time.Time, in Inquire, e *Effects) {
	q := &inquiry{Inquire: in, since: now}
	sp := c.spaces[in.Space]
	switch {
	case sp == nil || sp.members[in.Peer] == nil || !c.up[in.Peer]:
		c.answered(now, q, nil, fmt.Errorf("%w: it is not connected", ErrNotAsked), e)
	case len(c.inquiries) == maxInquiries:
		c.answered(now, q, nil, fmt.Errorf("%w: %d others are under way", ErrNotAsked, maxInquiries), e)
	default:
		c.inquiries = append(c.inquiries, q)
		c.going = true
	}
}

// goInquire opens the sessions for which there is room.
func (c *Core) goInquire(now time.Time, e *Effects) {
	for _, q := range slices.Clone(c.inquiries) {
		switch {
		case q.session != nil:
		case !c.up[q.Peer] || now.Sub(q.since) > turnPatience:
			c.answered(now, q, nil, fmt.Errorf("%w: it left, or was busy for %v", ErrNotAsked, turnPatience), e)
		case !c.taken(now, q.Peer):
			c.nextID += 2
			s := newSession(c.nextID, q.Peer, now)
			s.space, s.opened, s.supply = c.spaces[q.Space], true, &supply{inquiry: q}
			s.member = s.space.members[q.Peer]
			c.sessions[s.id], q.session = s, s
			e.Open = append(e.Open, Open{Session: s.id, Peer: q.Peer})
			c.sayFetch(s, nil, false, e)
		}
	}
}

// ask puts the question to a peer that showed that it may be asked.
func (q *inquiry) ask(e *Effects) {
	h := q.Head
	q.session.send(e, &wantRun{Type: typeWantRun, Head: vecHead{Author: h.Author, Seq: h.Seq, ID: h.ID}})
}

// answered ends an inquiry.
func (c *Core) answered(now time.Time, q *inquiry, run *memo.Run, err error, e *Effects) {
	c.inquiries = slices.DeleteFunc(c.inquiries, func(o *inquiry) bool { return o == q })
	e.Inquired = append(e.Inquired, Inquired{Inquire: q.Inquire, Run: run, Err: err})
	if s := q.session; s != nil {
		q.session = nil
		s.send(e, &done{Type: typeDone})
		e.Close = append(e.Close, Close{Session: s.id})
		c.settle(now, s, nil, e)
	}
}

// unanswered ends the inquiry of a session that ended before its answer.
func (c *Core) unanswered(now time.Time, s *session, err error, e *Effects) {
	if q := s.supply.inquiry; q != nil && q.session == s {
		q.session = nil
		c.answered(now, q, nil, fmt.Errorf("%w: %w", ErrNotAsked, err), e)
	}
}

// onWantRun serves the run that holds a memo, none where it is not held.
func (c *Core) onWantRun(s *session, m *wantRun, e *Effects) error {
	if s.opened || s.supply == nil || m.Head.Seq == 0 {
		return fmt.Errorf("%w: unexpected WANTRUN", ErrWire)
	}
	raw, err := c.runWith(s.space.id, memo.Head{Author: m.Head.Author, Seq: m.Head.Seq, ID: m.Head.ID})
	if err != nil {
		return fmt.Errorf("%w: %w", errLocal, err)
	}
	out := &runs{Type: typeRuns}
	if raw != nil {
		out.Runs = []memo.Bytes{memo.Bytes(raw)}
	}
	s.send(e, out)
	s.supply.bytes += answerCost + len(raw)
	return s.supply.share()
}

// runWith returns the encoded run with a memo, or with another in its place; nil where
// none is held.
func (c *Core) runWith(space memo.SpaceID, h memo.Head) ([]byte, error) {
	held := c.cfg.Holdings
	_, last, ok, err := held.NextRun(space, h.Author, h.Seq-1)
	var raw []byte
	if err == nil && ok {
		raw, err = held.Run(space, h.Author, last)
	}
	if id, _, _ := held.ID(space, h.Author, h.Seq); err != nil || id == h.ID || !slices.Contains(held.Forked(space), h.Author) {
		return raw, err
	}
	branches, err := held.BranchRuns(space, h.Author)
	looked := 0
	for _, b := range branches {
		if b.Seq < h.Seq || b.Seq >= h.Seq+memo.MaxRunMemos || looked == maxBranchLook {
			continue
		}
		looked++
		data, err := held.RunByID(space, b.ID)
		if err != nil {
			return nil, err
		}
		if r, err := memo.DecodeRun(data); err == nil && holds(r, h) {
			return data, nil
		}
	}
	return raw, err
}

// holds reports whether a run has the memo of a head.
func holds(r *memo.Run, h memo.Head) bool {
	return slices.ContainsFunc(r.Memos, func(m *memo.Memo) bool { return m.Head() == h })
}

// onRun takes the answer: a run of the author that is in the memo's place.
func (c *Core) onRun(now time.Time, s *session, m *verified, e *Effects) error {
	q := s.supply.inquiry
	if q == nil || !s.supply.greeted || len(m.runs) > 1 {
		return fmt.Errorf("%w: unexpected RUNS", ErrWire)
	}
	if len(m.runs) == 0 {
		c.answered(now, q, nil, nil, e)
		return nil
	}
	r := m.runs[0]
	if r.Space != q.Space || r.Author() != q.Head.Author || q.Head.Seq < r.FirstSeq() || q.Head.Seq > r.Head().Seq {
		return fmt.Errorf("%w: a run to %s, asked for was memo %d of %s", ErrWire, r.Head(), q.Head.Seq, q.Head.Author)
	}
	c.budget.take(now, len(r.Memos), forAsked)
	c.answered(now, q, r, nil, e)
	return nil
}
