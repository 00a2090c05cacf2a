package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"

	"lightcone/memo"
	"lightcone/walfs"
)

// replayBatch is how many records Open replays into the index at once.
const replayBatch = 1 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// recover brings memory and index to where the log ends. An index that does not
// serve is emptied and built anew, once.
func (s *Store) recover(o Options) error {
	err := s.catchUp(o)
	if errors.Is(err, errIndex) {
		if _, err := s.rebuildFrom(); err != nil { // leave what there is
			return err
		}
		s.logger.Warn("rebuilding the index from the log", slog.Any("cause", err))
		if err := s.kv.Clear(); err != nil {
			return fmt.Errorf("empty the index: %w", err)
		}
		err = s.catchUp(o)
	}
	if err != nil {
		return err
	}
	s.flushed = s.log.Size()
	s.publish()
	return s.prune() // a crash may have come before it
}

func (s *Store) catchUp(o Options) error {
	s.spaces, s.woken, s.batch = map[memo.SpaceID]*space{}, nil, nil
	s.last, s.floor, s.broken = walfs.Entry{}, floor{}, nil
	s.pending = newPending(o.MaxPendingRuns, o.MaxPendingBytes)
	s.quarantine = quarantine{
		late: s.quarantine.late, next: 1, most: heldBounds{MaxHeldAuthorRuns, MaxHeldAuthorBytes, MaxHeldRuns, MaxHeldBytes},
	}
	applied, err := s.loadState()
	if err == nil {
		applied, err = s.loadFloor(applied)
	}
	if err != nil {
		return err
	}
	if err := s.loadSpaces(); err != nil {
		return err
	}
	if err := s.replayIndex(applied); err != nil {
		return err
	}
	if err := s.loadHeld(); err != nil {
		return err
	}
	if err := s.loadPending(); err != nil {
		return err
	}
	return s.index()
}

// loadState returns the LSN the index reaches, after making sure that it belongs
// to this log.
func (s *Store) loadState() (uint64, error) {
	b, ok, err := s.kv.Get([]byte(stateKey))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errIndex, err)
	}
	if !ok {
		for range scan(s.kv, []byte{prefixMemo}) {
			return 0, fmt.Errorf("%w: it does not say how far it reaches", errIndex)
		}
		return 0, nil
	}
	st, err := decodeState(b)
	if err != nil {
		return 0, err
	}
	if last := s.log.Last(); st.durable > last {
		return 0, fmt.Errorf("%w (the index knows record %d to be on the disk, the log ends at %d)",
			ErrLogBehind, st.durable, last)
	}
	// Behind the durable mark a power cut may have taken records that the index
	// saw: it is ahead of the log then, or of another one that took its place.
	e, err := s.log.ReadAt(st.pos)
	if err != nil {
		return 0, fmt.Errorf("%w: it reaches to record %d: %w", errIndex, st.applied, err)
	}
	if e.LSN != st.applied || checksum(e.Data) != st.sum {
		return 0, fmt.Errorf("%w: record %d is another one in the log", errIndex, st.applied)
	}
	s.last = e
	return st.applied, nil
}

// loadFloor reads or, for an empty index, looks for the floor of the log, and returns
// the LSN behind which to replay.
func (s *Store) loadFloor(applied uint64) (uint64, error) {
	if applied > 0 {
		b, ok, err := s.kv.Get([]byte(floorKey))
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errIndex, err)
		}
		if ok {
			s.floor, err = decodeFloor(b)
		}
		return applied, err
	}
	var err error
	s.floor, err = s.rebuildFrom()
	return s.floor.before(), err
}

// rebuildFrom returns where in the log an index can be rebuilt from.
func (s *Store) rebuildFrom() (floor, error) {
	f, err := s.findFloor()
	if err != nil {
		return floor{}, fmt.Errorf("look for a checkpoint: %w", err)
	}
	if first := s.log.First(); first > 1 && f.lsn == 0 {
		return floor{}, fmt.Errorf("rebuild the index: %w: it begins with record %d, and no checkpoint is in it; restore the kv "+
			"directory from a copy that goes with this log, or start with a new directory and fetch everything from peers", ErrPruned, first)
	}
	return f, nil
}

// loadSpaces reads the cuts and the unsealed own memos.
func (s *Store) loadSpaces() error {
	for it, err := range scan(s.kv, []byte{prefixGenesis}) {
		if err != nil {
			return err
		}
		id, author := memo.SpaceID(it.Key[1:]), memo.Author(it.Value)
		sp := s.space(id)
		entry, _, err := s.kv.Get(seqKey(prefixMemo, id, author, 1))
		if err != nil {
			return fmt.Errorf("%w: %w", errIndex, err)
		}
		genesis, _, err := s.load(entry)
		if err != nil {
			return err
		}
		sp.begins(genesis)
		if err := s.loadRights(sp); err != nil {
			return err
		}
		for it, err := range scan(s.kv, spaceKey(prefixVector, id)) {
			if err != nil {
				return err
			}
			m, err := decodeMark(it.Key, it.Value)
			if err != nil {
				return err
			}
			sp.sealed.Set(m)
		}
		sp.all = sp.sealed.Clone()
		if err := s.loadForks(sp); err != nil {
			return err
		}
		if err := s.loadTails(sp); err != nil {
			return err
		}
	}
	return nil
}

// loadTails reads the own memos behind the seals.
func (s *Store) loadTails(sp *space) error {
	for it, err := range scan(s.kv, spaceKey(prefixOpen, sp.id)) {
		if err != nil {
			return err
		}
		k := fields{b: it.Key[33:]}
		author, first := memo.Author(k.id()), fields{b: it.Value}
		from := seqKey(prefixMemo, sp.id, author, first.uint())
		if err := first.end(); err != nil {
			return err
		}
		t := &tail{}
		for it, err := range s.kv.Scan(from, afterAll(authorKey(prefixMemo, sp.id, author))) {
			if err != nil {
				return fmt.Errorf("%w: %w", errIndex, err)
			}
			m, size, err := s.load(it.Value)
			if err != nil {
				return err
			}
			if n := len(t.memos); n > 0 && t.memos[n-1].ID() != m.Prev {
				break // another branch goes on there
			}
			t.memos, t.bytes = append(t.memos, m), t.bytes+size
			sp.all.Add(memo.Mark{Head: m.Head(), Time: m.Time})
		}
		sp.tails[author] = t
	}
	return nil
}

// load reads the memo that an index entry points at. Whatever goes wrong puts
// the entry in doubt; if it is the log that is damaged, replaying it will tell.
func (s *Store) load(entry []byte) (*memo.Memo, int, error) {
	p, err := decodePlace(entry)
	if err != nil {
		return nil, 0, err
	}
	r := Reader{view: &View{log: s.log}}
	f, size, err := r.at(p)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errIndex, err)
	}
	return f.Memo, size, nil
}

// replayIndex takes in the records after applied.
func (s *Store) replayIndex(applied uint64) error {
	n := 0
	return s.records(applied, func(e walfs.Entry) error {
		if err := s.redo(e); err != nil {
			return fmt.Errorf("record %d: %w", e.LSN, err)
		}
		s.reached(e)
		if n++; n%replayBatch != 0 {
			return nil
		}
		if err := s.kv.Ready(); err != nil { // replaying would fill the memory
			return err
		}
		return s.index()
	})
}

// redo takes in one record. Appending checked it; the same check failing now
// means that the log is not the one that was written.
func (s *Store) redo(e walfs.Entry) error {
	at := walfs.Placed{LSN: e.LSN, Pos: e.Pos}
	switch e.Kind {
	case walfs.KindRun:
		r, err := memo.DecodeRun(e.Data)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadLog, err)
		}
		s.space(r.Space)
		// Of duplicates the log has those that were none when they came, and its author
		// may have more branches than this version keeps.
		if v, miss, err := s.judge(r); v != attachable && v != duplicate && v != beyond {
			return fmt.Errorf("%w: run %s (verdict %d, waits for %s): %w", ErrBadLog, r.Head(), v, miss, err)
		}
		return s.tookRun(r, len(e.Data), at)
	case walfs.KindOwnMemo:
		m, err := memo.Decode(e.Data)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadLog, err)
		}
		sp := s.space(m.SpaceID())
		mark, _ := sp.all.Get(m.Author)
		if err := sp.extends(memo.Head{Author: m.Author, Seq: mark.Seq, ID: mark.ID}, m); err != nil {
			return fmt.Errorf("%w: %w", ErrBadLog, err)
		}
		s.tookOwn(m, len(e.Data), at)
	case walfs.KindOwnSeal:
		var seal ownSeal
		if err := memo.Unmarshal(e.Data, &seal); err != nil {
			return fmt.Errorf("%w: %w", ErrBadLog, err)
		}
		unsealed := s.Unsealed(seal.Space, seal.Author)
		if n := len(unsealed); n == 0 || unsealed[n-1].ID() != seal.ID {
			return fmt.Errorf("%w: a seal of memo %d of %s, which is not the last unsealed", ErrBadLog, seal.Seq, seal.Author)
		}
		if _, forked := s.spaces[seal.Space].forks[seal.Author]; forked {
			if err := s.index(); err != nil { // tookSeal looks for other runs
				return err
			}
		}
		return s.tookSeal(s.spaces[seal.Space], seal.Author, at)
	case walfs.KindBlock: // means nothing without what commits it
	case walfs.KindAdopt:
		return s.redoAdoption(e)
	case walfs.KindCheckpoint:
		return s.redoCompaction(e)
	default:
		return fmt.Errorf("%w: kind %d is written by another version", ErrBadLog, e.Kind)
	}
	return nil
}

// loadPending reads the runs that waited when the index was last written. Some
// may have attached since: they are dropped. Some may be attachable, when a
// newer version understands them: the next Attach sees to them.
func (s *Store) loadPending() error {
	for it, err := range scan(s.kv, []byte{prefixPending}) {
		if err != nil {
			return err
		}
		r, err := memo.DecodeRun(it.Value)
		if err != nil {
			return fmt.Errorf("%w: pending run: %w", errIndex, err)
		}
		w := &waiter{number: binary.BigEndian.Uint64(it.Key[1:]), run: r, size: len(it.Value)}
		s.pending.add(w)
		if s.spaces[r.Space] == nil {
			s.pending.file(w, cause{space: r.Space}, false)
		} else {
			s.woken = append(s.woken, w)
		}
	}
	s.evict() // the bounds may be lower than they were
	return nil
}
