package store

import (
	"errors"
	"fmt"

	"lightcone/memo"
	"lightcone/walfs"
)

// Replay calls f for every memo in the records after LSN after, in the order of
// the log, which is a causal one: what Attach and AppendOwn reported, again. The
// memos of a foreign run share the LSN of its record. Own memos are included
// whether sealed or not. Replay stops at the first error and returns it.
func (s *Store) Replay(after uint64, f func(lsn uint64, m *memo.Memo) error) error {
	return s.records(after, func(e walfs.Entry) error {
		memos, err := memosOf(e)
		if err != nil {
			return err
		}
		for _, m := range memos {
			if err := f(e.LSN, m); err != nil {
				return err
			}
		}
		return nil
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
