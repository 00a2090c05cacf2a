package gossip

import (
	"testing"
	"time"

	"lightcone/memo"
)

// TestFloodOfMemos: a peer that relays runs without end, of one author or of many, gets
// so many through and no more; other peers, and other authors, are heard as before.
func TestFloodOfMemos(t *testing.T) {
	v := newVictim(t)
	publish := func(a *author) []byte { return publication(1, []byte(raw(v.write(a, 10)))) }
	const flood, spread = 40_000, time.Second
	run := func(from Peer, messages ...[]byte) (passed int) {
		var g Gate
		for i := range flood {
			in := &Heard{Space: v.space, Peer: from, Data: messages[i%len(messages)]}
			if g.Admit(epoch.Add(spread*time.Duration(i)/flood), in) {
				passed++
			}
		}
		if int(g.Dropped) != flood-passed {
			t.Errorf("%d of %d passed, %d were dropped", passed, flood, g.Dropped)
		}
		if in := (&Heard{Space: v.space, Peer: v.other.id, Data: messages[0]}); !g.Admit(epoch.Add(spread), in) {
			t.Error("another peer is not heard")
		}
		if in := (&HeardRoot{Space: v.space, Peer: from}); !g.Admit(epoch.Add(spread), in) {
			t.Error("an announcement is not heard")
		}
		return passed
	}
	one := publish(v.evil)
	if got, most := run(v.evil.id, one), authorBurst+int(spread/authorEvery); got > most+1 || got < most-1 {
		t.Errorf("%d runs of one author, want %d", got, most)
	}
	var many [][]byte
	for _, a := range authors(6, 50) {
		many = append(many, publish(a))
	}
	if got, most := run(v.evil.id, many...), peerBurst+int(spread/peerEvery); got > most+1 || got < most-1 {
		t.Errorf("%d runs of many authors, want %d", got, most)
	}
	var g Gate
	for range authorBurst + 100 {
		g.Admit(epoch, &Heard{Space: v.space, Peer: v.evil.id, Data: one})
	}
	if !g.Admit(epoch, &Heard{Space: v.space, Peer: v.evil.id, Data: many[0]}) {
		t.Error("a flood of one author uses up what others may")
	}
	for _, data := range [][]byte{nil, {1}, one[:messageHeader+40], make([]byte, len(one))} {
		g.Admit(epoch, &Heard{Space: v.space, Peer: v.me.id, Data: data}) // no panic
	}
}

// TestGateForgets: what is remembered of peers and authors that come and go is bounded.
func TestGateForgets(t *testing.T) {
	var g Gate
	data := publication(1, make([]byte, 100))
	data[messageHeader+2+spaceItem], data[messageHeader+3+spaceItem] = bytes32Head, byte(len(memo.Author{}))
	for i := range 3 * maxGated {
		copy(data[messageHeader+4+spaceItem:], []byte{byte(i), byte(i >> 8), byte(i >> 16)})
		g.Admit(epoch, &Heard{Peer: Peer{byte(i), byte(i >> 8), byte(i >> 16)}, Data: data})
	}
	if len(g.peers) > maxGated || len(g.authors) > maxGated {
		t.Errorf("%d peers and %d authors are remembered", len(g.peers), len(g.authors))
	}
}

// TestClaimedAuthor: what is read without decoding is what the run says.
func TestClaimedAuthor(t *testing.T) {
	v := newVictim(t)
	if a, ok := claimedAuthor(publication(1, []byte(raw(v.write(v.evil, 10))))); !ok || a != v.evil.id {
		t.Errorf("claimed author %s, %v", a, ok)
	}
}
