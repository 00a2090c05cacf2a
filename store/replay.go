package store

import (
	"errors"
	"fmt"

	"lightcone/walfs"
)

// Replay calls f for the records after LSN after that attached something, in the
// order of the log, which is a causal one: what Attach, AppendOwn and Adopt reported,
// again. Own memos are included whether sealed or not. Where the log was compacted it
// begins with the checkpoints, which have all that was before. Replay stops at the
// first error and returns it.
func (s *Store) Replay(after uint64, f func(Record) error) error {
	return s.records(max(after, s.floor.before()), func(e walfs.Entry) error {
		rec, err := recordOf(s.log, e)
		if err != nil || rec.Memos == nil && rec.Adopted == nil {
			return err
		}
		return f(rec)
	})
}

// records calls f for every record after LSN after that is in the log now.
func (s *Store) records(after uint64, f func(walfs.Entry) error) error {
	last := s.log.Last()
	if after >= last {
		return nil
	}
	from, err := s.log.Seek(after + 1)
	if errors.Is(err, walfs.ErrPruned) {
		return fmt.Errorf("%w: %w", ErrPruned, err)
	}
	if err != nil {
		return fmt.Errorf("find record %d: %w", after+1, err)
	}
	r, err := s.log.Reader(from)
	if err != nil {
		return fmt.Errorf("read from record %d: %w", after+1, err)
	}
	for err == nil {
		var e walfs.Entry
		if e, err = r.Next(); err != nil {
			break
		}
		if err = f(e); e.LSN == last {
			break
		}
	}
	return errors.Join(err, r.Close())
}
