package store

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"

	"lightcone/memo"
	"lightcone/walfs"
)

// An author who forks its chain wrote several memos for one place: its chain has
// branches. All of them attach, by the same rules as any chain: a run when the memo
// before it is held, on whatever branch that is. The vector keeps the greatest head
// by (seq, digest), and covers by seq alone. So what a replica holds does not depend
// on which branch came first, and nobody's memos wait because somebody forked.

// Limits of what is kept of one author's branches in one space: runs that do not
// continue the greatest head. What comes beyond is not attached here, for good, and
// nobody is blamed for it: rows that such an author edits may then differ between
// peers until it is revoked; those of others do not.
const (
	MaxBranchRuns  = 1 << 16
	MaxBranchBytes = 64 << 20
)

// Fork says that an author forked its chain: two of its memos for one place are
// held here.
type Fork struct {
	Author memo.Author
	Seq    uint64 // the lowest such place
	Since  uint64 // LSN of the record that showed it
	Last   uint64 // LSN of the last run that did not continue the greatest head
	Runs   uint64 // how many of those there are
	Bytes  uint64 // and their size
}

// Full reports whether no more branches are kept.
func (f Fork) Full() bool { return f.Runs >= MaxBranchRuns || f.Bytes >= MaxBranchBytes }

func (f Fork) encode() []byte {
	var b []byte
	for _, n := range []uint64{f.Seq, f.Since, f.Last, f.Runs, f.Bytes} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func decodeFork(key, b []byte) (Fork, error) {
	k, f := fields{b: key[33:]}, fields{b: b}
	out := Fork{Author: memo.Author(k.id()), Seq: f.uint(), Since: f.uint(), Last: f.uint(), Runs: f.uint(), Bytes: f.uint()}
	return out, errors.Join(k.end(), f.end())
}

// holding tells whether a memo is held: by its digest, not only by its place.
type holding uint8

const (
	lacks holding = iota
	holds
	unknown // a state stands for the memos of that place
)

// holding looks a memo up among those of all branches. What was gathered for the
// index since the last commit it does not see.
func (s *Store) holding(sp *space, h memo.Head) (holding, error) {
	mark, _ := sp.all.Get(h.Author)
	if mark.Head == h {
		return holds, nil
	}
	if h.Seq == 0 || h.Seq > mark.Seq {
		return lacks, nil
	}
	v := s.glance(sp)
	p, err := v.place(sp.id, h.Author, h.Seq)
	switch {
	case errors.Is(err, ErrNoBody):
		w, _, err := v.voucher(sp.id, h.Author, h.Seq)
		if w.Head.Head == h {
			return holds, err
		}
		return unknown, err
	case err != nil:
		return lacks, err
	case p.id == h.ID:
		return holds, nil
	}
	_, ok, err := v.branchPlace(sp.id, h)
	if ok {
		return holds, err
	}
	return lacks, err
}

// glance is a view of one space as the owner has it now.
func (s *Store) glance(sp *space) *View {
	return &View{log: s.log, kv: s.kv, floor: s.floor, spaces: map[memo.SpaceID]*spaceView{
		sp.id: {genesis: sp.genesis, sealed: sp.sealed, all: sp.all, forks: sp.forks, proofs: sp.proofs},
	}}
}

// holdsRun reports whether a run that ends in h is held, or can be told to be of no
// use. An honest author never seals a memo twice, so that h is held will do; of a
// forked one all runs are kept from the fork on, so that peers can compare them.
func (s *Store) holdsRun(sp *space, h memo.Head) (bool, error) {
	if err := s.index(); err != nil { // what was gathered is to be found
		return false, err
	}
	have, err := s.holding(sp, h)
	if err != nil || have != holds {
		return have == unknown, err
	}
	if f, forked := sp.forks[h.Author]; !forked || h.Seq < f.Seq {
		return true, nil
	}
	_, ok, err := s.glance(sp).forkRun(sp.id, h.ID)
	return ok, err
}

// judgeBranch decides about a run that does not simply continue the greatest head,
// by its first memo. What that goes on from has to be sealed, as what is offered to
// peers is.
func (s *Store) judgeBranch(sp *space, first *memo.Memo) (verdict, memo.Head, error) {
	prev := memo.Head{Author: first.Author, Seq: first.Seq - 1, ID: first.Prev}
	if first.Seq > 1 {
		if have, err := s.holding(sp, prev); err != nil || have == lacks || sp.unsealed(prev) {
			return orFailed(waiting, err), prev, err
		}
	}
	if !sp.follows(first) && sp.forks[first.Author].Full() {
		return beyond, memo.Head{}, nil
	}
	return attachable, memo.Head{}, nil
}

func orFailed(v verdict, err error) verdict {
	if err != nil {
		return failed
	}
	return v
}

// follows reports whether first goes on from the greatest head of its author.
func (sp *space) follows(first *memo.Memo) bool {
	mark, _ := sp.sealed.Get(first.Author)
	return first.Seq == mark.Seq+1 && first.Prev == mark.ID
}

// continues reports whether r goes on from the greatest head of its author, with no
// own memos in doubt.
func (sp *space) continues(r *memo.Run) bool {
	return sp.follows(r.Memos[0]) && sp.tails[r.Author()] == nil
}

// unsealed reports whether h is an own memo that waits for its seal.
func (sp *space) unsealed(h memo.Head) bool {
	t := sp.tails[h.Author]
	return t != nil && slices.ContainsFunc(t.memos, func(m *memo.Memo) bool { return m.Head() == h })
}

// settle files one memo of a run under its place, or with the other branches if the
// place is taken. It returns false for a memo that is held already.
func (s *Store) settle(sp *space, m *memo.Memo, p place, at walfs.Placed) (bool, error) {
	if !sp.all.Covers(m.Author, m.Seq) {
		s.set(seqKey(prefixMemo, sp.id, m.Author, m.Seq), p.encode())
		return true, nil
	}
	have, err := s.holding(sp, m.Head())
	if err != nil || have == holds {
		return false, err
	}
	s.set(branchKey(sp.id, m.Head()), p.encode())
	if have == unknown {
		return true, nil // it may be the one that the state has
	}
	return true, s.noticeFork(sp, m, at)
}

// noticeFork notes that m came to a place that another memo of its author has.
func (s *Store) noticeFork(sp *space, m *memo.Memo, at walfs.Placed) error {
	f, known := sp.forks[m.Author]
	if known && f.Seq <= m.Seq {
		return nil
	}
	below := uint64(math.MaxUint64)
	if known {
		below = f.Seq
	}
	f.Author, f.Seq = m.Author, m.Seq
	if err := s.indexRuns(sp, f, below); err != nil {
		return err
	}
	if !known {
		f.Since = at.LSN
		s.logger.Warn("an author forked its chain: it wrote two memos for one place",
			slog.Any("author", m.Author), slog.Uint64("seq", m.Seq), slog.Any("space", sp.id))
	}
	s.setFork(sp, f)
	return nil
}

// setFork replaces what is known of a fork. Views keep the map they have.
func (s *Store) setFork(sp *space, f Fork) {
	sp.forks, sp.changed = maps.Clone(sp.forks), true
	sp.forks[f.Author] = f
	s.set(authorKey(prefixFork, sp.id, f.Author), f.encode())
}

// tookBranch counts a run that did not continue the greatest head.
func (s *Store) tookBranch(sp *space, author memo.Author, bytes int, at walfs.Placed) {
	if f, ok := sp.forks[author]; ok {
		f.Last, f.Runs, f.Bytes = at.LSN, f.Runs+1, f.Bytes+uint64(bytes)
		s.setFork(sp, f)
	}
}

// indexRuns files the runs of an author by their heads, from the fork to below
// another place.
func (s *Store) indexRuns(sp *space, f Fork, below uint64) error {
	for r, err := range s.glance(sp).chainRuns(sp.id, f.Author, f.Seq, below) {
		if err != nil {
			return err
		}
		s.setForkRun(sp, r)
	}
	return nil
}

func (s *Store) setForkRun(sp *space, r forkRun) {
	s.set(forkRunKey(sp.id, r.mark), r.encodeShort())
	s.set(blockKey(prefixRunID, sp.id, r.mark.ID), r.encode())
}

// accusation names an author who is proved to have forked, and who proved it.
type accusation struct{ author, prover memo.Author }

// tookProofs marks the authors whom sealed memos prove to have forked.
func (s *Store) tookProofs(sp *space, memos []*memo.Memo) {
	for _, m := range memos {
		p, ok := m.Body.(*memo.ForkProof)
		if !ok {
			continue
		}
		who := accusation{p.Author, m.Author}
		if old, ok := sp.proofs[who]; !ok || m.Seq < old.Seq {
			first := memo.Mark{Head: m.Head(), Time: m.Time}
			sp.proofs = maps.Clone(sp.proofs) // views keep the one they have
			sp.proofs[who] = first
			s.set(proofKey(sp.id, who), encodeMark(first))
		}
		s.mark(sp, p.Author)
	}
}

// mark says in the vectors that an author is proved to have forked. It has an entry:
// the proof depends on it.
func (s *Store) mark(sp *space, author memo.Author) {
	m, ok := sp.sealed.Get(author)
	if !ok || m.Forked {
		return
	}
	m.Forked = true
	sp.sealed.Set(m)
	s.set(authorKey(prefixVector, sp.id, author), encodeMark(m))
	sp.all.Add(m)
	sp.changed, sp.moved = true, true
}

// forked reports whether memos held here show that an author forked: two of one
// place, or a proof. A mark in an adopted state is somebody's word.
func (sp *space) forked(author memo.Author) bool {
	_, held := sp.forks[author]
	for who := range sp.proofs {
		held = held || who.author == author
	}
	return held
}

// loadForks reads what the index knows of forks.
func (s *Store) loadForks(sp *space) error {
	for it, err := range scan(s.kv, spaceKey(prefixFork, sp.id)) {
		if err != nil {
			return err
		}
		f, err := decodeFork(it.Key, it.Value)
		if err != nil {
			return err
		}
		sp.forks[f.Author] = f
	}
	for it, err := range scan(s.kv, spaceKey(prefixProof, sp.id)) {
		if err != nil {
			return err
		}
		m, err := decodeMark(it.Key[32:], it.Value)
		if err != nil {
			return err
		}
		sp.proofs[accusation{memo.Author(it.Key[33:65]), m.Author}] = m
	}
	return nil
}
