package gossip

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"lightcone/memo"
)

// spread is a world of k replicas, each with about three links, all of which hold
// the same.
func spread(t rapid.TB, seed uint64, k int, f faults) *world {
	w := newWorld(seed, k, f)
	for i, r := range w.replicas {
		w.connect(r, w.replicas[(i+1)%k])
		if other := w.replicas[w.rng.IntN(k)]; other != r {
			w.connect(r, other)
		}
	}
	settle(t, w)
	return w
}

func settle(t rapid.TB, w *world) {
	if !w.run(10*time.Minute, func() bool { return w.converged() && w.idle() }) {
		t.Fatal("no agreement after 10 minutes")
	}
}

// announced counts the announcements of all replicas.
func (w *world) announced() (n int) {
	for _, r := range w.replicas {
		n += r.core.Stats().Roots.Announced
	}
	return n
}

// foldAll makes the first n replicas fold the same cut within a time.
func (w *world) foldAll(n int, within time.Duration) memo.ID {
	for _, r := range w.replicas[:n] {
		at := w.now + time.Duration(w.rng.Int64N(int64(within)+1))
		w.at(at, func() { r.fold(false) })
	}
	return w.replicas[0].shelf.foldedRoot(false).ID
}

func (w *world) allKnow(id memo.ID) bool {
	for _, r := range w.replicas {
		if !r.knows(id) {
			return false
		}
	}
	return true
}

// change lets the first replica write, and everybody attach.
func (w *world) change(t rapid.TB) {
	w.replicas[0].write(1, 10)
	settle(t, w)
}

var slow = faults{delay: 20 * time.Millisecond, jitter: 30 * time.Millisecond}

// TestFig11ExtraAnnouncementsDieOut: of one writer's edits five of fifty replicas
// make a root, or all fifty, at nearly the same time. Few announce it, everybody
// knows it, and then there is silence.
func TestFig11ExtraAnnouncementsDieOut(t *testing.T) {
	w := spread(t, 1, 50, slow)
	for _, makers := range []int{5, 50} {
		w.change(t)
		before := w.announced()
		id := w.foldAll(makers, 300*time.Millisecond)
		w.run(2*soon, nil)
		n := w.announced() - before
		t.Logf("%d makers: %d announcements", makers, n)
		if n == 0 || n > 6 {
			t.Errorf("%d makers of one root made %d announcements", makers, n)
		}
		if !w.allKnow(id) {
			t.Errorf("%d makers: somebody never heard of the root", makers)
		}
		before = w.announced()
		if w.run(announceMax/2, nil); w.announced() != before {
			t.Errorf("%d announcements while nothing changed", w.announced()-before)
		}
	}
}

// TestOneSaysItsRootAgain: where nothing changes, about one replica says its root
// in each of the longest intervals, however many know it. Replicas begin their
// intervals at different times, which costs some more.
func TestOneSaysItsRootAgain(t *testing.T) {
	const peers, intervals = 20, 5
	w := spread(t, 2, peers, slow)
	for _, r := range w.replicas { // recon has nothing to bring
		r.core.spaces[w.space].nextAE = w.time().Add(24 * time.Hour)
	}
	w.foldAll(peers, time.Second)
	w.run(2*announceMax, nil) // intervals have grown
	before := w.announced()
	w.run(intervals*announceMax, nil)
	n := w.announced() - before
	t.Logf("%d announcements in %d intervals of %d replicas", n, intervals, peers)
	if n < intervals/2 || n > 3*intervals {
		t.Errorf("%d announcements in %d intervals", n, intervals)
	}
}

// TestAnnouncementsDoNotGrowWithPeers: the announcements of a root that everybody
// makes, and so what each replica hears, stay as many from 10 to 100 replicas.
func TestAnnouncementsDoNotGrowWithPeers(t *testing.T) {
	const changes = 10
	for _, peers := range []int{10, 30, 100} {
		w := spread(t, 3, peers, slow)
		before := w.announced()
		for range changes {
			w.change(t)
			w.foldAll(peers, 100*time.Millisecond)
			w.run(2*soon, nil)
		}
		n := w.announced() - before
		most := 0
		for _, r := range w.replicas {
			most = max(most, r.core.Stats().Roots.Announced)
		}
		t.Logf("%d replicas: %.1f announcements of a root, at most %d of %d by one replica", peers, float64(n)/changes, most, changes)
		if n < changes || n > 6*changes {
			t.Errorf("%d replicas made %d announcements of %d roots", peers, n, changes)
		}
	}
}

// TestRootsReachEverybody: whatever the links, and however many messages are lost,
// everybody comes to know the root of the cut that everybody holds.
func TestRootsReachEverybody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := faults{
			delay:  time.Duration(rapid.IntRange(0, 100).Draw(t, "delay")) * time.Millisecond,
			jitter: time.Duration(rapid.IntRange(0, 100).Draw(t, "jitter")) * time.Millisecond,
			lose:   rapid.SampledFrom([]float64{0, 0.1, 0.3}).Draw(t, "lose"),
			double: rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "double"),
		}
		w := spread(t, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 6).Draw(t, "peers"), f)
		makers := rapid.IntRange(1, len(w.replicas)).Draw(t, "makers")
		var id memo.ID
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			w.change(t)
			id = w.foldAll(makers, time.Duration(rapid.IntRange(0, 3000).Draw(t, "within"))*time.Millisecond)
			w.run(3*time.Second, nil)
		}
		if !w.run(24*time.Hour, func() bool { return w.allKnow(id) }) {
			t.Fatalf("%d announcements, and somebody never heard of the root", w.announced())
		}
		if len(w.blamed) > 0 {
			t.Fatalf("honest peers were blamed: %v", w.blamed)
		}
	})
}
