package beacon

import (
	"time"

	"lightcone/memo"
)

// RosterWindow is how long a beacon that is silent is counted on: a claim that is
// older holds the stability cut back no more.
const RosterWindow = 24 * time.Hour

// Claim is a cut that a beacon's ping claims to have been attached.
type Claim struct {
	Ping memo.Head
	Time memo.Time // when the ping was written
	Cut  memo.Vector
}

// Stability returns what all of the claims have in common: of each author the memos
// that every claimant had. It is empty without claims. What is in it needs nobody's
// help any more; nothing in a root depends on it.
func Stability(claims []Claim) (common memo.Vector) {
	if len(claims) == 0 {
		return memo.Vector{}
	}
	least := claims[0].Cut
	for _, c := range claims[1:] {
		if c.Cut.Len() < least.Len() {
			least = c.Cut
		}
	}
	for m := range least.All() {
		if in, ok := everywhere(claims, m); ok {
			common.Set(in)
		}
	}
	return common
}

// everywhere returns the least of the claims' entries for the author of m; ok is
// false when one has none.
func everywhere(claims []Claim, m memo.Mark) (least memo.Mark, ok bool) {
	least = m
	for _, c := range claims {
		o, ok := c.Cut.Get(m.Author)
		if !ok {
			return memo.Mark{}, false
		}
		if o.Seq < least.Seq || o.Seq == least.Seq && o.ID.Compare(least.ID) < 0 {
			least = o
		}
	}
	return least, true
}

// StableTime is the time of a stability cut: every claimant wrote its ping then or
// later. It is 0 without claims.
func StableTime(claims []Claim) (least memo.Time) {
	for i, c := range claims {
		if i == 0 || c.Time < least {
			least = c.Time
		}
	}
	return least
}

// Late reports whether a memo that attaches now is late: it is older, by more than
// margin, than what all of two or more claimants claimed, none of them had it, and its
// author is not one of them: a claimant's memos come in the order of its chain, behind
// the ping that was counted.
func Late(m *memo.Memo, claims []Claim, margin time.Duration) bool {
	if len(claims) < 2 || m.Time.Millis()+uint64(margin.Milliseconds()) >= StableTime(claims).Millis() {
		return false
	}
	for _, c := range claims {
		if c.Ping.Author == m.Author || c.Cut.Covers(m.Author, m.Seq) {
			return false
		}
	}
	return true
}

// Behind returns P̂, the number of claimants behind a cut: those that had nothing,
// when they claimed, that is not in it.
func Behind(cut memo.Vector, claims []Claim) (n int) {
	for _, c := range claims {
		if cut.CoversAll(c.Cut) {
			n++
		}
	}
	return n
}
