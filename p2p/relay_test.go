package p2p

import (
	"strings"
	"testing"

	"lightcone/p2p/gossip"
)

var nowhere = []string{}

// A and B listen nowhere, so neither can dial the other. They meet through a relay:
// sessions and topics work there, `peers` says relayed. Once B listens and A learns
// where, the connection becomes direct, and nobody was down.
func TestRelayedThenDirect(t *testing.T) {
	t.Parallel() // it waits for a moment to pass
	r := start(t, newCore(1), Options{Relay: true})
	o := Options{Listen: nowhere, bounds: defaultBounds()}
	o.bounds.linger = moment // 0 would cut b before it has the direct connection
	a, b := start(t, serving(2), o), start(t, serving(3), o)
	connect(t, b, r)
	var through []string
	eventually(t, "address through the relay", func() bool {
		through = b.Addrs()
		return len(through) > 0
	})
	if !strings.Contains(through[0], r.id.String()+"/p2p-circuit/p2p/"+b.id.String()) {
		t.Fatalf("b is reached at %v", through)
	}
	a.Keep(b.id, through)
	a.awaitUp(t, b.id, 1)
	b.awaitUp(t, a.id, 1)
	for _, x := range [][2]node{{a, b}, {b, a}} {
		if !peerOf(t, x[0], x[1]).Relayed {
			t.Fatal("a relay in between is not told")
		}
	}
	admitEachOther(space, a, b)
	linked(t, space, a, b)
	a.Do(&gossip.Effects{
		Publish: []gossip.Publish{{Space: space, Data: []byte("published")}},
		Open:    []gossip.Open{{Session: 2, Peer: b.id}},
		Send:    []gossip.Send{{Session: 2, Data: []byte("frame")}},
	})
	b.awaitFrames(t, 1)
	b.awaitHeard(t, []byte("published"))

	if err := listen(b.host, Options{Listen: overTCP}); err != nil {
		t.Fatal(err)
	}
	a.Keep(b.id, b.Addrs())
	for _, x := range [][2]node{{a, b}, {b, a}} {
		eventually(t, "direct connection", func() bool { return !peerOf(t, x[0], x[1]).Relayed })
		if n := count(x[0].all(), gossip.PeerDown{Peer: x[1].id}); n > 0 {
			t.Fatalf("it was down %d times", n)
		}
	}
	eventually(t, "end of the relayed connection", func() bool {
		return !strings.Contains(strings.Join(peerOf(t, a, b).Addrs, " "), "p2p-circuit")
	})
	say(t, a, space, "directly", b)
}

// peerOf returns what a says of its connected peer b.
func peerOf(t *testing.T, a, b node) gossip.PeerInfo {
	t.Helper()
	for _, p := range a.Peers() {
		if p.Peer == b.id {
			return p
		}
	}
	t.Fatalf("%s is not among the peers", b.id)
	return gossip.PeerInfo{}
}
