package store

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// runOverhead bounds what a run has besides its memos, each of which is shorter
// in a run than alone: version, space, author, first seq, prev, seal, lengths.
const runOverhead = 256

// AppendOwn appends memos of this replica: consecutive ones of one author, that
// extend its chain and whose deps are attached, else ErrNotAttachable and nothing
// is written. They show in View.All at once. A seal is of the last memo and makes
// one run of all memos since the seal before; it is appended together with them
// and synced whatever d says, since sealed memos are offered to peers. Without a
// seal d decides. The genesis of a new space adds the space.
//
// ErrFull: the disk has no room, nothing was written. ErrUnsure: the memos may be
// in the log all the same. Any other error means that they are not.
//
// A run has room for memo.MaxRunMemos memos: ErrRunFull asks for SealOwn first.
func (s *Store) AppendOwn(d walfs.Durability, memos []*memo.Memo, seal *memo.Seal) ([]Placed, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	recs, err := s.ownRecords(memos)
	if err != nil {
		return nil, err
	}
	space, head := memos[0].SpaceID(), memos[len(memos)-1].Head()
	if seal != nil {
		rec, err := sealRecord(space, head, *seal)
		if err != nil {
			return nil, err
		}
		if recs = append(recs, rec); d != walfs.Each {
			d = walfs.Group
		}
	}
	at, err := s.append(d, recs...)
	if err != nil {
		return nil, err
	}
	placed := make([]Placed, len(memos))
	for i, m := range memos {
		placed[i] = Placed{at[i].LSN, m}
		s.tookOwn(m, len(recs[i].Data), at[i])
	}
	if seal != nil {
		if err := s.tookSeal(s.space(space), head.Author, at[len(memos)]); err != nil {
			return placed, fmt.Errorf("%w: %w", ErrUnsure, err)
		}
	}
	if err := s.commit(); err != nil {
		return placed, fmt.Errorf("%w: %w", ErrUnsure, err)
	}
	return placed, nil
}

// SealOwn seals all unsealed memos of author, the last of which seal signs, and
// syncs. From then on View.Vector covers them.
func (s *Store) SealOwn(space memo.SpaceID, author memo.Author, seal memo.Seal) error {
	if s.broken != nil {
		return s.broken
	}
	unsealed := s.Unsealed(space, author)
	if len(unsealed) == 0 {
		return fmt.Errorf("%w: author %s", ErrNoUnsealed, author)
	}
	rec, err := sealRecord(space, unsealed[len(unsealed)-1].Head(), seal)
	if err != nil {
		return err
	}
	at, err := s.append(walfs.Group, rec)
	if err != nil {
		return err
	}
	return errors.Join(s.tookSeal(s.spaces[space], author, at[0]), s.commit())
}

// Unsealed returns the author's memos behind its last seal, in order.
func (s *Store) Unsealed(space memo.SpaceID, author memo.Author) []*memo.Memo {
	sp := s.spaces[space]
	if sp == nil || sp.tails[author] == nil {
		return nil
	}
	return append([]*memo.Memo(nil), sp.tails[author].memos...)
}

// ownRecords checks memos for AppendOwn and encodes them.
func (s *Store) ownRecords(memos []*memo.Memo) ([]walfs.Record, error) {
	if len(memos) == 0 {
		return nil, fmt.Errorf("%w: no memos", ErrNotAttachable)
	}
	sp := s.spaces[memos[0].SpaceID()]
	if sp == nil {
		if memos[0].Kind() != memo.KindGenesis {
			return nil, fmt.Errorf("%w: %s", ErrUnknownSpace, memos[0].Space)
		}
		sp = &space{id: memos[0].SpaceID()}
	}
	mark, _ := sp.all.Get(memos[0].Author)
	if sp.forked(mark.Author) {
		return nil, fmt.Errorf("%w: author %s", ErrOwnFork, mark.Author)
	}
	head := memo.Head{Author: memos[0].Author, Seq: mark.Seq, ID: mark.ID}
	count, size := len(memos), runOverhead
	if t := sp.tails[head.Author]; t != nil {
		count, size = count+len(t.memos), size+t.bytes
	}
	recs := make([]walfs.Record, 0, len(memos)+1)
	for _, m := range memos {
		if err := sp.extends(head, m); err != nil {
			return nil, err
		}
		data, err := m.Encode()
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.Head(), err)
		}
		size += len(data)
		head = m.Head()
		recs = append(recs, walfs.Record{Kind: walfs.KindOwnMemo, Data: data})
	}
	most := memo.MaxRunBytes
	if count == 1 && memos[0].Kind() == memo.KindForkProof {
		most = memo.MaxForkProofRun
	}
	if count > memo.MaxRunMemos || size > most {
		return nil, fmt.Errorf("%w: %d memos and %d bytes, the limits are %d and %d",
			ErrRunFull, count, size, memo.MaxRunMemos, most)
	}
	return recs, nil
}

// extends reports whether m may follow head in an own chain.
func (sp *space) extends(head memo.Head, m *memo.Memo) error {
	if m.SpaceID() != sp.id || m.Author != head.Author || m.Seq != head.Seq+1 || m.Prev != head.ID {
		return fmt.Errorf("%w: %s does not follow %s", ErrNotAttachable, m.Head(), head)
	}
	if miss, ok := sp.missing(m); ok {
		return fmt.Errorf("%w: %s depends on %s, which is not attached", ErrNotAttachable, m.Head(), miss)
	}
	if err := m.Known(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAttachable, err)
	}
	if err := errors.Join(sp.admits(m), sp.mayAppend(m)); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAttachable, err)
	}
	return nil
}

// ownSeal is the data of a KindOwnSeal record.
type ownSeal struct {
	_      struct{} `cbor:",toarray"`
	Space  memo.SpaceID
	Author memo.Author
	Seq    uint64
	ID     memo.ID
	Seal   memo.Seal
}

// sealRecord verifies the seal of head and encodes it. A bad seal in the log
// would make every later memo of the chain worthless to others.
func sealRecord(space memo.SpaceID, head memo.Head, seal memo.Seal) (walfs.Record, error) {
	if err := memo.VerifySeal(space, head, seal); err != nil {
		return walfs.Record{}, err
	}
	data, err := memo.Marshal(ownSeal{Space: space, Author: head.Author, Seq: head.Seq, ID: head.ID, Seal: seal})
	if err != nil {
		return walfs.Record{}, fmt.Errorf("encode seal of %s: %w", head, err)
	}
	return walfs.Record{Kind: walfs.KindOwnSeal, Data: data}, nil
}
