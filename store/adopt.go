package store

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// Adoption is a state to be joined on the word of the peer who announced its root.
type Adoption struct {
	Space        memo.SpaceID
	Root         memo.ID     // of the encoded merge.Root
	From         memo.Author // who vouches for it
	Announcement []byte      // as he signed it; nil: none
	// Heads are the entries of the root's vector, in any order, with their authors'
	// seals, which were verified. Those that are not ahead of the own cut may be left
	// out; without the others the own cut would not be closed under causes.
	Heads []SealedMark
	// Rows are what the root's state has beyond the own rows, ascending by key.
	Rows iter.Seq2[merge.KeyedRow, error]
}

// Adopt joins a state: its rows are in the log, synced, before it returns, and
// View.Vector covers what the root covers, though the bodies of the memos are not
// held. ErrNoBody tells whoever asks for one. Pending runs that this frees are
// attached, as by Attach.
//
// A root that is not ahead of the own cut is no error: nothing is written, and the
// LSN is 0. Spaces whose genesis does not say that states are adopted are
// ErrTrust. Of a forked author the greater head counts, as ever.
func (s *Store) Adopt(a Adoption) (Adopted, Result, error) {
	var res Result
	if err := s.Ready(); err != nil {
		return Adopted{}, res, err
	}
	heads, err := s.advances(a)
	if err != nil || len(heads) == 0 {
		return Adopted{}, res, err
	}
	out, at, err := s.appendAdoption(walfs.Group, walfs.KindAdopt, a, heads, adoptCommit{}, 0)
	if err != nil {
		return Adopted{}, res, err
	}
	s.tookAdoption(out, heads, at)
	if err = s.endCovered(s.spaces[a.Space], &res); err == nil {
		err = s.attachWoken(&res)
	}
	return out, res, errors.Join(err, s.commit())
}

// advances returns the heads of a that are ahead of the own cut, ascending by
// author, after making sure that they may be joined.
func (s *Store) advances(a Adoption) ([]SealedMark, error) {
	sp := s.spaces[a.Space]
	if sp == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownSpace, a.Space)
	}
	if err := sp.adopts(); err != nil {
		return nil, err
	}
	if len(a.Announcement) > maxAnnouncement {
		return nil, fmt.Errorf("%w: an announcement of %d bytes, the limit is %d", ErrNotAttachable, len(a.Announcement), maxAnnouncement)
	}
	var heads []SealedMark
	for _, h := range a.Heads {
		mark, _ := sp.sealed.Get(h.Author)
		switch {
		case h.Seq == 0 || h.ID.IsZero():
			return nil, fmt.Errorf("%w: %s is no head", ErrNotAttachable, h.Head)
		case mark.Join(h.Mark) == mark:
			continue
		case sp.tails[h.Author] != nil:
			return nil, fmt.Errorf("%w: the root has %s, and own memos of that chain are not sealed yet", ErrNotAttachable, h.Head)
		}
		heads = append(heads, h)
	}
	slices.SortFunc(heads, func(a, b SealedMark) int { return a.Author.Compare(b.Author) })
	for i := 1; i < len(heads); i++ {
		if heads[i].Author == heads[i-1].Author {
			return nil, fmt.Errorf("%w: two heads of author %s", ErrNotAttachable, heads[i].Author)
		}
	}
	return heads, nil
}

// adopts returns nil if the rules of the space let a state stand for memos.
func (sp *space) adopts() error {
	if sp.genesis == nil {
		return fmt.Errorf("%w: the genesis of space %s has not come yet", ErrNotAttachable, sp.id)
	}
	g, ok := sp.genesis.Body.(*memo.Genesis)
	switch {
	case !ok || g.Trust != memo.Adopt:
		return fmt.Errorf("%w: space %s", ErrTrust, sp.id)
	case g.Rights != memo.Open:
		return fmt.Errorf("%w: this version cannot check the rights of a members space", ErrNotAttachable)
	}
	return nil
}

// appendAdoption writes the parts and the commit, with what c says beside them. begun
// is the first record of the compaction that it ends, 0 if it ends none.
func (s *Store) appendAdoption(d walfs.Durability, kind walfs.Kind, a Adoption, heads []SealedMark, c adoptCommit, begun uint64) (Adopted, walfs.Placed, error) {
	none := walfs.Placed{}
	w := newPartWriter(a.Space, func(data []byte) error {
		_, err := s.append(walfs.None, walfs.Record{Kind: walfs.KindBlock, Data: data})
		return err
	})
	for _, h := range heads {
		if err := w.head(h); err != nil {
			return Adopted{}, none, err
		}
	}
	for r, err := range a.Rows {
		if err == nil {
			err = w.row(r.Key, r.State)
		}
		if err != nil {
			return Adopted{}, none, err
		}
	}
	if err := w.flush(); err != nil {
		return Adopted{}, none, err
	}
	c.Version, c.Space, c.Root, c.From, c.Announcement = adoptVersion, a.Space, a.Root, a.From, memo.Bytes(a.Announcement)
	c.Parts, c.Heads, c.Rows = w.parts, w.heads, w.rows
	if begun > 0 {
		c.Behind = s.log.Last() + 1 - begun
	}
	data, err := memo.Marshal(c)
	if err != nil {
		return Adopted{}, none, fmt.Errorf("encode adoption: %w", err)
	}
	at, err := s.append(d, walfs.Record{Kind: kind, Data: data})
	if err != nil {
		return Adopted{}, none, err
	}
	return Adopted{LSN: at[0].LSN, Own: kind == walfs.KindCheckpoint, log: s.log, commit: c}, at[0], nil
}

// tookAdoption: heads were adopted by the record at, which commits a.
func (s *Store) tookAdoption(a Adopted, heads []SealedMark, at walfs.Placed) {
	sp := s.space(a.commit.Space)
	for _, h := range heads {
		s.set(seqKey(prefixAdopted, sp.id, h.Author, h.Seq), adoptedHead{at.LSN, h.Time, h.ID, a.commit.From, h.Seal}.encode())
		had, _ := sp.sealed.Get(h.Author)
		joined := had.Join(h.Mark)
		if joined == had {
			continue // of a checkpoint
		}
		s.set(authorKey(prefixVector, sp.id, h.Author), encodeMark(joined))
		sp.sealed.Set(joined)
		sp.all.Add(joined)
		sp.moved = true
	}
	sp.changed = true
	if sp.moved {
		s.woken = append(s.woken, s.pending.wakeCovered(sp.id, sp.sealed)...)
	}
}

// redoAdoption takes in the adoption that the record e commits.
func (s *Store) redoAdoption(e walfs.Entry) error {
	a, err := adoptedBy(s.log, e)
	if err != nil {
		return err
	}
	var heads []SealedMark
	for h, err := range a.Heads() {
		if err != nil {
			return err
		}
		heads = append(heads, h)
	}
	ahead, err := s.advances(Adoption{Space: a.commit.Space, Heads: heads})
	if err != nil || len(ahead) != len(heads) {
		return fmt.Errorf("%w: an adoption that did not advance: %w", ErrBadLog, err)
	}
	s.tookAdoption(a, heads, walfs.Placed{LSN: e.LSN, Pos: e.Pos})
	return nil
}
