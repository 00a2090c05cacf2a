package gossip

import (
	"math/rand/v2"
	"testing"
	"time"
)

// few peers, and the time in which one of them announces what is news.
const (
	few  = 7
	soon = announceListen + 3*announceSlot
	// soonest is that of one who has something to tell.
	soonest = announceListen + announceSlot
)

// TestTrickle follows the intervals of RFC 6206: the moment to speak comes after
// listening, intervals double up to the longest, news begins the shortest.
func TestTrickle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var tr trickle
	now := epoch
	if tr.due(now.Add(time.Hour), few, rng) {
		t.Fatal("there is something to say before there was news")
	}
	tr.makes(now, few, rng)
	begun, interval, listen := now, time.Duration(soon), time.Duration(announceListen)
	spoke := 0
	for now.Sub(epoch) < 5*announceMax {
		now = now.Add(TickEvery)
		if tr.due(now, few, rng) {
			spoke++
			if at := now.Sub(begun); at < listen || at > interval+TickEvery {
				t.Fatalf("speaks %v into an interval of %v", at, interval)
			}
		}
		if tr.interval != interval || tr.begun != begun {
			interval = min(2*interval, announceMax)
			if tr.interval != interval || spoke != 1 {
				t.Fatalf("the next interval is %v, want %v; spoke %d times", tr.interval, interval, spoke)
			}
			begun, listen, spoke = tr.begun, interval/2, 0
		}
	}
	if interval != announceMax {
		t.Fatalf("after %v the interval is %v", now.Sub(epoch), interval)
	}
	tr.begins(now, few, rng)
	if tr.interval != soon || tr.begun != now {
		t.Errorf("news begins an interval of %v", tr.interval)
	}
	begun = now
	for end := now.Add(soon); now.Before(end); now = now.Add(TickEvery) {
		if tr.makes(now, few, rng); tr.begun != begun {
			t.Fatal("more news puts the moment to speak off")
		}
		tr.due(now, few, rng)
	}
	if tr.due(now, few, rng); tr.interval != soon {
		t.Errorf("after an interval with news comes one of %v", tr.interval)
	}
}
