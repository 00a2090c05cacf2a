package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"lightcone/memo"
)

// This file is the quarantine: runs that could attach and are held back, because the
// replica finds them late (HoldBack). To peers they count as had: nobody sends them
// again, and who lacks them gets them from here. In no cut, root or context do they
// count. What is held of an author continues what is attached of it without a gap, and
// its causes are attached or held before it; so a hold ends by attaching, in the order
// in which the runs came.
//
// A hold ends when it is released, when a run that is not late depends on it, when its
// author turns out to have forked, when an adopted state covers it, and when there is
// no room: then the author that has the most is accepted. Nothing is dropped, so that
// whoever writes much that is late hides nobody else's memos.

// Bounds of the quarantine of a store: of one author in one space, and of all. Decoded,
// in memory, the bytes take about three times as much.
const (
	MaxHeldAuthorRuns  = 2 << 10
	MaxHeldAuthorBytes = 4 << 20
	MaxHeldRuns        = 8 << 10
	MaxHeldBytes       = 16 << 20
)

// heldBounds are these bounds; tests lower them.
type heldBounds struct{ authorRuns, authorBytes, runs, bytes int }

// heldOrder is the order of the first held run beside those of the log: what is
// attached is never caused by what is held.
const heldOrder = 1 << 62

// heldRun is a run of the quarantine.
type heldRun struct {
	number uint64 // order of arrival
	run    *memo.Run
	size   int // bytes, encoded
}

// heldChain are the held runs of one author in one space, without a gap.
type heldChain struct {
	runs  []heldRun // not changed in place: views have it
	bytes int
}

func (c *heldChain) head() *memo.Memo {
	last := c.runs[len(c.runs)-1].run
	return last.Memos[len(last.Memos)-1]
}

// quarantine is what is held in all spaces; the chains are in each space.
type quarantine struct {
	late  func(*memo.Run) bool // nil: nothing is
	most  heldBounds
	next  uint64 // number of the next run
	runs  int
	bytes int
}

// HoldBack makes the store hold back runs of which late says so when they could attach.
// It is asked on the goroutine of the calls that write, about runs of edits, joins and
// pings; pings alone follow what is held of their author without being asked about.
func (s *Store) HoldBack(late func(*memo.Run) bool) { s.quarantine.late = late }

// Release attaches what is held of the authors in a space, of all if none is named, and
// before it what it depends on.
func (s *Store) Release(space memo.SpaceID, authors ...memo.Author) (Result, error) {
	var res Result
	if err := s.Ready(); err != nil {
		return res, err
	}
	err := s.releaseAll(space, authors, &res)
	if err == nil {
		err = s.attachWoken(&res)
	}
	return res, errors.Join(err, s.commit())
}

func (s *Store) releaseAll(space memo.SpaceID, authors []memo.Author, res *Result) error {
	var heads []memo.Head
	if sp := s.spaces[space]; sp != nil {
		for a, c := range sp.held { // they attach by number: the order does not show
			if len(authors) == 0 || slices.Contains(authors, a) {
				heads = append(heads, c.head().Head())
			}
		}
	}
	return s.release(space, heads, res)
}

// keeps reports whether the memo of a head, or another of its place, is held.
func (sp *space) keeps(h memo.Head) bool {
	c := sp.held[h.Author]
	return c != nil && h.Seq >= c.runs[0].run.FirstSeq() && h.Seq <= c.head().Seq
}

// keep adds a run to what is held of its author.
func (s *Store) keep(sp *space, h heldRun) {
	c := sp.held[h.run.Author()]
	if c == nil {
		c = &heldChain{}
		sp.held[h.run.Author()] = c
	}
	c.runs, c.bytes = append(c.runs, h), c.bytes+h.size
	q := &s.quarantine
	q.next, q.runs, q.bytes = max(q.next, h.number+1), q.runs+1, q.bytes+h.size
	sp.changed, sp.heldMoved = true, true
}

// drop takes the first run out of what is held of its author.
func (s *Store) drop(sp *space, h heldRun) {
	c := sp.held[h.run.Author()]
	c.runs, c.bytes = c.runs[1:], c.bytes-h.size
	s.quarantine.runs, s.quarantine.bytes = s.quarantine.runs-1, s.quarantine.bytes-h.size
	if len(c.runs) == 0 {
		delete(sp.held, h.run.Author())
	}
	s.del(heldKey(h.number))
	sp.changed, sp.heldMoved = true, true
}

// excess returns whose runs are to be accepted, now that one of an author was added:
// its own, if it has more than its share, else, where all together have too much, those
// of the author with the most bytes.
func (s *Store) excess(sp *space, author memo.Author) (*space, memo.Author, bool) {
	q := &s.quarantine
	if c := sp.held[author]; c != nil && (len(c.runs) > q.most.authorRuns || c.bytes > q.most.authorBytes) {
		return sp, author, true
	}
	if q.runs <= q.most.runs && q.bytes <= q.most.bytes {
		return nil, memo.Author{}, false
	}
	var in *space
	var most memo.Author
	for _, sp := range s.spaces {
		for a, c := range sp.held {
			if in == nil || cmp.Or(cmp.Compare(c.bytes, in.held[most].bytes), bytes.Compare(sp.id[:], in.id[:]), a.Compare(most)) > 0 {
				in, most = sp, a
			}
		}
	}
	return in, most, true
}

// decideLate is decide, and late for runs that are to be held back. What is held and
// stands in the way of r, or is its cause, is released unless r is late as well. reason
// belongs to the verdict, err is a failure of this machine.
func (s *Store) decideLate(r *memo.Run, res *Result) (v verdict, miss memo.Head, reason, err error) {
	for {
		v, miss, reason = s.decide(r)
		if v != attachable && v != waiting {
			return v, miss, reason, nil
		}
		sp := s.spaces[r.Space]
		chain := sp.held[r.Author()]
		var free memo.Head
		switch {
		case chain != nil && chain.holds(r):
			return duplicate, memo.Head{}, nil, nil
		case chain != nil && r.FirstSeq() <= chain.head().Seq, chain != nil && chain.parts(r):
			free = chain.head().Head() // its author forked, or cut its chain anew
		case v == waiting && !sp.keeps(miss):
			return v, miss, reason, nil
		case s.findsLate(sp, r):
			if miss, lacks := sp.unheld(r); lacks {
				return waiting, miss, nil, nil
			}
			if err := sp.admits(r.Memos[0]); err != nil {
				return refused, memo.Head{}, err, nil
			}
			return late, memo.Head{}, nil, nil
		case v == attachable:
			return v, miss, reason, nil
		default:
			free = miss
		}
		if err := s.release(r.Space, []memo.Head{free}, res); err != nil {
			return v, miss, reason, err
		}
	}
}

// holds reports whether the chain has r.
func (c *heldChain) holds(r *memo.Run) bool {
	return slices.ContainsFunc(c.runs, func(h heldRun) bool { return h.run.Head() == r.Head() })
}

// parts reports whether r contradicts the end of the chain.
func (c *heldChain) parts(r *memo.Run) bool {
	return r.FirstSeq() == c.head().Seq+1 && r.Memos[0].Prev != c.head().ID()
}

// findsLate reports whether r is to be held back. Memos that say who may write, or who
// forked, are not: all replicas are to decide alike.
func (s *Store) findsLate(sp *space, r *memo.Run) bool {
	chain := sp.held[r.Author()]
	_, forked := sp.forks[r.Author()]
	if s.quarantine.late == nil || forked || chain == nil && !sp.follows(r.Memos[0]) {
		return false
	}
	pings := true
	for _, m := range r.Memos {
		switch m.Kind() {
		case memo.KindPing:
		case memo.KindEdit, memo.KindJoin:
			pings = false
		default:
			return false
		}
	}
	if pings { // it says nothing but that its author is there
		return chain != nil
	}
	return s.quarantine.late(r)
}

// unheld returns a cause of r that is neither attached nor held.
func (sp *space) unheld(r *memo.Run) (miss memo.Head, lacks bool) {
	for _, m := range r.Memos {
		for _, d := range m.Deps {
			if !sp.sealed.Covers(d.Author, d.Seq) && !sp.keeps(d) {
				return d, true
			}
		}
	}
	return memo.Head{}, false
}

// holdBack takes r into the quarantine, and looks again at what waits for it.
func (s *Store) holdBack(r *memo.Run, res *Result) error {
	data, err := r.Encode()
	if err != nil {
		return fmt.Errorf("encode run %s: %w", r.Head(), err)
	}
	sp, h := s.spaces[r.Space], heldRun{number: s.quarantine.next, run: r, size: len(data)}
	s.set(heldKey(h.number), data)
	s.keep(sp, h)
	res.Late += len(r.Memos)
	for _, m := range r.Memos {
		s.woken = append(s.woken, s.pending.wake(cause{r.Space, m.Author, m.Seq})...)
	}
	for in, author, over := s.excess(sp, r.Author()); over; in, author, over = s.excess(sp, r.Author()) {
		s.logger.Warn("too much is held back as late; what an author has of it is accepted",
			slog.Any("space", in.id), slog.Any("author", author))
		if err := s.releaseAll(in.id, []memo.Author{author}, res); err != nil {
			return err
		}
	}
	return nil
}

// release ends the hold of what is held of some authors up to these heads, and of what
// that depends on.
func (s *Store) release(space memo.SpaceID, heads []memo.Head, res *Result) error {
	upTo := map[memo.Author]uint64{}
	var free []heldRun
	for len(heads) > 0 {
		h := heads[len(heads)-1]
		heads = heads[:len(heads)-1]
		c := s.spaces[space].held[h.Author]
		if c == nil {
			continue
		}
		for _, r := range c.runs {
			if r.run.FirstSeq() > h.Seq {
				break
			}
			if r.run.Head().Seq <= upTo[h.Author] {
				continue
			}
			upTo[h.Author] = r.run.Head().Seq
			free = append(free, r)
			for _, m := range r.run.Memos {
				heads = append(heads, m.Deps...)
			}
		}
	}
	slices.SortFunc(free, func(a, b heldRun) int { return cmp.Compare(a.number, b.number) })
	for _, r := range free {
		if err := s.end(r, res); err != nil {
			return err
		}
	}
	return nil
}

// end does with a held run, the first of its chain, what would have been done when it
// came.
func (s *Store) end(h heldRun, res *Result) error {
	v, miss, reason := s.decide(h.run)
	switch v {
	case attachable:
		if err := s.attach(h.run, res); err != nil {
			return err
		}
	case waiting, parked, held: // it was revoked meanwhile
		if err := s.hold(h.run, v, miss, res); err != nil {
			return err
		}
	case refused:
		s.logger.Warn("dropped a run that was held back", slog.Any("cause", reason))
	case failed:
		return s.breakDown(reason)
	}
	s.drop(s.spaces[h.run.Space], h)
	return nil
}

// endCovered ends the holds that what was adopted covers.
func (s *Store) endCovered(sp *space, res *Result) error {
	var heads []memo.Head
	for a, c := range sp.held {
		if sp.sealed.Covers(a, c.runs[0].run.FirstSeq()) {
			heads = append(heads, c.head().Head())
		}
	}
	return s.release(sp.id, heads, res)
}

// loadHeld reads what was held when the index was last written. What attached since, or
// goes on from what a crash took, is dropped: peers are asked for it again.
func (s *Store) loadHeld() error {
	for it, err := range scan(s.kv, []byte{prefixHeld}) {
		if err != nil {
			return err
		}
		r, err := memo.DecodeRun(it.Value)
		if err != nil {
			return fmt.Errorf("%w: held run: %w", errIndex, err)
		}
		if sp := s.spaces[r.Space]; sp != nil && sp.mayKeep(r) {
			s.keep(sp, heldRun{number: binary.BigEndian.Uint64(it.Key[1:]), run: r, size: len(it.Value)})
		} else {
			s.del(slices.Clone(it.Key))
		}
	}
	return nil
}

// mayKeep reports whether r goes on from what is attached and held.
func (sp *space) mayKeep(r *memo.Run) bool {
	chain := sp.held[r.Author()]
	if _, lacks := sp.unheld(r); lacks {
		return false
	}
	if chain == nil {
		return sp.follows(r.Memos[0])
	}
	return r.FirstSeq() == chain.head().Seq+1 && !chain.parts(r)
}
