package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
)

// TestStrangersAreNotHeard: who did not prove to be a member relays nothing, and
// before the genesis is held no root can be told apart.
func TestStrangersAreNotHeard(t *testing.T) {
	l := newListener(t)
	a := &Announcement{From: l.evil.id, Root: junk(1), Memos: 5, Peers: 1}
	data := a.sign(l.space, l.evil.sign)
	l.core.Know(l.now, l.space, l.other.id) // named in a ticket, never met
	for _, p := range []Peer{l.other.id, {7}, l.me.id} {
		l.step(&HeardRoot{Space: l.space, Peer: p, Data: data})
	}
	if got := l.stats(); got != (RootStats{}) || len(l.news) != 0 {
		t.Errorf("heard a stranger: %+v, %+v", got, l.news)
	}
	l.shelf.vec = memo.Vector{}
	l.step(&HeardRoot{Space: l.space, Peer: l.evil.id, Data: data})
	if got := l.stats(); got != (RootStats{Heard: 1, Dropped: 1}) || len(l.news) != 0 {
		t.Errorf("without genesis: %+v, %+v", got, l.news)
	}
}

// TestFloodOfRoots: a member announces a new made up root each 10 ms, in its
// own name or in those of keys it makes up. What that makes the core remember, tell
// its owner, ask for and say is bounded; and an honest root still gets through.
func TestFloodOfRoots(t *testing.T) {
	const seconds, perTick = 30, 10
	for _, c := range []struct {
		name    string
		signers func(l *listener) []*author
		news    int // at most
	}{
		{"one key", func(l *listener) []*author { return []*author{l.evil} }, announceBurst + seconds*int(time.Second)/int(announceEvery) + 1},
		{"many keys", func(*listener) []*author { return authors(9, 500) }, relayBurst + seconds*int(time.Second)/int(relayEvery) + 1},
	} {
		l := newListener(t)
		l.core.Know(l.now, l.space, l.other.id)
		l.meet()
		l.fold()
		l.pass(2 * soon)
		l.announced = nil
		signers := c.signers(l)
		for i := range seconds * perTick * int(time.Second/TickEvery) {
			l.hear(signers[i%len(signers)], junk(i), uint64(1000+i))
			if i%perTick == 0 {
				l.pass(TickEvery)
			}
		}
		r := &l.core.spaces[l.space].roots
		t.Logf("%s: %+v, %d sessions, %d remembered", c.name, l.stats(), l.opened, len(r.sightings))
		if len(r.sightings) > maxSightings || len(r.covers) > maxCovers {
			t.Errorf("%s: %d roots and %d vectors are remembered", c.name, len(r.sightings), len(r.covers))
		}
		if len(l.news) == 0 || len(l.news) > c.news {
			t.Errorf("%s: the owner was told of %d, at most %d are let through", c.name, len(l.news), c.news)
		}
		if most := seconds*int(time.Second)/int(hintPause) + 1; l.opened > most {
			t.Errorf("%s: %d sessions, at most %d", c.name, l.opened, most)
		}
		if len(l.announced) != 0 {
			t.Errorf("%s: made us announce %d times", c.name, len(l.announced))
		}
		before := len(l.news)
		if l.hear(l.other, junk(-1), 5000); len(l.news) != before+1 {
			t.Errorf("%s: an honest root is not heard", c.name)
		}
	}
}

// TestVectorsAreFew: however many roots are made or fetched, few vectors are kept,
// and none of very many authors.
func TestVectorsAreFew(t *testing.T) {
	var r roots
	for i := range 10 * maxCovers {
		r.remember(cover{vector: junk(i).Vector})
	}
	if _, ok := r.cover(junk(10*maxCovers - 1).Vector); !ok || len(r.covers) != maxCovers {
		t.Errorf("%d vectors are kept, the newest among them: %v", len(r.covers), ok)
	}
	var big memo.Vector
	for _, h := range manyHeads(maxHas + 1) {
		big.Set(memo.Mark{Head: memo.Head{Author: h.Author, Seq: 1}})
	}
	if r.remember(cover{vector: junk(-1).Vector, marks: big}); len(r.covers) != maxCovers {
		t.Error("a vector of too many authors is kept")
	}
	if _, ok := r.cover(junk(-1).Vector); ok {
		t.Error("a vector of too many authors is kept")
	}
}

// TestMadeHereStays: what is fetched does not hide that a root was made here.
func TestMadeHereStays(t *testing.T) {
	var r roots
	r.remember(cover{id: testID, vector: junk(1).Vector})
	r.remember(cover{vector: junk(1).Vector})
	if k, _ := r.cover(junk(1).Vector); k.id != testID {
		t.Error("a root that was made here counts as fetched")
	}
}

// TestPace: a burst, then one each period; time without messages is not saved up
// beyond a burst.
func TestPace(t *testing.T) {
	var p Pace
	allowed := func(at time.Duration, n int) (ok int) {
		for range n {
			if p.Allow(epoch.Add(at), time.Second, 3) {
				ok++
			}
		}
		return ok
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{0, 3}, {999 * time.Millisecond, 0}, {time.Second, 1}, {2500 * time.Millisecond, 1}, {time.Hour, 3}} {
		if got := allowed(c.at, 10); got != c.want {
			t.Errorf("at %v %d pass, want %d", c.at, got, c.want)
		}
	}
}
