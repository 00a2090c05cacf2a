package gossip

import (
	"slices"
	"testing"
	"time"

	"lightcone/memo"
)

// This file tests when an honest core starts sessions, how long it keeps to one,
// and where one ends.

// TestSessionServesItsCut: memos attached after a session said what it holds
// stay out of it: their causes may not have been part of the bargain, and an
// author that keeps writing must not keep the session from its end.
func TestSessionServesItsCut(t *testing.T) {
	v := newVictim(t)
	for range 3 {
		v.shelf.put(v.write(v.me, 1000))
	}
	h := v.hello()
	h.Credit = 1
	v.frame(1, h)
	v.frame(1, &vec{Type: typeVec, Heads: []vecHead{{Author: v.me.id}}})
	v.shelf.put(v.write(v.other, 10))
	v.shelf.put(v.me.write(v.space, time.Second, []memo.Head{v.other.head}, 1, 1000))
	var seqs []uint64
	for over, next := false, 0; !over; {
		if next == len(v.said[1]) {
			t.Fatalf("no DONE; sent %v", seqs)
		}
		switch m := v.said[1][next].(type) {
		case *runs:
			for _, b := range m.Runs {
				r, err := memo.DecodeRun([]byte(b))
				if err != nil {
					t.Fatal(err)
				}
				seqs = append(seqs, r.Head().Seq)
				v.frame(1, &credit{Type: typeCredit, Bytes: uint64(len(b))})
			}
		case *done:
			over = true
		}
		next++
	}
	if want := []uint64{1, 2, 3, 4}; !slices.Equal(seqs, want) {
		t.Errorf("sent seqs %v, want %v", seqs, want)
	}
}

// opens counts the streams the core opened to p in d, each of which fails at
// once; each is called before every tick.
func (v *victim) opens(d time.Duration, each func()) (n int) {
	for end := v.now.Add(d); v.now.Before(end); v.now = v.now.Add(TickEvery) {
		each()
		v.step(Tick{})
		for id, s := range v.core.sessions {
			if s.opened && s.peer == v.evil.id {
				n++
				v.step(Closed{Session: id, Err: errNoRun})
			}
		}
	}
	return n
}

// TestFailuresPause: a peer with which sessions fail is tried less and less
// often, whoever wants something of it.
func TestFailuresPause(t *testing.T) {
	v := newVictim(t)
	v.core.Know(v.now, v.space, v.evil.id)
	v.step(PeerUp{v.evil.id})
	impatient := func() { v.step(Want{Space: v.space, Origin: v.evil.id}) }
	// 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5 s
	if n := v.opens(100*time.Second, impatient); n != 9 {
		t.Errorf("%d attempts in 100 s, want 9", n)
	}
	v.step(PeerUp{v.evil.id}) // a new connection, a new chance
	if n := v.opens(3*time.Second, func() {}); n != 3 {
		t.Errorf("%d attempts in the first 3 s of a new connection, want 3", n)
	}
}

// TestWasteIsNotPulledAgain: after a session that brought a lot of nothing, the
// peer is served but not listened to for a while.
func TestWasteIsNotPulledAgain(t *testing.T) {
	v := newVictim(t)
	id := v.session("streaming")
	v.write(v.evil, 1) // withheld
	for v.core.sessions[id] != nil {
		v.frame(id, runsOf(v.write(v.evil, 180_000)))
	}
	grant := func() uint64 {
		id := v.session("greeted")
		return v.said[id][0].(*hello).Credit
	}
	if n := grant(); n != 0 {
		t.Errorf("granted %d at once", n)
	}
	v.step(Closed{Session: v.next})
	v.pass(5 * time.Second)
	if n := grant(); n != sessionCredit {
		t.Errorf("granted %d after a while", n)
	}
}

// pulling has a session of the partner's bring something new all the time, in
// front of which other's turn has to come.
func pullingVictim(t *testing.T) (v *victim, feed func()) {
	v = newVictim(t)
	id := v.session("streaming")
	feed = func() { v.frame(id, runsOf(v.write(v.evil, 10))) }
	feed()
	v.core.Know(v.now, v.space, v.other.id)
	v.step(PeerUp{v.other.id})
	return v, feed
}

func (v *victim) opensTo(p Peer) bool {
	for _, s := range v.core.sessions {
		if s.opened && s.peer == p {
			return true
		}
	}
	return false
}

// TestTurns: who brings memos goes first, but not for ever.
func TestTurns(t *testing.T) {
	v, feed := pullingVictim(t)
	begun := v.now
	for !v.opensTo(v.other.id) {
		v.pass(500 * time.Millisecond)
		feed()
		if v.now.Sub(begun) > 2*pullTurn {
			t.Fatal("the other peer's turn does not come")
		}
	}
	if waited := v.now.Sub(begun); waited < pullTurn {
		t.Errorf("it came after %v, want %v", waited, pullTurn)
	}
}

// TestReadersDoNotWait for others' turns.
func TestReadersDoNotWait(t *testing.T) {
	v, _ := pullingVictim(t)
	if v.opensTo(v.other.id) {
		t.Fatal("two sessions pull at the same time")
	}
	v.step(Want{Space: v.space, Origin: v.other.id})
	if !v.opensTo(v.other.id) {
		t.Error("no session with the origin that a reader named")
	}
}

// TestOrderOfEnds: sessions that end in one step end in the order of their ids,
// every time.
func TestOrderOfEnds(t *testing.T) {
	for range 10 {
		v := newVictim(t)
		want := []SessionID{1, 3, 5, 7, 9, 11}
		for i, a := range authors(2, len(want)) {
			h := v.hello()
			h.Proof = proof(testSecret, v.space, a.id, v.me.id)
			in := &Frame{Session: want[i], Peer: a.id, Data: encode(h)}
			if err := Prepare(in); err != nil {
				t.Fatal(err)
			}
			v.step(in)
		}
		v.pass(sessionIdle + time.Second)
		var ids []SessionID
		for _, c := range v.closes {
			ids = append(ids, c.Session)
		}
		if !slices.Equal(ids, want) {
			t.Fatalf("ended %v, want %v", ids, want)
		}
	}
}

// TestHintIsLookedIntoOnce: a hint that stays different starts one session, not
// one every hintPause.
func TestHintIsLookedIntoOnce(t *testing.T) {
	v := newVictim(t)
	v.step(Closed{Session: v.session("equal")}) // a member
	v.step(PeerUp{v.evil.id})
	v.pass(hintPause)
	for id := range v.core.sessions {
		v.step(Closed{Session: id})
	}
	in := &Heard{Space: v.space, Peer: v.evil.id, Data: publication(42, nil)}
	if err := Prepare(in); err != nil {
		t.Fatal(err)
	}
	v.step(in)
	before := v.core.nextID
	for end := v.now.Add(2 * hintPause); v.now.Before(end); {
		v.pass(TickEvery)
		for id := range v.core.sessions {
			h := v.hello()
			h.VecRoot, _ = v.shelf.VecRoot(v.space)
			v.frame(id, h)
		}
	}
	if n := (v.core.nextID - before) / 2; n != 1 {
		t.Errorf("%d sessions for one hint", n)
	}
}

// TestLinkedBringsWhatWasPublishedBefore: a publication that went to a topic
// nobody was linked with yet comes as soon as the link stands, in one session,
// and not with the next anti-entropy.
func TestLinkedBringsWhatWasPublishedBefore(t *testing.T) {
	const soon = antiEntropy / 4
	for _, links := range []bool{false, true} {
		w := newWorld(1, 2, faults{delay: time.Millisecond, noGossip: true})
		a, b := w.replicas[0], w.replicas[1]
		w.connect(a, b)
		w.run(soon, func() bool { return w.converged() && w.idle() })
		a.write(1, 100)
		before := a.opened + b.opened
		if links {
			a.step(Linked{w.space, b.id})
			b.step(Linked{w.space, a.id})
		}
		if came := w.run(soon, w.converged); came != links {
			t.Errorf("links %v, came %v", links, came)
		}
		w.run(soon, nil)
		if n := a.opened + b.opened - before; links && n != 1 {
			t.Errorf("%d sessions for one link", n)
		}
	}
	stranger, elsewhere := newVictim(t), newVictim(t)
	stranger.step(Linked{stranger.space, stranger.evil.id})
	elsewhere.step(Linked{memo.SpaceID{9}, elsewhere.evil.id})
	if n := len(stranger.core.sessions) + len(elsewhere.core.sessions); n > 0 {
		t.Errorf("%d sessions with strangers", n)
	}
}
