package p2p

import (
	"crypto/ed25519"
	"errors"
	"io"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multiaddr"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

// A and B know each other, C knows A alone. A tells C of B, whose record it has from
// B itself, and C and B meet.
func TestMembersTellOfMembers(t *testing.T) {
	a, b, c := start(t, serving(1), Options{}), start(t, serving(2), Options{}), start(t, serving(3), Options{})
	connect(t, b, a)
	a.testCore.admit(space, b.id)
	c.Keep(a.id, a.Addrs())
	c.awaitMet(t, a.id)
	a.awaitMet(t, c.id)
	c.awaitMet(t, b.id)
	b.awaitMet(t, c.id)
	if got := peerOf(t, c, b); got.Pinned {
		t.Fatal("who was told of is pinned")
	}
}

// Members find each other at a rendezvous of peers who are none.
func TestRendezvous(t *testing.T) {
	boot := start(t, newCore(1), Options{Rendezvous: true})
	o := Options{Bootstrap: boot.Addrs()}
	a, b := start(t, serving(2), o), start(t, serving(3), o)
	other := newCore(4)
	other.spaces, other.secret = a.spaces, gossip.Secret{1} // it knows the id of the space and no more
	c := start(t, other, o)
	a.awaitMet(t, b.id)
	b.awaitMet(t, a.id)
	for _, x := range []node{a, b, c} {
		x.awaitUp(t, boot.id, 1)
	}
	for _, x := range [][2]node{{a, c}, {b, c}, {c, a}, {c, b}, {boot, a}, {a, boot}} {
		if count(x[0].all(), gossip.Met{Space: space, Peer: x[1].id}) > 0 {
			t.Fatalf("%s met who is no member", x[0].id)
		}
	}
}

// Who cannot prove to know the rendezvous of a space gets no answer: neither whether
// it is served here nor who is.
func TestMeetingTellsStrangersNothing(t *testing.T) {
	a, b := start(t, serving(1), Options{}), start(t, serving(2), Options{})
	connect(t, b, a)
	a.testCore.admit(space, b.id)
	c := start(t, newCore(3), Options{})
	connect(t, c, a)
	nonce := [16]byte{1}
	forged := gossip.Secret{1}.Rendezvous(space)
	right, _ := b.Rendezvous(space)
	for what, proof := range map[string]meeting{
		"another secret":         {Version: meetVersion, Nonce: nonce, Proof: meetProof(forged, askLabel, c.id, a.id, nonce)},
		"the proof of a member":  {Version: meetVersion, Nonce: nonce, Proof: meetProof(right, askLabel, b.id, a.id, nonce)},
		"the proof of an answer": {Version: meetVersion, Nonce: nonce, Proof: meetProof(right, metLabel, c.id, a.id, nonce)},
		"another version":        {Version: 2, Nonce: nonce, Proof: meetProof(right, askLabel, c.id, a.id, nonce)},
	} {
		request, err := memo.Marshal(proof)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := c.request(t.Context(), toID(a.id), meetProtocol, request, maxAnswer)
		if !errors.Is(err, network.ErrReset) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("with %s a says %q, %v", what, reply, err)
		}
	}
	if a.isMember(toID(c.id)) || count(a.all(), gossip.Met{Space: space, Peer: c.id}) > 0 {
		t.Fatal("a stranger passes for a member")
	}
}

// Where a peer is only it can say: a record that another signed is ignored.
func TestForgedRecordsAreIgnored(t *testing.T) {
	a, b, c := start(t, serving(1), Options{}), newCore(2), newCore(3)
	named := gossip.Peer(b.key.Public().(ed25519.PublicKey))
	for _, signer := range []*testCore{c, b} {
		key, err := crypto.UnmarshalEd25519PrivateKey(signer.key)
		if err != nil {
			t.Fatal(err)
		}
		at := multiaddr.StringCast("/ip4/127.0.0.1/tcp/1")
		e, err := record.Seal(&peer.PeerRecord{PeerID: toID(named), Addrs: []multiaddr.Multiaddr{at}, Seq: 1}, key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		a.heardOf(space, data)
		honest := signer == b
		if a.candidates.has(toID(named)) != honest || len(a.host.Peerstore().Addrs(toID(named))) > 0 != honest {
			t.Fatalf("signed by itself %v: candidate %v at %v", honest, a.candidates.has(toID(named)), a.host.Peerstore().Addrs(toID(named)))
		}
	}
}
