package node

import (
	"testing"
	"time"

	"lightcone/memo"
)

// What is lacking began when it was first seen, lasts while it is, and is forgotten.
func TestLagging(t *testing.T) {
	l := lagging{since: map[lagKey]lagSince{}}
	key := lagKey{memo.SpaceID{1}, PeerID{2}}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	for _, step := range []struct {
		now          int
		ahead, lacks bool
		want         lagSince
	}{
		{1, false, false, lagSince{}},
		{2, true, false, lagSince{ahead: at(2)}},
		{3, true, true, lagSince{ahead: at(2), lacks: at(3)}},
		{4, false, true, lagSince{lacks: at(3)}},
		{5, true, true, lagSince{ahead: at(5), lacks: at(3)}},
		{6, false, false, lagSince{}},
	} {
		if got := l.of(key, at(step.now), step.ahead, step.lacks); got != step.want {
			t.Fatalf("before the look at %d: %v, want %v", step.now, got, step.want)
		}
		l.note(key, at(step.now), step.ahead, step.lacks)
		if got := l.of(key, at(step.now+100), step.ahead, step.lacks); got != step.want {
			t.Fatalf("after the look at %d: %v, want %v", step.now, got, step.want)
		}
	}
	if len(l.since) != 0 {
		t.Fatalf("remembers %v", l.since)
	}
}
