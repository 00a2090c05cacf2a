package node

import (
	"lightcone/beacon"
	"lightcone/memo"
)

// maxLate bounds the late memos that are remembered of a space.
const maxLate = 16

// lateness is what is known of late memos: those that attached although they are
// older than what all of the roster claimed to have (DESIGN.md §6, "late from Alpha
// Centauri"). They are joined as any other, and reported.
type lateness struct {
	memos uint64      // since the node started
	last  []memo.Head // the newest of them, at most maxLate, oldest first
}

// note looks whether a memo that attached is late.
func (l *lateness) note(b *beacons, m *memo.Memo, self PeerID) {
	st := &b.claims.stable
	if m.Author == self || st.cut.Len() == 0 || !beacon.Late(m, st.claims, driftBound) {
		return
	}
	l.memos++
	if len(l.last) == maxLate {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, m.Head())
}
