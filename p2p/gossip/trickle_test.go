package gossip

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestTrickle follows the intervals of RFC 6206: the moment to speak is in the
// second half, intervals double up to the longest, news begins the shortest.
func TestTrickle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var tr trickle
	now := epoch
	if tr.due(now.Add(time.Hour), rng) {
		t.Fatal("there is something to say before there was news")
	}
	tr.news(now, rng)
	begun, interval := now, time.Duration(announceMin)
	spoke := 0
	for now.Sub(epoch) < 5*announceMax {
		now = now.Add(TickEvery)
		if tr.due(now, rng) {
			spoke++
			if at := now.Sub(begun); at < interval/2 || at > interval+TickEvery {
				t.Fatalf("speaks %v into an interval of %v", at, interval)
			}
		}
		if tr.interval != interval || tr.begun != begun {
			interval = min(2*interval, announceMax)
			if tr.interval != interval || spoke != 1 {
				t.Fatalf("the next interval is %v, want %v; spoke %d times", tr.interval, interval, spoke)
			}
			begun, spoke = tr.begun, 0
		}
	}
	if interval != announceMax {
		t.Fatalf("after %v the interval is %v", now.Sub(epoch), interval)
	}
	tr.news(now, rng)
	if tr.interval != announceMin || tr.begun != now {
		t.Errorf("news begins an interval of %v", tr.interval)
	}
	end := now.Add(announceMin)
	for ; now.Before(end); now = now.Add(TickEvery) {
		if tr.news(now, rng); tr.begun != end.Add(-announceMin) {
			t.Fatal("more news puts the moment to speak off")
		}
		tr.due(now, rng)
	}
	if tr.due(now, rng); tr.interval != announceMin {
		t.Errorf("after an interval with news comes one of %v", tr.interval)
	}
}
