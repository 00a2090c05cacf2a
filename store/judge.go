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
	parked             // beyond a revocation, see govern.go
	refused            // never
)

// judge decides what to do with r. With waiting comes the missing cause, whose
// ID is known in any case; with refused comes the reason. It reads the cut, the
// run and its past, so replaying the log judges as attaching did; revocations are not
// asked, see decide.
func (s *Store) judge(r *memo.Run) (verdict, memo.Head, error) {
	sp := s.spaces[r.Space]
	if sp == nil {
		return refused, memo.Head{}, fmt.Errorf("%w: %s", ErrUnknownSpace, r.Space)
	}
	first, head := r.Memos[0], r.Head()
	mark, _ := sp.sealed.Get(head.Author)
	switch {
	case head.Seq <= mark.Seq:
		return duplicate, memo.Head{}, nil
	case first.Seq <= mark.Seq:
		return refused, memo.Head{}, straddles(r, mark.Head)
	case r.Known() != nil:
		return held, memo.Head{}, nil
	case first.Seq > mark.Seq+1:
		return waiting, memo.Head{Author: head.Author, Seq: first.Seq - 1, ID: first.Prev}, nil
	case first.Prev != mark.ID:
		return refused, memo.Head{}, forked(first.Head(), mark.Head)
	}
	if t := sp.tails[head.Author]; t != nil {
		last := min(len(t.memos), len(r.Memos)) - 1
		if own, theirs := t.memos[last].Head(), r.Memos[last].Head(); own != theirs {
			return refused, memo.Head{}, forked(theirs, own)
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

// straddles tells why a run that begins at or below mark and ends above it is
// refused. The chain of digests settles it with one comparison.
func straddles(r *memo.Run, mark memo.Head) error {
	if at := r.Memos[mark.Seq-r.FirstSeq()].Head(); at != mark {
		return forked(at, mark)
	}
	return fmt.Errorf("%w: seq %d to %d, held up to %s", ErrRecut, r.FirstSeq(), r.Head().Seq, mark)
}

func forked(offered, held memo.Head) error {
	return fmt.Errorf("%w: offered %s, which does not continue or match %s", ErrFork, offered, held)
}
