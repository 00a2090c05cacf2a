package gossip

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"lightcone/memo"
)

// TestExpelledPeerIsServedNothing: though it knows the secret, a peer that was expelled
// loses its sessions, gets no new ones, and is heard no more on the topic.
func TestExpelledPeerIsServedNothing(t *testing.T) {
	v := newVictim(t)
	v.step(PeerUp{Peer: v.evil.id})
	id := v.session("streaming")
	v.expelled = v.evil.id
	var e Effects
	v.core.Step(v.now, Expel{Space: v.space, Peer: v.evil.id}, &e)
	if len(e.Expel) != 1 || len(e.Close) == 0 || v.core.sessions[id] != nil {
		t.Fatalf("expelled %v, closed %v", e.Expel, e.Close)
	}
	for _, c := range e.Close {
		v.step(Closed{Session: c.Session, Err: c.Err})
	}
	v.said, v.closes = map[SessionID][]message{}, nil
	v.core.Know(v.now, v.space, v.evil.id)
	v.pass(2 * antiEntropy)
	v.frame(v.next+2, v.hello())
	f := v.fetchFrame()
	f.Fresh = true
	v.frame(v.next+4, f)
	if len(v.closes) != 2 || len(v.said) != 0 || v.folds != 0 {
		t.Fatalf("closed %v, said %v", v.closes, v.said)
	}
	for _, c := range v.closes {
		if !errors.Is(c.Err, ErrRefused) || c.Blame {
			t.Errorf("closed with %+v", c)
		}
	}
	delivered := v.bytes
	heard := &Heard{Space: v.space, Peer: v.evil.id, Data: publication(0, []byte(raw(v.evil.write(v.space, time.Second, []memo.Head{v.me.head}, 1, 10))))}
	if err := Prepare(heard); err != nil {
		t.Fatal(err)
	}
	v.step(heard)
	if v.bytes != delivered {
		t.Error("a run that an expelled peer relayed was delivered")
	}
	v.core.Members(v.space, func(p Peer, _ bool, _ memo.Vector) {
		if p == v.evil.id {
			t.Error("it is still a member")
		}
	})
	v.pass(time.Second)
}

// Very many peers that were expelled leave nothing behind in the core, and all of them
// are turned away.
func TestExpelledPeersAreNotRemembered(t *testing.T) {
	v := newVictim(t)
	v.core.cfg.Expelled = func(_ memo.SpaceID, p Peer) bool { return p != v.other.id }
	var e Effects
	for i := range 2 * maxMembers {
		p := Peer(memo.Sum(binary.BigEndian.AppendUint64(nil, uint64(i))))
		v.core.Step(v.now, Expel{Space: v.space, Peer: p}, &e)
		v.core.Know(v.now, v.space, p)
	}
	v.core.Know(v.now, v.space, v.other.id)
	if s := v.core.spaces[v.space]; len(s.members) != 1 || len(s.order) != 1 || s.members[v.other.id] == nil || len(e.Expel) > 0 {
		t.Fatalf("%d members, %d expelled", len(s.members), len(e.Expel))
	}
	v.frame(v.next+2, v.hello())
	if len(v.closes) != 1 || !errors.Is(v.closes[0].Err, ErrRefused) {
		t.Fatalf("closed %v", v.closes)
	}
}
