package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/walfs"
)

// sweepBatch is how many index entries Compact deletes at once.
const sweepBatch = 4096

// Checkpoint is the own state of a space, to be kept in place of its memos.
type Checkpoint struct {
	Space memo.SpaceID
	Root  memo.ID // of the encoded merge.Root of View.Vector
	Self  memo.Author
	Rows  iter.Seq2[merge.KeyedRow, error] // all rows, ascending by key
}

// Compacted is what a compaction did.
type Compacted struct {
	LSN    uint64 // of its last record
	First  uint64 // with which the log begins now; segments go as a whole, and not under a reader
	Before int64  // bytes of log before it
	After  int64  // and after
}

// floor is where the log begins to be of use: the first part of the first
// checkpoint of the last compaction. What is before it is not held any more, whether
// it is still in the log or not.
type floor struct {
	lsn uint64
	pos walfs.Position
}

// before returns the LSN of the last record below the floor, 0 if there is none.
func (f floor) before() uint64 { return max(f.lsn, 1) - 1 }

// above reports whether a record is held.
func (f floor) above(p walfs.Position) bool {
	return p.Segment > f.pos.Segment || p.Segment == f.pos.Segment && p.Offset >= f.pos.Offset
}

func (f floor) encode() []byte { return appendPosition(binary.AppendUvarint(nil, f.lsn), f.pos) }

func decodeFloor(b []byte) (floor, error) {
	f := fields{b: b}
	return floor{lsn: f.uint(), pos: f.position()}, f.end()
}

// Compact writes a checkpoint of every space that has memos, syncs, and deletes
// the log before it: the bodies of the memos are gone here then, all but those of
// the run with the genesis, and ErrNoBody tells who asks for them. Vectors, seals of
// heads and rows stay. The log is shared, so a space whose rules keep bodies
// (ErrTrust) keeps those of all.
//
// A crash leaves all of it or nothing. Records that a Feed or the like still reads
// stay in the log until the next compaction.
func (s *Store) Compact(cs []Checkpoint) (Compacted, error) {
	out := Compacted{Before: s.log.Size()}
	if err := s.Ready(); err != nil {
		return out, err
	}
	if err := s.mayCompact(cs); err != nil {
		return out, err
	}
	first := s.log.Last() + 1
	var done []taken
	for i, c := range cs {
		begun, d := uint64(0), walfs.None
		if i == len(cs)-1 {
			begun, d = first, walfs.Group
		}
		t, err := s.writeCheckpoint(d, c, begun)
		if err != nil {
			return out, err
		}
		done = append(done, t)
	}
	if err := s.tookCompaction(first, done); err != nil {
		return out, err
	}
	out.LSN = done[len(done)-1].at.LSN
	// The index must reach the floor before the log loses what is below.
	if err := errors.Join(s.commit(), s.Checkpoint()); err != nil {
		return out, err
	}
	err := s.dropBelow()
	out.First, out.After = s.log.First(), s.log.Size()
	return out, err
}

// mayCompact refuses what would lose something.
func (s *Store) mayCompact(cs []Checkpoint) error {
	if len(cs) == 0 {
		return fmt.Errorf("%w: no space to compact", ErrNotAttachable)
	}
	given := map[memo.SpaceID]bool{}
	for _, c := range cs {
		if given[c.Space] || s.spaces[c.Space] == nil {
			return fmt.Errorf("%w: checkpoint of space %s", ErrUnknownSpace, c.Space)
		}
		given[c.Space] = true
	}
	for _, id := range s.Spaces() {
		sp := s.spaces[id]
		if sp.genesis == nil {
			continue // nothing of it is in the log
		}
		if err := sp.adopts(); err != nil {
			return err
		}
		if !given[id] || len(sp.tails) > 0 {
			return fmt.Errorf("%w: space %s has no checkpoint, or memos that are not sealed", ErrNotAttachable, id)
		}
	}
	return nil
}

// taken is a checkpoint that was written.
type taken struct {
	Adopted
	heads []SealedMark
	at    walfs.Placed
}

func (s *Store) writeCheckpoint(d walfs.Durability, c Checkpoint, begun uint64) (taken, error) {
	v, sp := s.View(), s.spaces[c.Space]
	run, err := v.genesisRun(c.Space)
	if err != nil {
		return taken{}, fmt.Errorf("genesis of space %s: %w", c.Space, err)
	}
	var heads []SealedMark
	for m := range sp.sealed.All() {
		seal, ok, err := v.Seal(c.Space, m.Author, m.Seq)
		if err != nil || !ok {
			return taken{}, fmt.Errorf("seal of %s (%v): %w", m.Head, ok, err)
		}
		heads = append(heads, SealedMark{m, seal})
	}
	a, at, err := s.appendAdoption(d, walfs.KindCheckpoint, Adoption{Space: c.Space, Root: c.Root, From: c.Self, Rows: c.Rows},
		heads, adoptCommit{Genesis: memo.Bytes(run)}, begun)
	return taken{a, heads, at}, err
}

// genesisRun returns the run that begins the space.
func (v *View) genesisRun(space memo.SpaceID) ([]byte, error) {
	g, ok := v.Genesis(space)
	if !ok {
		return nil, ErrNoRun
	}
	_, last, ok, err := v.NextRun(space, g.Author, 0)
	if err != nil || !ok {
		return nil, errors.Join(ErrNoRun, err)
	}
	return v.Run(space, g.Author, last)
}

// tookCompaction: the checkpoints were written, beginning with the record first.
func (s *Store) tookCompaction(first uint64, done []taken) error {
	at, err := s.log.Seek(first)
	if err != nil {
		return fmt.Errorf("find record %d: %w", first, err)
	}
	s.floor = floor{first, at}
	s.set([]byte(floorKey), s.floor.encode())
	for _, t := range done {
		if err := s.tookCheckpoint(t); err != nil {
			return err
		}
	}
	for _, sp := range s.spaces {
		sp.changed = true
	}
	return nil
}

// tookCheckpoint: memos of the space are kept in the form of t, but for those of
// the run that begins it, which lies in t's record.
func (s *Store) tookCheckpoint(t taken) error {
	r, err := memo.DecodeRun([]byte(t.commit.Genesis))
	if err != nil || r.Space != t.commit.Space || r.Memos[0].Kind() != memo.KindGenesis {
		return fmt.Errorf("%w: record %d does not hold the genesis of space %s: %w", ErrBadLog, t.LSN, t.commit.Space, err)
	}
	sp := s.space(r.Space)
	for i, m := range r.Memos {
		s.set(seqKey(prefixMemo, sp.id, m.Author, m.Seq), place{t.at.Pos, uint64(i), m.ID()}.encode())
	}
	head := r.Head()
	// It comes before what the heads of the checkpoint keep from being handed on.
	s.set(seqKey(prefixRun, sp.id, head.Author, head.Seq), runPlace{order: t.first(), first: 1, pos: t.at.Pos}.encode())
	s.tookGenesis(sp, r.Memos[0])
	s.tookAdoption(t.Adopted, t.heads, t.at)
	return nil
}

// redoCompaction takes in the compaction that the record e ends.
func (s *Store) redoCompaction(e walfs.Entry) error {
	last, err := decodeCommit(e)
	if err != nil || last.Behind == 0 {
		return err // one of several; the last of them counts, if it was written
	}
	var done []taken
	first := e.LSN - last.Behind
	for e, err := range entries(s.log, first, e.LSN+1) {
		if err != nil {
			return err
		}
		if e.Kind != walfs.KindCheckpoint {
			continue
		}
		t := taken{at: walfs.Placed{LSN: e.LSN, Pos: e.Pos}}
		if t.Adopted, err = adoptedBy(s.log, e); err != nil {
			return err
		}
		for h, err := range t.Heads() {
			if err != nil {
				return err
			}
			t.heads = append(t.heads, h)
		}
		done = append(done, t)
	}
	return s.tookCompaction(first, done)
}

// findFloor looks for the last compaction in the log.
func (s *Store) findFloor() (floor, error) {
	first, last := s.log.First(), s.log.Last()
	var lsn uint64
	for e, err := range entries(s.log, first, last+1) {
		if err != nil {
			return floor{}, err
		}
		if e.Kind != walfs.KindCheckpoint {
			continue
		}
		c, err := decodeCommit(e)
		if err != nil {
			return floor{}, err
		}
		if c.Behind > 0 && e.LSN-c.Behind >= first {
			lsn = e.LSN - c.Behind
		}
	}
	if lsn == 0 {
		return floor{}, nil
	}
	at, err := s.log.Seek(lsn)
	return floor{lsn, at}, err
}

// prune deletes the segments below the floor that nobody reads.
func (s *Store) prune() error {
	s.log.Checkpoint(s.floor.before())
	if _, err := s.log.Prune(s.floor.lsn); err != nil {
		return s.stopped(fmt.Errorf("prune the log: %w", err))
	}
	return nil
}

// dropBelow deletes what is below the floor from the log and the index.
func (s *Store) dropBelow() error {
	if err := s.prune(); err != nil {
		return err
	}
	for prefix, held := range map[byte]func(it Item) (bool, error){
		prefixMemo: func(it Item) (bool, error) {
			p, err := decodePlace(it.Value)
			return s.floor.above(p.pos), err
		},
		prefixRun: func(it Item) (bool, error) {
			p, err := decodeRunPlace(it.Value)
			return s.floor.above(p.pos), err
		},
		prefixBranch: func(it Item) (bool, error) {
			p, err := decodePlace(it.Value)
			return s.floor.above(p.pos), err
		},
		prefixForkRun: func(it Item) (bool, error) {
			f := fields{b: it.Value}
			f.uint()
			return s.floor.above(f.position()), f.end()
		},
		prefixRunID: func(it Item) (bool, error) {
			r, err := decodeForkRun(memo.ID(it.Key[33:]), it.Value)
			return s.floor.above(r.pos), err
		},
		prefixTouched: func(it Item) (bool, error) { return placeOf(it.Key).LSN >= s.floor.lsn, nil },
		prefixAdopted: func(it Item) (bool, error) {
			h, err := decodeAdoptedHead(it.Value)
			return h.order >= s.floor.lsn, err
		},
	} {
		if err := s.sweep(prefix, held); err != nil {
			return err
		}
	}
	return nil
}

// sweep deletes the entries of one sort that are not held.
func (s *Store) sweep(prefix byte, held func(Item) (bool, error)) error {
	for from, end := []byte{prefix}, afterAll([]byte{prefix}); from != nil; {
		var garbage []Item
		next := from
		from = nil
		for it, err := range s.kv.Scan(next, end) {
			if err != nil {
				return s.breakDown(err)
			}
			keep, err := held(it)
			if err != nil {
				return err
			}
			if keep {
				continue
			}
			if garbage = append(garbage, Item{Key: bytes.Clone(it.Key)}); len(garbage) == sweepBatch {
				from = garbage[sweepBatch-1].Key
				break
			}
		}
		if err := s.kv.Apply(garbage); err != nil {
			return s.breakDown(err)
		}
	}
	return nil
}
