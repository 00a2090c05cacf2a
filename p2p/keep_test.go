package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"lightcone/p2p/gossip"
)

func TestIdentity(t *testing.T) {
	for n := range byte(8) {
		key := newCore(n).key
		secret, err := crypto.UnmarshalEd25519PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.IDFromPrivateKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		p := gossip.Peer(key.Public().(ed25519.PublicKey))
		if toID(p) != want || want.String() != p.String() {
			t.Fatalf("%s becomes %s, libp2p says %s", p, toID(p), want)
		}
		if back, err := toPeer(want); err != nil || back != p {
			t.Fatalf("%s becomes %s, %v", want, back, err)
		}
	}
	secret, _, err := crypto.GenerateECDSAKeyPair(strings.NewReader(strings.Repeat("entropy ", 99)))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := peer.IDFromPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := toPeer(foreign); !errors.Is(err, ErrIdentity) {
		t.Fatalf("an ecdsa identity gives %v", err)
	}
	if (&Gater{}).allows(foreign) {
		t.Fatal("the gater lets in what is no author")
	}
}

func TestGater(t *testing.T) {
	var g Gater
	p, other := gossip.Peer{1}, gossip.Peer{2}
	asks := func(p gossip.Peer) []bool {
		return []bool{
			g.InterceptPeerDial(toID(p)),
			g.InterceptAddrDial(toID(p), nil),
			g.InterceptSecured(network.DirInbound, toID(p), nil),
			g.InterceptSecured(network.DirOutbound, toID(p), nil),
		}
	}
	check := func(when string, p gossip.Peer, allowed bool) {
		t.Helper()
		if slices.Contains(asks(p), !allowed) || g.Blocked(p) == allowed {
			t.Fatalf("%s: answers %v, want %v", when, asks(p), allowed)
		}
	}
	check("at first", p, true)
	g.Block(p)
	check("blocked by name", p, false)
	check("not named", other, true)
	g.Block()
	check("everybody blocked", other, false)
	g.Unblock()
	check("unblocked", p, true)
	check("unblocked", other, true)
}

func TestBlockCutsAndUnblockReconnects(t *testing.T) {
	for name, listen := range map[string][]string{"tcp": overTCP, "quic": overQUIC} {
		for _, dialler := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/blocker dialled %v", name, dialler), func(t *testing.T) {
				n := startN(t, 3, Options{Listen: listen})
				a, b, c := n[0], n[1], n[2]
				if dialler {
					connect(t, a, b)
				} else {
					connect(t, b, a)
				}
				connect(t, a, c)
				a.Do(&gossip.Effects{
					Open: []gossip.Open{{Session: 2, Peer: b.id}},
					Send: []gossip.Send{{Session: 2, Data: []byte("x")}},
				})
				b.awaitFrames(t, 1)
				a.Block(b.id)
				if a.connected(toID(b.id)) {
					t.Fatal("still connected after Block")
				}
				a.awaitDown(t, b.id)
				b.awaitDown(t, a.id)
				if a.awaitClosed(t, 1)[0].Err == nil || b.awaitClosed(t, 1)[0].Err == nil {
					t.Fatal("a cut looks like an orderly end")
				}
				if err := b.dial(t.Context(), toID(a.id)); err == nil {
					eventually(t, "refusal of the dialler", func() bool { return !b.connected(toID(a.id)) })
				}
				if err := a.dial(t.Context(), toID(b.id)); err == nil {
					t.Fatal("a dials whom it blocks")
				}
				if !a.connected(toID(c.id)) {
					t.Fatal("c was cut off as well")
				}
				a.Unblock()
				a.awaitUp(t, b.id, 2)
				b.awaitUp(t, a.id, 2)
			})
		}
	}
}

func TestBlockEverybody(t *testing.T) {
	n := startN(t, 3, Options{})
	a, b, c := n[0], n[1], n[2]
	connect(t, a, b)
	connect(t, c, a)
	a.Block()
	for _, p := range []node{b, c} { // else the new connection may come before the old one is gone
		a.awaitDown(t, p.id)
		p.awaitDown(t, a.id)
	}
	if len(a.Peers()) != 0 {
		t.Fatalf("connected to %v", a.Peers())
	}
	a.Unblock()
	for _, p := range []node{b, c} {
		a.awaitUp(t, p.id, 2)
		p.awaitUp(t, a.id, 2)
	}
}

// Keep finds a peer that starts later, and one that comes back.
func TestKeepRedials(t *testing.T) {
	a := start(t, newCore(1), Options{})
	b, err := Serve(t.Context(), newCore(2), Options{Listen: overTCP})
	if err != nil {
		t.Fatal(err)
	}
	addrs := b.Addrs()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	p, _ := toPeer(b.host.ID())
	a.Keep(p, addrs)
	a.Keep(p, addrs)
	for round := 1; round <= 2; round++ {
		addr, _, _ := strings.Cut(addrs[0], "/p2p/")
		again, err := Serve(t.Context(), newCore(2), Options{Listen: []string{addr}})
		if err != nil {
			t.Fatal(err)
		}
		a.awaitUp(t, p, round)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		a.await(t, "PeerDown", func(in []gossip.Input) bool { return count(in, gossip.PeerDown{Peer: p}) == round })
	}
	for i, in := range a.all() {
		want := gossip.Input(gossip.PeerUp{Peer: p})
		if i%2 == 1 {
			want = gossip.PeerDown{Peer: p}
		}
		if in != want {
			t.Fatalf("input %d is %#v: up and down must alternate", i, in)
		}
	}
}

// The core may be slow: what it is told is the state, however often it changed.
func TestPresence(t *testing.T) {
	var p presence
	p.init()
	id := toID(gossip.Peer{1})
	up, down := gossip.PeerUp{Peer: gossip.Peer{1}}, gossip.PeerDown{Peer: gossip.Peer{1}}
	for i, step := range []struct {
		set  []bool
		want []gossip.Input
	}{
		{[]bool{true, true}, []gossip.Input{up}},
		{[]bool{true}, nil},
		{[]bool{false, true, false, true}, []gossip.Input{down, up}},
		{[]bool{false, true, false}, []gossip.Input{down}},
		{[]bool{false, true, false}, nil},
		{[]bool{true}, []gossip.Input{up}},
		{[]bool{false}, []gossip.Input{down}},
	} {
		for _, up := range step.set {
			p.set(id, up)
		}
		for _, want := range step.want {
			if got, ok := p.next(); !ok || got != want {
				t.Fatalf("step %d tells %#v, want %#v", i, got, want)
			}
		}
		if got, ok := p.next(); ok {
			t.Fatalf("step %d also tells %#v", i, got)
		}
	}
	if len(p.peers) != 0 {
		t.Fatalf("remembers %v", p.peers)
	}
}

func TestPeersAddrsTraffic(t *testing.T) {
	a := start(t, newCore(1), Options{Listen: []string{"/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1"}})
	b := start(t, newCore(2), Options{})
	loopback := false
	for _, addr := range a.Addrs() {
		if !strings.HasSuffix(addr, "/p2p/"+a.id.String()) || strings.Contains(addr, "0.0.0.0") {
			t.Fatalf("%s is no address to hand out", addr)
		}
		loopback = loopback || strings.HasPrefix(addr, "/ip4/127.0.0.1/")
	}
	if !loopback {
		t.Fatalf("no loopback among %v", a.Addrs())
	}
	connect(t, b, a)
	peers := a.Peers()
	if len(peers) != 1 || peers[0].Peer != b.id || len(peers[0].Addrs) == 0 || peers[0].Relayed {
		t.Fatalf("peers %+v", peers)
	}
	eventually(t, "round trip time", func() bool { return a.Peers()[0].RTT > 0 })
	eventually(t, "traffic", func() bool { tr := a.Traffic(); return tr.Sent > 0 && tr.Received > 0 })
}

func TestOptions(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Options{Listen: []string{"localhost:4001"}}
	if _, err := Serve(t.Context(), newCore(1), bad); !errors.Is(err, ErrOptions) {
		t.Fatalf("got %v", err)
	}
	nowhere := Options{Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/192.0.2.1/tcp/1"}}
	if _, err := Serve(t.Context(), newCore(1), nowhere); err == nil || !strings.Contains(err.Error(), "another address or port") {
		t.Fatalf("listening where nothing is ours gives %v", err)
	}
}

func TestContextEndsServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, err := Serve(ctx, newCore(1), Options{Listen: overTCP})
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, newCore(2), Options{})
	p, _ := toPeer(a.host.ID())
	b.Keep(p, a.Addrs())
	b.awaitUp(t, p, 1)
	cancel()
	b.awaitDown(t, p)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a.Do(&gossip.Effects{Open: []gossip.Open{{Session: 2, Peer: b.id}}}) // harmless
	if _, err := a.Ask(t.Context(), b.id, nil, nil); err == nil {
		t.Fatal("a closed server asks")
	}
}
