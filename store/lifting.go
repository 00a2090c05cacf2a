package store

import "lightcone/memo"

// This file lets runs that were parked attach beneath those that stand. All of it is
// about runs that wait, and is found out anew from them: the log does not have it.

// lifted is what lies beneath runs that stand and wait.
type lifted struct {
	upTo map[memo.Author]uint64 // the last memo of an author that they name
	ids  map[memo.ID]bool       // the memos that they name
	left int                    // runs that left the pending set meanwhile
}

func nothingLifted() lifted {
	return lifted{upTo: map[memo.Author]uint64{}, ids: map[memo.ID]bool{}}
}

// beneath reports whether r is an ancestor of a run that stands, as far as can be told:
// exact, that it has a memo that is; else that it lies below one in seq, on whatever
// branch. The runs up to that come from the front, and many.
func (l *lifted) beneath(r *memo.Run) (some, exact bool) {
	top, head := l.upTo[r.Author()], r.Head()
	for i := 0; i < len(r.Memos) && r.Memos[i].Seq <= top && !exact; i++ {
		exact = l.ids[r.Memos[i].ID()]
	}
	return exact || head.Seq < top, exact
}

// stopped reports whether r goes beyond a revocation of its author, with nothing above
// it that stands. Places that are covered are open to all branches: so those that one
// replica attached in time attach at all, once the join has come that names the head,
// and none of them goes beyond it. Of a first memo it is not known before all its
// causes are here: each may be a grant that brings its author nearer to a root key.
func (sp *space) stopped(r *memo.Run) bool {
	if sp.rights == nil || sp.rights.stops.Len() == 0 {
		return false
	}
	head := r.Head()
	if some, _ := sp.lifted.beneath(r); some || sp.sealed.Covers(head.Author, head.Seq) {
		return false
	}
	if _, wrote := sp.rights.standing(head.Author); !wrote && r.FirstSeq() == 1 {
		if _, missing := sp.missing(r.Memos[0]); missing {
			return false
		}
	}
	st, known := sp.rights.standingOf(r)
	return known && sp.rights.beyond(head, st.level)
}

// stranger reports whether r, which waits, is by nobody who may write now, and beneath
// nothing of somebody who may. For a first memo the grants count that are here: more of
// them bring its author no farther from a root key, so who is none stays none until
// another revocation comes.
func (sp *space) stranger(r *memo.Run) bool {
	if sp == nil || sp.rights == nil {
		return false
	}
	if some, _ := sp.lifted.beneath(r); some {
		return false
	}
	st, known := sp.rights.standingOf(r)
	return !known || sp.rights.beyond(r.Head(), st.level)
}

// lifts reports whether the causes of r are beneath a run that stands: r is, or stands
// itself. Then the memo before it is here, for else it may never attach; and of a
// revoked author it goes on from the head, for branches of those lift nothing.
func (sp *space) lifts(r *memo.Run, miss memo.Head) bool {
	mark, _ := sp.sealed.Get(r.Author())
	next := r.FirstSeq() == mark.Seq+1
	if some, exact := sp.lifted.beneath(r); some {
		return exact || next
	}
	st, known := sp.rights.standingOf(r)
	if !known || sp.rights.beyond(r.Head(), st.level) {
		return false
	}
	for range sp.rights.stopsOf(r.Author(), st.level) {
		return next
	}
	return next || miss.Author != r.Author()
}

// lift lets the causes of r attach, which waits for miss, though their authors were
// revoked. It is asked for all causes at once, so that it does not matter which of them
// r waits for. An author of whom nothing is attached is lifted as well, for what its
// first memo waits for may be beyond a revocation.
func (s *Store) lift(r *memo.Run, miss memo.Head) {
	sp := s.spaces[r.Space]
	if sp == nil || sp.rights == nil || sp.rights.stops.Len() == 0 || !sp.lifts(r, miss) {
		return
	}
	for _, m := range r.Memos {
		for _, d := range m.Deps {
			if _, wrote := sp.rights.standing(d.Author); !wrote || sp.rights.revoked(d.Author) {
				s.raise(sp, d)
			}
		}
	}
	if _, exact := sp.lifted.beneath(r); exact && r.FirstSeq() > 1 {
		s.raise(sp, memo.Head{Author: r.Author(), Seq: r.FirstSeq() - 1, ID: r.Memos[0].Prev})
	}
}

// raise notes that the memo of h is beneath a run that stands, and wakes what that
// may free.
func (s *Store) raise(sp *space, h memo.Head) {
	if sp.lifted.ids[h.ID] {
		return
	}
	sp.lifted.ids[h.ID] = true
	sp.lifted.upTo[h.Author] = max(sp.lifted.upTo[h.Author], h.Seq)
	s.unpark(sp, h.Author)
	s.woken = append(s.woken, s.pending.wakeFirst(sp.id, h.Author)...)
	if w := s.pending.byHead[h.ID]; w != nil {
		s.woken = append(s.woken, w)
	}
}

// unpark wakes the runs of an author that are beyond a revocation.
func (s *Store) unpark(sp *space, author memo.Author) {
	s.woken = append(s.woken, s.pending.wake(cause{space: sp.id, author: author})...)
}

// relift finds out anew what lies beneath runs that stand.
func (s *Store) relift(sp *space) {
	sp.lifted = nothingLifted()
	s.woken = append(s.woken, s.pending.wakeSpace(sp.id)...)
}

// unlift counts a run that left the pending set: what it lifted may be of no use any
// more. Now and then all of that is found out anew, so that it takes no more memory
// than runs that wait do.
func (s *Store) unlift(sp *space) {
	if sp == nil || len(sp.lifted.ids) == 0 {
		return
	}
	if sp.lifted.left++; sp.lifted.left > s.pending.maxRuns {
		s.relift(sp)
	}
}
