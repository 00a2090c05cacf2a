package node

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// A flood is held off in front of the pool that decodes and verifies: what is beyond a
// peer's rate is not looked into, so nobody is told that it is nonsense.
func TestFloodsAreNotLookedInto(t *testing.T) {
	begun := time.Now()
	var ahead atomic.Int64
	n := openNode(t, t.TempDir(), Options{Now: func() time.Time { return begun.Add(time.Duration(ahead.Load())) }})
	junk := &gossip.Heard{Peer: PeerID{1}, Data: []byte("junk")}
	const most = 1 << 15 // more than any burst
	looked := 0
	for range most {
		if n.Input(context.Background(), junk) == nil {
			break
		}
		looked++
	}
	if looked == 0 || looked == most {
		t.Errorf("%d of %d are looked into", looked, most)
	}
	if n.Input(context.Background(), &gossip.Heard{Peer: PeerID{2}, Data: junk.Data}) == nil {
		t.Error("another peer is not heard")
	}
	if ahead.Store(int64(time.Second)); n.Input(context.Background(), junk) == nil {
		t.Error("a second later it is still not heard")
	}
}

// timed makes a run of memos of those times.
func timed(t *testing.T, author byte, times ...time.Time) *memo.Run {
	t.Helper()
	r := &memo.Run{Space: memo.SpaceID{1}}
	prev := memo.ID{1}
	for i, at := range times {
		m, err := memo.New(memo.Memo{
			Space: r.Space, Author: memo.Author{author}, Seq: uint64(2 + i), Prev: prev, Time: memo.Next(uint64(at.UnixMilli())), Body: memo.Join{},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.Memos, prev = append(r.Memos, m), m.ID()
	}
	return r
}

// Runs from the future wait in a bounded place, each once; what found no room comes
// again by recon. The latest memo of a run counts, wherever in it that is.
func TestDelayedRunsAreBounded(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	far, fine := now.Add(time.Hour), now.Add(driftBound)
	var d delayed
	late := timed(t, 1, far)
	for _, c := range []struct {
		name string
		run  *memo.Run
		now  bool
	}{
		{"on time", timed(t, 2, now), true},
		{"at the bound", timed(t, 2, fine), true},
		{"an hour ahead", late, false},
		{"the same again", late, false},
		{"ahead in its middle", timed(t, 3, now, far, now), false},
	} {
		if got := len(d.sift(now, []*memo.Run{c.run})) == 1; got != c.now {
			t.Errorf("%s: attached now: %v", c.name, got)
		}
	}
	if len(d.runs) != 2 {
		t.Errorf("%d runs wait, want 2", len(d.runs))
	}
	for i := range 2 * maxDelayed {
		d.sift(now, []*memo.Run{timed(t, 4, far.Add(time.Duration(i)*time.Millisecond))})
	}
	if len(d.runs) != maxDelayed || len(d.ids) != maxDelayed {
		t.Errorf("%d runs wait, want %d", len(d.runs), maxDelayed)
	}
	if n := len(d.due(now)); n != 0 || len(d.runs) != maxDelayed {
		t.Errorf("%d are due at once, %d wait", n, len(d.runs))
	}
	if n := len(d.due(far)); n != maxDelayed || len(d.runs) != 0 {
		t.Errorf("an hour later %d are due and %d wait", n, len(d.runs))
	}
}
