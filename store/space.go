package store

import (
	"lightcone/memo"
	"lightcone/walfs"
)

// space is what the owner knows of one space. It belongs to the owner's
// goroutine; readers see the spaceView that freeze makes.
type space struct {
	id      memo.SpaceID
	genesis *memo.Memo // nil until it attaches, or is written here
	sealed  memo.Vector
	all     memo.Vector            // sealed and the tails
	tails   map[memo.Author]*tail  // own memos that wait for a seal
	rights  *Rights                // of a space of members; nil of an open one, and before the genesis
	lifted  map[memo.Author]uint64 // of revoked authors: memos up to here are beneath one that stands
	changed bool                   // since the last freeze
	ruled   bool                   // rights changed since the last freeze
	moved   bool                   // sealed changed since the last freeze
}

// tail is the end of an own chain, behind its last seal.
type tail struct {
	memos []*memo.Memo
	bytes int // of the memos, encoded one by one
}

// space returns the space, and adds it when it is new.
func (s *Store) space(id memo.SpaceID) *space {
	sp := s.spaces[id]
	if sp == nil {
		sp = &space{id: id, tails: map[memo.Author]*tail{}, changed: true}
		s.spaces[id] = sp
	}
	return sp
}

// The three methods below record in memory and in the index what one record of
// the log means. Appending and replaying both go through them, after the same
// checks, so that both end in the same state.

// tookRun: a run attached; at is its record.
func (s *Store) tookRun(r *memo.Run, at walfs.Placed) {
	sp, head := s.space(r.Space), r.Head()
	for i, m := range r.Memos {
		if sp.all.Covers(m.Author, m.Seq) {
			continue // given back: its place stays where the log has it first
		}
		s.set(seqKey(prefixMemo, sp.id, m.Author, m.Seq), place{at.Pos, uint64(i), m.ID()}.encode())
		s.touched(m, i, at)
		s.pinged(m)
	}
	s.tookGenesis(sp, r.Memos[0])
	for _, m := range r.Memos {
		if !sp.all.Covers(m.Author, m.Seq) {
			s.govern(sp, m)
		}
	}
	if t := sp.tails[head.Author]; t != nil {
		t.drop(head.Seq) // own memos whose seal was lost here came back sealed
	}
	s.attached(sp, r.Memos, runPlace{order: at.LSN, first: r.FirstSeq(), pos: at.Pos})
}

// tookOwn: an own memo was appended; encoded is its length.
func (s *Store) tookOwn(m *memo.Memo, encoded int, at walfs.Placed) {
	sp := s.space(m.SpaceID())
	s.set(seqKey(prefixMemo, sp.id, m.Author, m.Seq), place{at.Pos, 0, m.ID()}.encode())
	s.touched(m, 0, at)
	s.pinged(m)
	s.tookGenesis(sp, m)
	s.govern(sp, m)
	t := sp.tails[m.Author]
	if t == nil {
		t = &tail{}
		sp.tails[m.Author] = t
		s.set(authorKey(prefixOpen, sp.id, m.Author), []byte{})
	}
	t.memos = append(t.memos, m)
	t.bytes += encoded
	sp.all.Add(memo.Mark{Head: m.Head(), Time: m.Time})
	sp.changed = true
}

// tookSeal: the tail of author was sealed; at is the seal's record.
func (s *Store) tookSeal(sp *space, author memo.Author, at walfs.Placed) {
	memos := sp.tails[author].memos
	sp.tails[author].memos = nil
	s.attached(sp, memos, runPlace{order: at.LSN, first: memos[0].Seq, pos: at.Pos})
}

func (s *Store) tookGenesis(sp *space, m *memo.Memo) {
	if m.Kind() == memo.KindGenesis {
		sp.begins(m)
		s.set(spaceKey(prefixGenesis, sp.id), m.Author[:])
	}
}

// begins takes the rules of the space from its genesis.
func (sp *space) begins(genesis *memo.Memo) {
	sp.genesis = genesis
	if rules, ok := genesis.Body.(*memo.Genesis); ok && rules.Rights == memo.Members && sp.rights == nil {
		sp.rights, sp.lifted, sp.ruled = newRights(genesis, rules), map[memo.Author]uint64{}, true
	}
}

// attached moves the author's head behind memos, a whole run, and wakes what
// waited for them.
func (s *Store) attached(sp *space, memos []*memo.Memo, where runPlace) {
	last := memos[len(memos)-1]
	mark, _ := sp.sealed.Get(last.Author)
	for _, m := range memos {
		mark = mark.Join(memo.Mark{Head: m.Head(), Time: m.Time})
	}
	s.set(seqKey(prefixRun, sp.id, last.Author, last.Seq), where.encode())
	s.set(authorKey(prefixVector, sp.id, last.Author), encodeMark(mark))
	if t := sp.tails[last.Author]; t != nil && len(t.memos) == 0 {
		delete(sp.tails, last.Author)
		s.del(authorKey(prefixOpen, sp.id, last.Author))
	}
	sp.sealed.Set(mark)
	if !sp.all.Covers(last.Author, last.Seq) {
		sp.all.Set(mark)
	}
	sp.changed, sp.moved = true, true
	for _, m := range memos {
		s.woken = append(s.woken, s.pending.wake(cause{sp.id, m.Author, m.Seq})...)
	}
}

// drop removes the memos up to seq. bytes stays, an upper bound.
func (t *tail) drop(seq uint64) {
	for len(t.memos) > 0 && t.memos[0].Seq <= seq {
		t.memos = t.memos[1:]
	}
}
