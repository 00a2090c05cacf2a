package store

import (
	"fmt"

	"lightcone/memo"
)

// BranchRun is a run by its head.
type BranchRun struct {
	Time memo.Time
	ID   memo.ID
	Seq  uint64
}

// Forked returns the authors of a space of whom two branches are held, ascending:
// none, since a second branch does not attach.
func (v *View) Forked(memo.SpaceID) []memo.Author { return nil }

// BranchRuns returns the runs held of an author of Forked, from the fork on, those of
// all branches, ascending by (time, digest) of their heads.
func (v *View) BranchRuns(memo.SpaceID, memo.Author) ([]BranchRun, error) { return nil, nil }

// RunByID returns the encoded run of a forked author whose head has that digest.
func (v *View) RunByID(_ memo.SpaceID, id memo.ID) ([]byte, error) {
	return nil, fmt.Errorf("%w: no run of a forked author ends in %s", ErrNoRun, id)
}

// Holds reports whether the memo of a head is held: by its digest.
func (v *View) Holds(space memo.SpaceID, h memo.Head) (bool, error) {
	id, ok, err := v.ID(space, h.Author, h.Seq)
	return ok && id == h.ID, err
}
