package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lightcone/memo"
	"lightcone/walfs"
)

// Store is a replica's memos. See the package comment for who may call what.
type Store struct {
	dir    string
	files  walfs.FS // of the log
	clean  bool     // see Clean
	log    *walfs.Log
	kv     KV
	room   room
	logger *slog.Logger

	spaces     map[memo.SpaceID]*space
	pending    *pending
	blocks     *blockStore
	quarantine quarantine
	woken      []*waiter // pending runs whose cause attached, to be judged again
	batch      []Item    // changes of the index not applied yet
	last       walfs.Entry
	floor      floor // zero: the log's beginning
	flushed    int64 // size of the log when the index was last flushed
	broken     error // why nothing can be written any more
	view       atomic.Pointer[View]
}

// Placed is an attached memo and the LSN of the record that holds it. Memos of a
// foreign run share one.
type Placed struct {
	LSN  uint64
	Memo *memo.Memo
}

// Open opens the store in dir, or makes it. Damage of the log that a crash
// cannot cause is returned as walfs.DamageError, ErrLogBehind or ErrBadLog, and
// nothing of the log is changed. Open meets what it reads: the end of the log and what the
// index does not have yet; whoever reads older records meets the rest. ErrPruned
// reports an index that has to be built from records the log has no more. ErrFull
// means that the disk has no room even for opening.
func Open(dir string, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s, err := openStore(dir, o.withDefaults())
	return s, asFull(err)
}

func openStore(dir string, o Options) (*Store, error) {
	kv := o.KV
	if kv == nil {
		var err error
		if kv, err = openPebble(filepath.Join(dir, "kv"), vfs.Default, o.Logger); err != nil {
			return nil, fmt.Errorf("open index: %w", err)
		}
	}
	r := room{dir, o.Usage}
	o.WAL.FS, o.WAL.CheckReads = logFS{o.WAL.FS, r}, true // rot may come after a record was read
	wal := filepath.Join(dir, "wal")
	fresh, err := untouched(o.WAL.FS, wal)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), kv.Close())
	}
	log, err := walfs.Open(wal, o.WAL)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), kv.Close())
	}
	s := &Store{dir: dir, files: o.WAL.FS, clean: fresh, log: log, kv: kv, room: r, logger: o.Logger}
	err = s.recover(o)
	if err == nil {
		err = s.takeClosed()
	}
	if err == nil {
		s.blocks, err = openBlocks(kv)
	}
	if err != nil {
		return nil, errors.Join(err, kv.Close(), log.Close())
	}
	return s, nil
}

// AddSpace makes the store accept memos of a space. Repeating it is harmless. A
// space of which the log holds memos is added by Open.
func (s *Store) AddSpace(id memo.SpaceID) {
	s.space(id)
	s.woken = append(s.woken, s.pending.wake(cause{space: id})...)
	s.publish()
}

// Spaces returns the spaces added so far, ascending.
func (s *Store) Spaces() []memo.SpaceID {
	ids := slices.Collect(maps.Keys(s.spaces))
	slices.SortFunc(ids, func(a, b memo.SpaceID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// View returns what is attached now. Any goroutine may call it.
func (s *Store) View() *View { return s.view.Load() }

// Blocks returns the derived blocks of a space. Any goroutine may call it.
func (s *Store) Blocks(space memo.SpaceID) *Blocks { return s.blocks.of(space) }

// Pending returns how many runs wait for causes, and their encoded bytes.
func (s *Store) Pending() (runs, bytes int) { return s.pending.len(), s.pending.bytes }

// Size returns the bytes of the log in use.
func (s *Store) Size() int64 { return s.log.Size() }

// Ready returns why the store would refuse to append now, or nil. Reading goes on
// in any case. An error that wraps ErrFull ends by itself, others do not.
func (s *Store) Ready() error {
	if s.broken != nil {
		return s.broken
	}
	err := s.kv.Ready()
	switch {
	case errors.Is(err, ErrFull): // the index is behind, and stays so in memory
		return err
	case err != nil:
		return s.breakDown(err)
	}
	return s.room.check(MinSegmentSize) // the next segment, so that a write of any size fits
}

// Sync returns when everything appended so far is on the disk.
func (s *Store) Sync() error {
	if s.broken != nil {
		return s.broken
	}
	return s.stopped(s.log.Sync())
}

// stopped notes that the log stopped, if err says so, and returns err.
func (s *Store) stopped(err error) error {
	if errors.Is(err, walfs.ErrStopped) && s.broken == nil {
		s.broken = err
	}
	return err
}

// Checkpoint syncs the log and writes the index to disk, so that the next Open
// has nothing to replay.
func (s *Store) Checkpoint() error {
	if err := s.Sync(); err != nil {
		return err
	}
	if err := s.apply(); err != nil {
		return err
	}
	if err := s.kv.Flush(true); errors.Is(err, ErrFull) {
		return err
	} else if err != nil {
		return s.breakDown(err)
	}
	s.flushed = s.log.Size()
	return nil
}

// Close checkpoints and closes the log and the index, and notes that for the next Open
// (Clean). Views still at hand return errors from then on. An index for which there is no room is no error: the next
// Open replays the log.
func (s *Store) Close() error {
	if errors.Is(s.broken, ErrClosed) {
		return ErrClosed
	}
	err := s.Checkpoint()
	s.blocks.stop()
	if errors.Is(err, ErrFull) {
		s.logger.Warn("the index was not written; it is made up for at the next start", slog.Any("cause", err))
		err = nil
	}
	s.broken = ErrClosed
	last := s.log.Last()
	if err = errors.Join(err, s.kv.Close(), s.log.Close()); err == nil {
		s.leaveClosed(last)
	}
	return err
}

// set and del change the index at the next commit.
func (s *Store) set(key, value []byte) { s.batch = append(s.batch, Item{key, value}) }

func (s *Store) del(key []byte) { s.batch = append(s.batch, Item{Key: key}) }

// reached notes the last record that the changes gathered so far stand for.
func (s *Store) reached(e walfs.Entry) { s.last = e }

// commit applies the changes gathered since the last one and publishes a view
// that shows them.
func (s *Store) commit() error {
	if err := s.index(); err != nil {
		return err
	}
	s.publish()
	return nil
}

// index applies the gathered changes, if there are any.
func (s *Store) index() error {
	if len(s.batch) == 0 {
		return nil
	}
	return s.apply()
}

// apply applies the gathered changes in one batch with the LSN they reach.
func (s *Store) apply() error {
	if s.last.LSN != 0 {
		st := state{
			applied: s.last.LSN, pos: s.last.Pos, sum: checksum(s.last.Data),
			durable: min(s.log.Durable(), s.last.LSN),
		}
		s.set([]byte(stateKey), st.encode())
	}
	err := s.kv.Apply(s.batch)
	clear(s.batch)
	s.batch = s.batch[:0]
	if err != nil {
		return s.breakDown(err)
	}
	if size := s.log.Size(); size-s.flushed > CheckpointEvery {
		// Pebble does it in the background; it also does so whenever a memtable
		// is full, so this is for long memos, of which few fill the log.
		if err := s.kv.Flush(false); err != nil && !errors.Is(err, ErrFull) {
			return s.breakDown(err)
		}
		s.flushed = size
	}
	return nil
}

// breakDown stops the writing methods: an index with a hole would answer wrongly.
func (s *Store) breakDown(err error) error {
	if s.broken == nil {
		s.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return s.broken
}

// publish replaces the view if a space changed.
func (s *Store) publish() {
	var changed []*space
	for _, sp := range s.spaces {
		if sp.changed {
			changed = append(changed, sp)
		}
	}
	old := s.view.Load()
	if len(changed) == 0 && old != nil {
		return
	}
	next := &View{log: s.log, kv: s.kv, floor: s.floor, spaces: map[memo.SpaceID]*spaceView{}}
	if old != nil {
		maps.Copy(next.spaces, old.spaces)
	}
	for _, sp := range changed {
		next.spaces[sp.id] = sp.freeze(next.spaces[sp.id])
	}
	s.view.Store(next)
}
