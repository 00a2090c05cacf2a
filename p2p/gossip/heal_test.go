package gossip

import (
	"errors"
	"testing"
	"time"

	"lightcone/memo"
)

// This file tests how often the same memos come.

// TestHealBringsMemosOnce: eight replicas are parted in halves that both write, for less
// than it takes to give a connection up. All sessions that stood still are answered at
// once; still nearly every run that a replica lacks is sent to it once.
func TestHealBringsMemosOnce(t *testing.T) {
	const runs = 150
	w := newWorld(1, 8, faults{delay: 5 * time.Millisecond})
	w.connectAll()
	settled := func() bool { return w.converged() && w.idle() }
	if !w.run(calm, settled) {
		t.Fatal("they do not begin equal")
	}
	w.half = 4
	for range runs {
		w.replicas[0].write(1, 200)
		w.replicas[4].write(1, 200)
		w.run(10*time.Millisecond, nil)
	}
	w.run(20*time.Second, nil)
	sent := func() (n int) {
		for _, r := range w.replicas {
			n += r.core.Stats().RunsSent
		}
		return n
	}
	before, began := sent(), w.now
	w.heal()
	if !w.run(calm, settled) {
		t.Fatal("they are not equal after the partition")
	}
	lacked := runs * len(w.replicas)
	t.Logf("%d runs sent where %d were lacked, equal after %v", sent()-before, lacked, w.now-began)
	if n := sent() - before; n > lacked+lacked/10 {
		t.Errorf("%d runs sent where %d were lacked", n, lacked)
	}
	if len(w.blamed) > 0 {
		t.Errorf("honest peers were blamed: %v", w.blamed)
	}
}

// TestLateAnswersTakeTurns: of sessions that are answered late one goes on, and when it
// is over the others have their turn.
func TestLateAnswersTakeTurns(t *testing.T) {
	v := newVictim(t)
	for _, a := range []*author{v.evil, v.other} {
		v.core.Know(v.now, v.space, a.id)
		v.step(PeerUp{a.id})
		v.pass(pullStall + time.Second) // it does not answer
	}
	late := v.answerBoth()
	if v.core.sessions[late[v.evil.id]] == nil || v.core.sessions[late[v.other.id]] != nil {
		t.Fatal("not the one that was answered first goes on, or the other as well")
	}
	if v.opensTo(v.other.id) {
		t.Fatal("two sessions pull at the same time")
	}
	v.step(Closed{Session: late[v.evil.id], Err: errNoRun})
	if !v.opensTo(v.other.id) {
		t.Error("the turn of the other does not come")
	}
}

// TestReadersKeepLateAnswers: a session that was begun for a reader goes on beside another.
func TestReadersKeepLateAnswers(t *testing.T) {
	v := newVictim(t)
	for _, a := range []*author{v.evil, v.other} {
		v.core.Know(v.now, v.space, a.id)
		v.step(PeerUp{a.id})
		v.pass(politeness + TickEvery)
		v.step(Want{Space: v.space, Origin: a.id})
	}
	for p, id := range v.answerBoth() {
		if v.core.sessions[id] == nil {
			t.Errorf("the session with %s is over", p)
		}
	}
}

// answerBoth lets both partners answer the sessions that the victim opened, evil first.
func (v *victim) answerBoth() map[Peer]SessionID {
	opened := map[Peer]SessionID{}
	for id, s := range v.core.sessions {
		opened[s.peer] = id
	}
	for _, a := range []*author{v.evil, v.other} {
		h := v.hello()
		h.Proof = proof(testSecret, v.space, a.id, v.me.id)
		in := &Frame{Session: opened[a.id], Peer: a.id, Data: encode(h)}
		if err := Prepare(in); err != nil || opened[a.id] == 0 {
			v.t.Fatalf("sessions %v, %v", opened, err)
		}
		v.step(in)
	}
	return opened
}

// TestHeldRunsAreNotVerified: what is held costs no check of its seal, and is not
// delivered, for its seal may not hold.
func TestHeldRunsAreNotVerified(t *testing.T) {
	v := newVictim(t)
	id := v.session("streaming")
	held, news := v.write(v.evil, 10), v.write(v.evil, 10)
	held.Seal[0]++
	knows := func(space memo.SpaceID, h memo.Head) bool { return space == v.space && h == held.Head() }
	in := &Frame{Session: id, Peer: v.evil.id, Data: encode(runsOf(held))}
	if err := Prepare(in); !errors.Is(err, memo.ErrBadSeal) {
		t.Fatalf("without knowing that it is held: %v", err)
	}
	in = &Frame{Session: id, Peer: v.evil.id, Data: encode(runsOf(held, news))}
	if err := PrepareHolding(in, knows); err != nil {
		t.Fatal(err)
	}
	var e Effects
	v.core.Step(v.now, in, &e)
	if len(e.Deliver) != 1 || len(e.Deliver[0].Runs) != 1 || e.Deliver[0].Runs[0].Head() != news.Head() {
		t.Errorf("delivered %v, want the run that is news", e.Deliver)
	}
	if n := v.core.Stats().Again; n != 1 {
		t.Errorf("%d runs came once more, want 1", n)
	}
	news.Seal[0]++
	in = &Frame{Session: id, Peer: v.evil.id, Data: encode(runsOf(news))}
	if err := PrepareHolding(in, knows); !errors.Is(err, memo.ErrBadSeal) {
		t.Errorf("a run that is not held: %v", err)
	}
}
