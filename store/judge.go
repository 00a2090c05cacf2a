package store

import (
	"fmt"

	"lightcone/memo"
)

// verdict is what may be done with a run now.
type verdict uint8

const (
	attachable verdict = iota
	duplicate          // covered already
	waiting            // for a cause
	held               // until a version that understands it opens the store
	beyond             // never here: its author has too many branches
	parked             // beyond a revocation, see govern.go
	late               // could attach, and is held back, see quarantine.go
	refused            // never
	failed             // the index could not be read
)

// judge decides what to do with r. With waiting comes the missing cause, whose
// ID is known in any case; with refused and failed comes the reason. It reads what
// attached before, the run and its past, so replaying the log judges as attaching did;
// revocations are not asked, see decide.
func (s *Store) judge(r *memo.Run) (verdict, memo.Head, error) {
	sp := s.spaces[r.Space]
	if sp == nil {
		return refused, memo.Head{}, fmt.Errorf("%w: %s", ErrUnknownSpace, r.Space)
	}
	first, head := r.Memos[0], r.Head()
	if mark, _ := sp.sealed.Get(head.Author); mark.Head == head {
		return duplicate, memo.Head{}, nil
	}
	branch := !sp.continues(r)
	if branch {
		if held, err := s.holdsRun(sp, head); err != nil || held {
			return orFailed(duplicate, err), memo.Head{}, err
		}
	}
	if r.Known() != nil {
		return held, memo.Head{}, nil
	}
	if branch {
		if v, miss, err := s.judgeBranch(sp, first); v != attachable {
			return v, miss, err
		}
	}
	for _, m := range r.Memos {
		if miss, ok := sp.missing(m); ok {
			return waiting, miss, nil
		}
	}
	if err := sp.admits(first); err != nil {
		return refused, memo.Head{}, err
	}
	return attachable, memo.Head{}, nil
}

// missing returns a dep of m that is not covered.
func (sp *space) missing(m *memo.Memo) (memo.Head, bool) {
	for _, d := range m.Deps {
		if !sp.sealed.Covers(d.Author, d.Seq) {
			return d, true
		}
	}
	return memo.Head{}, false
}
