package store

import (
	"encoding/binary"
	"errors"

	"lightcone/memo"
	"lightcone/walfs"
)

// space is what the owner knows of one space. It belongs to the owner's
// goroutine; readers see the spaceView that freeze makes.
type space struct {
	id      memo.SpaceID
	genesis *memo.Memo // nil until it attaches, or is written here
	sealed  memo.Vector
	all     memo.Vector              // sealed and the tails
	tails   map[memo.Author]*tail    // own memos that wait for a seal
	forks   map[memo.Author]Fork     // of whom two branches are held; replaced, never changed
	proofs  map[accusation]memo.Mark // the first of each prover; replaced, never changed
	rights  *Rights                  // of a space of members; nil of an open one, and before the genesis
	lifted  lifted                   // beneath runs that stand
	changed bool                     // since the last freeze
	ruled   bool                     // rights changed since the last freeze
	moved   bool                     // sealed changed since the last freeze

	held      map[memo.Author]*heldChain
	heldMoved bool // held changed since the last freeze
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
		sp = &space{
			id: id, tails: map[memo.Author]*tail{}, forks: map[memo.Author]Fork{}, proofs: map[accusation]memo.Mark{}, held: map[memo.Author]*heldChain{}, changed: true,
		}
		s.spaces[id] = sp
	}
	return sp
}

// The three methods below record in memory and in the index what one record of
// the log means. Appending and replaying both go through them, after the same
// checks, so that both end in the same state.

// tookRun: a run of so many bytes attached; at is its record.
func (s *Store) tookRun(r *memo.Run, bytes int, at walfs.Placed) error {
	sp, head := s.space(r.Space), r.Head()
	branch := !sp.follows(r.Memos[0])
	var fresh []*memo.Memo
	for i, m := range r.Memos {
		news, err := s.settle(sp, m, place{at.Pos, uint64(i), m.ID()}, at)
		if err != nil {
			return s.breakDown(err)
		}
		if news { // else given back: its place stays where the log has it first
			s.touched(m, i, at)
			s.pinged(m)
			fresh = append(fresh, m)
		}
	}
	s.tookGenesis(sp, r.Memos[0])
	for _, m := range fresh {
		s.govern(sp, m)
	}
	if t := sp.tails[head.Author]; t != nil {
		s.dropTail(sp, t, r) // own memos whose seal was lost here came back sealed
	}
	if branch {
		s.tookBranch(sp, head.Author, bytes, at)
	}
	return s.attached(sp, r.Memos, runPlace{order: at.LSN, first: r.FirstSeq(), pos: at.Pos})
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
		s.set(authorKey(prefixOpen, sp.id, m.Author), binary.AppendUvarint(nil, m.Seq))
	}
	t.memos = append(t.memos, m)
	t.bytes += encoded
	sp.all.Add(memo.Mark{Head: m.Head(), Time: m.Time})
	sp.changed = true
}

// tookSeal: the tail of author was sealed; at is the seal's record.
func (s *Store) tookSeal(sp *space, author memo.Author, at walfs.Placed) error {
	memos := sp.tails[author].memos
	sp.tails[author].memos = nil
	return s.attached(sp, memos, runPlace{order: at.LSN, first: memos[0].Seq, pos: at.Pos})
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
		sp.rights, sp.lifted, sp.ruled = newRights(genesis, rules), nothingLifted(), true
	}
}

// attached joins the head of memos, a whole run, into the author's entry, and wakes
// what waited for them.
func (s *Store) attached(sp *space, memos []*memo.Memo, where runPlace) error {
	last := memos[len(memos)-1]
	head := memo.Mark{Head: last.Head(), Time: last.Time}
	had, _ := sp.sealed.Get(last.Author)
	if err := s.fileRun(sp, head, had, where); err != nil {
		return s.breakDown(err)
	}
	joined := had
	for _, m := range memos {
		joined = joined.Join(memo.Mark{Head: m.Head(), Time: m.Time})
	}
	if t := sp.tails[last.Author]; t != nil && len(t.memos) == 0 {
		delete(sp.tails, last.Author)
		s.del(authorKey(prefixOpen, sp.id, last.Author))
	}
	if joined != had {
		s.set(authorKey(prefixVector, sp.id, last.Author), encodeMark(joined))
		sp.sealed.Set(joined)
		sp.all.Add(joined)
		sp.moved = true
		if sp.rights != nil && sp.rights.revoked(last.Author) { // more places are open
			s.unpark(sp, last.Author)
		}
	}
	sp.changed = true
	s.tookProofs(sp, memos)
	for _, m := range memos {
		s.woken = append(s.woken, s.pending.wake(cause{sp.id, m.Author, m.Seq})...)
	}
	return nil
}

// fileRun notes where the run is that ends in mark. had is the author's entry
// before it.
func (s *Store) fileRun(sp *space, mark, had memo.Mark, where runPlace) error {
	if _, forked := sp.forks[mark.Author]; forked {
		s.setForkRun(sp, forkRun{mark: mark, first: where.first, pos: where.pos})
	}
	key := seqKey(prefixRun, sp.id, mark.Author, mark.Seq)
	if mark.Seq <= had.Seq {
		// Of several runs that end there the longest stays: so those that are filed
		// have every place up to the head (NextRun).
		if b, taken, err := s.kv.Get(key); err != nil || taken {
			old, bad := decodeRunPlace(b)
			if err = errors.Join(err, bad); err != nil || s.floor.above(old.pos) && old.first <= where.first {
				return err
			}
		}
	}
	s.set(key, where.encode())
	return nil
}

// dropTail removes the memos from the tail that came back in r. bytes stays, an
// upper bound.
func (s *Store) dropTail(sp *space, t *tail, r *memo.Run) {
	first := r.FirstSeq()
	for len(t.memos) > 0 {
		m := t.memos[0]
		if m.Seq < first || m.Seq > r.Head().Seq || r.Memos[m.Seq-first].ID() != m.ID() {
			break // what is behind another memo than the run has was forked
		}
		t.memos = t.memos[1:]
	}
	if len(t.memos) > 0 {
		s.set(authorKey(prefixOpen, sp.id, r.Author()), binary.AppendUvarint(nil, t.memos[0].Seq))
	}
}
