package gossip

import (
	"encoding/binary"
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/merge"
)

// listener is a core on the topic of roots, in the hands of a member.
type listener struct {
	*victim
	news      []Announced
	announced []*Announcement
	opened    int
}

// newListener makes a core that took a HELLO of the partner's, who so became a
// member.
func newListener(t testing.TB) *listener {
	v := newVictim(t)
	v.core = New(Config{Self: v.me.id, Holdings: v.shelf, Seed: 1, Sign: v.me.sign})
	v.core.AddSpace(v.space, testSecret)
	v.session("equal")
	v.pass(sessionIdle + time.Second)
	return &listener{victim: v}
}

func (l *listener) step(in Input) {
	l.t.Helper()
	if err := Prepare(in); err != nil {
		l.t.Fatal(err)
	}
	var e Effects
	l.core.Step(l.now, in, &e)
	l.news = append(l.news, e.Heard...)
	for _, o := range e.Open { // the partner says that it has the same
		l.opened++
		h := l.hello()
		h.VecRoot, _ = l.shelf.VecRoot(l.space)
		l.step(&Frame{Session: o.Session, Peer: l.evil.id, Data: encode(h)})
		l.step(Closed{Session: o.Session})
	}
	for _, o := range e.Publish {
		if !o.Roots {
			continue
		}
		_, a, err := parseAnnouncement(o.Data)
		if err != nil {
			l.t.Fatalf("announced what cannot be read: %v", err)
		}
		l.announced = append(l.announced, a)
	}
}

// meet connects the partner; from now on recon with it has reasons of its own.
func (l *listener) meet() {
	l.step(PeerUp{l.evil.id})
	l.pass(2 * hintPause)
	l.core.spaces[l.space].nextAE = l.now.Add(time.Hour)
	l.opened = 0
}

// grow adds a memo to what is held.
func (l *listener) grow() { l.shelf.put(l.write(l.me, 10)) }

func (l *listener) pass(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); l.now = l.now.Add(TickEvery) {
		l.step(Tick{})
	}
}

// hear brings an announcement of a root, relayed by the partner.
func (l *listener) hear(from *author, root merge.Root, memos uint64, heads ...memo.Head) {
	l.t.Helper()
	a := &Announcement{From: from.id, Root: root, Memos: memos, Peers: 3, Heads: heads}
	l.step(&HeardRoot{Space: l.space, Peer: l.evil.id, Data: a.sign(l.space, from.sign)})
}

func (l *listener) fold() Folded {
	f := l.shelf.foldedRoot(false)
	l.step(f)
	return f
}

func (l *listener) stats() RootStats { return l.core.Stats().Roots }

func junk(i int) merge.Root {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return merge.Root{Vector: memo.Sum(b[:]), State: testID}
}

func TestAnnouncesWhatItFolded(t *testing.T) {
	l := newListener(t)
	f := l.fold()
	l.grow() // beyond the root
	l.pass(soon)
	if len(l.announced) != 1 {
		t.Fatalf("%d announcements of a root", len(l.announced))
	}
	a := l.announced[0]
	ahead := l.me.head
	if a.From != l.me.id || a.Root.Vector != f.Root.Vector || a.Root.State != f.Root.State || a.Memos != 1 || a.Peers != 1 ||
		len(a.Heads) != 1 || a.Heads[0] != ahead {
		t.Errorf("announced %+v", a)
	}
	l.step(f) // found again
	l.pass(10 * soon)
	if len(l.announced) != 1 {
		t.Errorf("announced %d times", len(l.announced))
	}
}

// TestNothingToAnnounce: of a fold that failed, of nothing, of a space not served,
// and without a key.
func TestNothingToAnnounce(t *testing.T) {
	l := newListener(t)
	failed := l.shelf.foldedRoot(false)
	failed.Err = errNoRun
	l.step(failed)
	empty := l.shelf.foldedRoot(false)
	empty.Vector = memo.Vector{}
	l.step(empty)
	other := l.shelf.foldedRoot(false)
	other.Space = memo.SpaceID{9}
	l.step(other)
	l.pass(3 * soon)
	l.core.cfg.Sign = nil
	l.fold()
	l.pass(3 * soon)
	if len(l.announced) != 0 {
		t.Errorf("announced %+v", l.announced)
	}
}

// TestSuppression: what was heard, before the fold or between it and the moment to
// speak, and whether it makes our own announcement needless.
func TestSuppression(t *testing.T) {
	equal := func(l *listener, f Folded) { l.hear(l.evil, f.Root, 1) }
	for name, c := range map[string]struct {
		hear   func(l *listener, f Folded)
		silent bool
	}{
		"nothing":                 {func(*listener, Folded) {}, false},
		"equal":                   {equal, true},
		"equal, of our own voice": {func(l *listener, f Folded) { l.hear(l.me, f.Root, 1) }, false},
		"another state of the cut": {func(l *listener, f Folded) {
			l.hear(l.evil, merge.Root{Vector: f.Root.Vector, State: testID}, 1)
		}, false},
		"more memos, of an unknown cut": {func(l *listener, f Folded) { l.hear(l.evil, junk(1), 1000) }, false},
		"of the cut held now": {func(l *listener, f Folded) {
			l.grow()
			now, _ := l.shelf.VecRoot(l.space)
			l.hear(l.evil, merge.Root{Vector: now, State: testID}, 2)
		}, true},
		"of a cut held later": {func(l *listener, f Folded) {
			ahead := newVictim(l.t)
			ahead.shelf.put(ahead.write(ahead.me, 10))
			later, _ := ahead.shelf.VecRoot(l.space)
			l.hear(l.evil, merge.Root{Vector: later, State: testID}, 2)
			l.grow()
		}, true},
		"of a fetched cut above": {func(l *listener, f Folded) {
			above := f.Vector.Clone()
			above.Set(memo.Mark{Head: memo.Head{Author: l.evil.id, Seq: 1, ID: testID}})
			l.core.Step(l.now, Tick{}, &Effects{Fetched: []Fetched{{Space: l.space, Made: junk(1), Vector: above}}})
			l.hear(l.evil, junk(1), 2)
		}, true},
		"of a fetched cut beside": {func(l *listener, f Folded) {
			var beside memo.Vector
			beside.Set(memo.Mark{Head: memo.Head{Author: l.evil.id, Seq: 1000, ID: testID}})
			l.core.Step(l.now, Tick{}, &Effects{Fetched: []Fetched{{Space: l.space, Made: junk(1), Vector: beside}}})
			l.hear(l.evil, junk(1), 1000)
		}, false},
		"of a cut that could not be fetched": {func(l *listener, f Folded) {
			l.core.Step(l.now, Tick{}, &Effects{Fetched: []Fetched{{Space: l.space, Made: junk(1), Vector: f.Vector, Err: errNoRun}}})
			l.hear(l.evil, junk(1), 2)
		}, false},
	} {
		for _, before := range []bool{false, true} {
			l := newListener(t)
			f := l.shelf.foldedRoot(false)
			if before {
				c.hear(l, f)
			}
			l.step(f)
			if !before {
				c.hear(l, f)
			}
			l.pass(2 * soon)
			want := RootStats{Announced: 1}
			if c.silent {
				want = RootStats{Suppressed: 1}
			}
			if got := l.stats(); got.Announced != want.Announced || got.Suppressed != want.Suppressed {
				t.Errorf("%s, before the fold %v: %+v, want %+v", name, before, got, want)
			}
		}
	}
}

// TestOlderFoldIsForgotten: the newest root counts, whatever comes late.
func TestOlderFoldIsForgotten(t *testing.T) {
	l := newListener(t)
	old := l.shelf.foldedRoot(false)
	l.grow()
	f := l.fold()
	l.step(old)
	l.pass(2 * soon)
	if len(l.announced) != 1 || l.announced[0].Root.Vector != f.Root.Vector {
		t.Errorf("announced %+v", l.announced)
	}
}

// TestBusySpaceIsPaced: a root every tick makes an announcement in each shortest interval.
func TestBusySpaceIsPaced(t *testing.T) {
	l := newListener(t)
	const intervals = 20
	for range intervals * int(soonest/TickEvery) {
		l.grow()
		l.fold()
		l.pass(TickEvery)
	}
	if n := len(l.announced); n < intervals-1 || n > intervals {
		t.Errorf("%d announcements in %d intervals", n, intervals)
	}
}

// TestNews: a root is told once, and recon asks who relayed it for what is lacking.
func TestNews(t *testing.T) {
	l := newListener(t)
	l.meet()
	l.hear(l.other, junk(1), 5)
	l.hear(l.evil, junk(1), 5)
	if len(l.news) != 1 || l.news[0].Memos != 5 || l.news[0].From != l.other.id || !l.news[0].Unequal.IsZero() ||
		l.news[0].Root.Params != merge.DefaultParams(l.space) {
		t.Fatalf("told %+v", l.news)
	}
	data, err := l.news[0].Root.Encode()
	if err != nil || l.news[0].ID != memo.Sum(data) {
		t.Errorf("the root's digest is %v, its bytes %x (%v)", l.news[0].ID, data, err)
	}
	l.pass(3 * time.Second)
	if l.opened != 1 {
		t.Errorf("%d sessions with who is ahead", l.opened)
	}
	if got := l.stats(); got.Heard != 2 || got.News != 1 {
		t.Errorf("counted %+v", got)
	}
}

// TestNoReconWithoutNeed: of an equal cut, of one below ours by number, of one that
// came meanwhile. A head beyond the root that is not held here is a need.
func TestNoReconWithoutNeed(t *testing.T) {
	for name, c := range map[string]struct {
		hear  func(l *listener)
		opens int
	}{
		"an equal cut": {func(l *listener) {
			now, _ := l.shelf.VecRoot(l.space)
			l.hear(l.evil, merge.Root{Vector: now, State: testID}, 1000)
		}, 0},
		"fewer memos": {func(l *listener) { l.hear(l.evil, junk(1), 1) }, 0},
		"fewer memos, and a head": {func(l *listener) {
			l.hear(l.evil, junk(1), 1, memo.Head{Author: l.evil.id, Seq: 3, ID: testID})
		}, 1},
		"what came meanwhile": {func(l *listener) {
			l.hear(l.evil, junk(1), 2)
			l.pass(hintPatience / 2)
			l.grow()
		}, 0},
	} {
		l := newListener(t)
		l.meet()
		c.hear(l)
		if l.pass(3 * time.Second); l.opened != c.opens {
			t.Errorf("%s: %d sessions, want %d", name, l.opened, c.opens)
		}
	}
}

// TestAlarm: two states of a cut that was folded here are told of once, whichever
// came first.
func TestAlarm(t *testing.T) {
	for _, before := range []bool{false, true} {
		l := newListener(t)
		f := l.shelf.foldedRoot(false)
		lie := merge.Root{Vector: f.Root.Vector, State: testID}
		if !before {
			l.step(f)
		}
		l.hear(l.evil, lie, 1)
		l.hear(l.other, lie, 1)
		if before {
			l.step(f)
		}
		l.grow()
		l.fold()
		if len(l.news) != 1 || l.news[0].Unequal != f.ID || l.stats().Alarms != 1 {
			t.Errorf("before the fold %v: told %+v, %+v", before, l.news, l.stats())
		}
	}
}

// TestHeadsAreNoted: who announces has what it names.
func TestHeadsAreNoted(t *testing.T) {
	l := newListener(t)
	h := memo.Head{Author: l.other.id, Seq: 7, ID: testID}
	l.hear(l.evil, junk(1), 1, h)
	l.core.Members(l.space, func(p Peer, _ bool, has memo.Vector) {
		if p == l.evil.id && !has.Covers(h.Author, h.Seq) {
			t.Error("it is not known who has an announced head")
		}
	})
}

// TestSaidAgain: long after, where nobody else says it, with the peers that others
// count.
func TestSaidAgain(t *testing.T) {
	l := newListener(t)
	f := l.fold()
	l.pass(soon)
	l.hear(l.evil, f.Root, 1)
	fewer := &Announcement{From: l.evil.id, Root: f.Root, Memos: 1, Peers: 2}
	l.step(&HeardRoot{Space: l.space, Peer: l.evil.id, Data: fewer.sign(l.space, l.evil.sign)})
	l.pass(3 * announceMax)
	if n := len(l.announced); n < 2 || n > 3 || l.announced[0].Peers != 1 || l.announced[n-1].Peers != 3 {
		t.Errorf("announced %d times: %+v", n, l.announced)
	}
}
