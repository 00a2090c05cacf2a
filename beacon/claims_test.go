package beacon_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"lightcone/beacon"
	"lightcone/memo"
)

// cutOf is a cut with the given seqs of authors 0, 1, 2, …; 0 is nothing.
func cutOf(seqs ...uint64) (v memo.Vector) {
	for i, seq := range seqs {
		if seq > 0 {
			v.Set(memo.Mark{Head: memo.Head{Author: author(byte(i)), Seq: seq, ID: memo.Sum([]byte{byte(i), byte(seq)})}})
		}
	}
	return v
}

// The stability cut is the greatest cut that every claim covers.
func TestStability(t *testing.T) {
	if beacon.Stability(nil).Len() != 0 {
		t.Error("nobody claimed, yet something is stable")
	}
	rapid.Check(t, func(t *rapid.T) {
		var claims []beacon.Claim
		for range rapid.IntRange(1, 4).Draw(t, "claims") {
			seqs := rapid.SliceOfN(rapid.Uint64Range(0, 3), 4, 4).Draw(t, "cut")
			claims = append(claims, beacon.Claim{Cut: cutOf(seqs...)})
		}
		got := beacon.Stability(claims)
		for i := range 4 {
			least := uint64(1 << 63)
			for _, c := range claims {
				m, _ := c.Cut.Get(author(byte(i)))
				least = min(least, m.Seq)
			}
			if m, _ := got.Get(author(byte(i))); m.Seq != least {
				t.Fatalf("author %d is stable up to %d, want %d", i, m.Seq, least)
			}
		}
		if n := beacon.Behind(got, claims); n > 0 && !got.CoversAll(claims[0].Cut) && n == len(claims) {
			t.Fatalf("%d peers behind a cut that lacks what one of them has", n)
		}
	})
}

func TestBehindCountsWhoIsCovered(t *testing.T) {
	claims := []beacon.Claim{{Cut: cutOf(1, 2)}, {Cut: cutOf(3, 0)}, {Cut: cutOf(0, 0, 1)}}
	for _, c := range []struct {
		cut  memo.Vector
		want int
	}{{cutOf(), 0}, {cutOf(1, 2), 1}, {cutOf(3, 1), 1}, {cutOf(3, 2), 2}, {cutOf(3, 2, 1), 3}} {
		if got := beacon.Behind(c.cut, claims); got != c.want {
			t.Errorf("%d peers behind %v, want %d", got, c.cut, c.want)
		}
	}
}

// A memo is late when it is older than what all claimed, and of somebody else.
func TestLate(t *testing.T) {
	at := func(seconds uint64) memo.Time { return memo.Next(seconds * 1000) }
	claims := []beacon.Claim{
		{Ping: memo.Head{Author: author(1)}, Time: at(1000)},
		{Ping: memo.Head{Author: author(2)}, Time: at(2000), Cut: cutOf(0, 0, 0, 2)},
	}
	for name, c := range map[string]struct {
		by     byte
		time   memo.Time
		claims []beacon.Claim
		want   bool
	}{
		"long ago, of a stranger":    {9, at(500), claims, true},
		"long ago, of a claimant":    {1, at(500), claims, false}, // its chain came in order
		"within the margin":          {9, at(950), claims, false},
		"after one of the claims":    {9, at(1500), claims, false},
		"now":                        {9, at(3000), claims, false},
		"nobody claimed anything":    {9, at(500), nil, false},
		"one claimed, and who knows": {9, at(500), claims[:1], false},
		"one of them had it":         {3, at(500), claims, false},
		"from before all times":      {9, 0, claims, true},
		"from the end of all times":  {9, memo.MaxTime, claims, false},
	} {
		m := must(memo.New(memo.Memo{
			Space: memo.SpaceID{1}, Author: author(c.by), Seq: 2, Prev: memo.Sum(nil), Time: c.time, Body: memo.Join{},
		}))
		if got := beacon.Late(m, c.claims, time.Minute); got != c.want {
			t.Errorf("%s: late is %v", name, got)
		}
	}
}

// The estimate is right within a few percent, forgets after a day, and does not count
// an author twice.
func TestAuthors(t *testing.T) {
	var a beacon.Authors
	if n := a.Estimate(start); n != 1 {
		t.Errorf("nobody wrote, the estimate is %v, want 1: who asks", n)
	}
	name := func(i int) memo.Author { return memo.Author{byte(i), byte(i >> 8), byte(i >> 16)} }
	for i := range 20_000 {
		a.Add(start, start, name(i))
		a.Add(start, start.Add(-time.Hour), name(i))
	}
	if n := a.Estimate(start); n < 19_000 || n > 21_000 {
		t.Errorf("20,000 authors are estimated as %v", n)
	}
	for i := range 10 {
		a.Add(start, start.Add(-25*time.Hour), name(1_000_000+i)) // too long ago
		a.Add(start.Add(20*time.Hour), start.Add(20*time.Hour), name(i))
	}
	if n := a.Estimate(start.Add(30 * time.Hour)); n != 10 {
		t.Errorf("a day later the estimate is %v, want 10", n)
	}
	if n := a.Estimate(start.Add(1000 * time.Hour)); n != 1 {
		t.Errorf("weeks later the estimate is %v, want 1", n)
	}
}
