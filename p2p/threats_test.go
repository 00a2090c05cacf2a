package p2p

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"lightcone/p2p/gossip"
)

// hostile starts a bare libp2p host that does what no peer of ours would.
func hostile(t *testing.T) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(key), libp2p.NoListenAddrs, libp2p.Transport(tcp.NewTCPTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// reach dials a node and reports whether it is still connected once identified.
func reach(t *testing.T, h host.Host, n node) bool {
	t.Helper()
	infos, err := parsePeers(n.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	return h.Connect(t.Context(), infos[0]) == nil && h.Network().Connectedness(infos[0].ID) == network.Connected
}

// openTo opens a stream of a protocol to a node.
func openTo(t *testing.T, h host.Host, n node, protocol protocolID) network.Stream {
	t.Helper()
	if !reach(t, h, n) {
		t.Fatal("no connection")
	}
	st, err := h.NewStream(t.Context(), toID(n.id), protocol)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return st
}

// Eclipse, sybil: thirty hosts of one net dial a node. They get the places of
// strangers of one net and no more, however often they try; a member from the same
// net enters beside them, and a pinned peer is reached.
func TestSybilsOfOneNetTakeFewPlaces(t *testing.T) {
	a := start(t, serving(1), Options{})
	in := 0
	var sybils []host.Host
	for range 30 {
		sybils = append(sybils, hostile(t))
	}
	for _, h := range append(sybils, sybils...) {
		reach(t, h, a)
	}
	for _, h := range sybils {
		if a.connected(h.ID()) {
			in++
		}
	}
	if in == 0 || in > maxNetStrangers {
		t.Fatalf("%d of %d are connected, want 1 to %d", in, len(sybils), maxNetStrangers)
	}
	member, pinned, stranger := start(t, newCore(2), Options{}), start(t, newCore(3), Options{}), start(t, newCore(4), Options{})
	a.testCore.admit(space, member.id)
	connect(t, member, a)
	connect(t, a, pinned)
	if err := stranger.host.Connect(t.Context(), peer.AddrInfo{ID: toID(a.id), Addrs: a.host.Addrs()}); err == nil {
		eventually(t, "refusal of one more stranger", func() bool { return !a.connected(toID(stranger.id)) })
	}
}

// Who dialled us and neither proves to be a member nor is of use is sent away.
func TestIdleStrangersAreDismissed(t *testing.T) {
	a := start(t, serving(1), Options{Relay: true})
	idle, member, relayed := hostile(t), start(t, newCore(2), Options{}), start(t, newCore(3), Options{Listen: nowhere})
	reach(t, idle, a)
	for _, n := range []node{member, relayed} {
		if !reach(t, n.host, a) {
			t.Fatal("no connection")
		}
	}
	a.Do(&gossip.Effects{Admit: []gossip.Admit{{Space: space, Peer: member.id}}})
	eventually(t, "reservation", func() bool { return len(relayed.relays.addrs(nil)) > 0 })
	a.dismiss(time.Now())
	if !a.connected(idle.ID()) {
		t.Fatal("a stranger that has just come is sent away")
	}
	a.dismiss(time.Now().Add(2 * strangerPatience))
	eventually(t, "end of the idle stranger", func() bool { return !a.connected(idle.ID()) })
	if !a.connected(toID(member.id)) || !a.connected(toID(relayed.id)) {
		t.Fatal("a member, or a peer that we relay for, was sent away")
	}
}

// Slow-loris: a stranger that keeps a recon stream open with a byte now and then
// loses it soon; so does a member whose frame never ends.
func TestSlowStreamsEnd(t *testing.T) {
	for _, member := range []bool{false, true} {
		t.Run(fmt.Sprintf("member %v", member), func(t *testing.T) {
			t.Parallel() // it waits for a moment to pass
			o := Options{bounds: defaultBounds()}
			o.bounds.hello, o.bounds.idle = moment, moment
			a, h := start(t, serving(1), o), hostile(t)
			if p, err := toPeer(h.ID()); member && err == nil {
				a.testCore.admit(space, p)
			}
			st := openTo(t, h, a, reconProtocol)
			stop := time.After(patience)
			for sent := binary.AppendUvarint(nil, 1000); ; sent = []byte{0} { // a frame of 1,000 bytes is announced
				if _, err := st.Write(sent); err != nil {
					break
				}
				select {
				case <-time.After(20 * time.Millisecond):
					continue
				case <-stop:
				}
				t.Fatal("the stream is still open")
			}
			if end := a.awaitClosed(t, 1)[0]; !isTimeout(end.Err) {
				t.Fatalf("it ended with %v", end.Err)
			}
		})
	}
}

// A stranger that says nothing at all loses its stream as well.
func TestSilentStrangersLoseTheirStreams(t *testing.T) {
	t.Parallel() // it waits for a moment to pass
	o := Options{bounds: defaultBounds()}
	o.bounds.hello = moment
	a, h := start(t, serving(1), o), hostile(t)
	st := openTo(t, h, a, reconProtocol)
	frame := append([]byte{4}, "junk"...)
	if _, err := st.Write(frame); err != nil {
		t.Fatal(err)
	}
	a.awaitFrames(t, 1) // the core may take its time to decide
	if end := a.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrStranger) {
		t.Fatalf("it ended with %v", end.Err)
	}
}

// Amplification: five bytes of a stranger make a core that errs send megabytes. What
// goes out before the stranger proved anything is bounded.
func TestStrangersAreSentLittle(t *testing.T) {
	c := serving(1)
	var a node
	c.refuse = func(in gossip.Input) error {
		if f, ok := in.(*gossip.Frame); ok {
			var e gossip.Effects
			for range 64 {
				e.Send = append(e.Send, gossip.Send{Session: f.Session, Data: make([]byte, 1<<10)})
			}
			a.Do(&e)
		}
		return nil
	}
	a = start(t, c, Options{})
	h := hostile(t)
	st := openTo(t, h, a, reconProtocol)
	if _, err := st.Write(append([]byte{4}, "junk"...)); err != nil {
		t.Fatal(err)
	}
	got, err := io.Copy(io.Discard, st)
	if err == nil || got > strangerReply+16 { // with the lengths of frames
		t.Fatalf("sent %d bytes and ended with %v, want at most %d and a reset", got, err, strangerReply)
	}
	if end := a.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrStranger) {
		t.Fatalf("it ended with %v", end.Err)
	}
}

// A refusal to join is short, whatever the core has to say.
func TestRefusalsAreShort(t *testing.T) {
	c := newCore(1)
	c.answer = func(gossip.Peer, []byte) ([]byte, error) { return nil, errors.New(strings.Repeat("why ", 4<<10)) }
	a, h := start(t, c, Options{}), hostile(t)
	st := openTo(t, h, a, joinProtocol)
	if _, err := st.Write(append([]byte{4}, "junk"...)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.Copy(io.Discard, st); err != nil || got == 0 || got > maxRefusal+8 {
		t.Fatalf("a refusal of %d bytes, %v", got, err)
	}
}

// A stranger's frames are small, so that its claims take no memory.
func TestStrangersSendLittle(t *testing.T) {
	a, h := start(t, serving(1), Options{}), hostile(t)
	st := openTo(t, h, a, reconProtocol)
	if _, err := st.Write([]byte{0x81, 0x08}); err != nil { // 1025
		t.Fatal(err)
	}
	if end := a.awaitClosed(t, 1)[0]; !errors.Is(end.Err, ErrTooLarge) {
		t.Fatalf("it ended with %v", end.Err)
	}
}

// Who is blamed again and again is disconnected and refused, until that is half
// forgotten.
func TestBlamedPeersAreRefused(t *testing.T) {
	n := startN(t, 2, Options{})
	a, b := n[0], n[1]
	connect(t, b, a)
	for range 3 {
		a.Do(&gossip.Effects{Blame: []gossip.Blame{{Peer: b.id, Err: errors.New("nonsense")}}})
	}
	if got := peerOf(t, a, b).Score; got > 2.9*blameScore || !a.connected(toID(b.id)) {
		t.Fatalf("three blames make a score of %v", got)
	}
	a.Do(&gossip.Effects{Blame: []gossip.Blame{{Peer: b.id, Err: errors.New("nonsense")}}})
	a.awaitDown(t, b.id)
	b.awaitDown(t, a.id)
	if err := a.dial(t.Context(), toID(b.id)); err == nil {
		t.Fatal("a dials whom it banned")
	}
	a.blame.mu.Lock()
	m := a.blame.peers[b.id]
	m.at = m.at.Add(-3 * blameHalfLife / 2)
	a.blame.peers[b.id] = m
	a.blame.mu.Unlock()
	b.awaitUp(t, a.id, 2) // it has kept trying
	a.awaitUp(t, b.id, 2)
}

// The places of strangers are few in all and fewer for each net; members of a net are
// more, and those of this machine are not counted.
func TestCrowd(t *testing.T) {
	now, there := time.Unix(1000, 0), map[peer.ID]bool{}
	c := crowd{most: crowdBounds{strangers: 5, netStrangers: 2, netMembers: 3}}
	enter := func(id peer.ID, net string, member bool) bool {
		ok := c.enter(id, net, member, now, func(id peer.ID) bool { return !there[id] })
		there[id] = ok
		return ok
	}
	for i, step := range []struct {
		id     peer.ID
		net    string
		member bool
		want   bool
	}{
		{"a", "x", false, true},
		{"b", "x", false, true},
		{"c", "x", false, false},
		{"d", "y", false, true},
		{"e", "y", false, true},
		{"f", "y", false, false},
		{"g", "z", false, true},
		{"h", "z", false, false},
		{"a", "x", false, true}, // it is there already
		{"m", "x", true, true},
		{"n", "x", true, true},
		{"o", "x", true, true},
		{"p", "x", true, false},
		{"q", "y", true, true},
		{"r", "127.0.0.0/24", true, true},
		{"s", "127.0.0.0/24", true, true},
		{"t", "127.0.0.0/24", true, true},
		{"u", "127.0.0.0/24", true, true},
	} {
		if got := enter(step.id, step.net, step.member); got != step.want {
			t.Fatalf("step %d, %s from %s: %v", i, step.id, step.net, got)
		}
	}
	c.proven("a")
	if !enter("c", "x", false) {
		t.Fatal("who has proven itself still takes the place of a stranger")
	}
	c.leave("d")
	if !enter("f", "y", false) {
		t.Fatal("who left still takes a place")
	}
	there["e"] = false // its connection failed before it was there
	if enter("h", "y", false) {
		t.Fatal("a place was taken away before the connection could stand")
	}
	if now = now.Add(2 * placing); !enter("h", "y", false) {
		t.Fatal("a connection that never stood takes a place")
	}
}

func TestNets(t *testing.T) {
	relay := "/p2p/12D3KooWKwDFxyifbaqc1mEnS2955acJ7g8S4xvb1vBe2fKbCge7"
	for text, want := range map[string]string{
		"/ip4/203.0.113.7/udp/4001/quic-v1":               "203.0.113.0/24",
		"/ip4/203.0.113.200/tcp/1/ws":                     "203.0.113.0/24",
		"/ip6/2001:db8:1:2::7/tcp/1":                      "2001:db8:1::/48",
		"/ip6/::ffff:203.0.113.9/tcp/1":                   "203.0.113.0/24",
		"/ip4/203.0.113.7/tcp/1" + relay + "/p2p-circuit": relay[5:],
		relay + "/p2p-circuit":                            relay[5:],
		"/dns4/example.org/tcp/1":                         "",
	} {
		if got := netOf(multiaddr.StringCast(text)); got != want {
			t.Errorf("%s is in net %q, want %q", text, got, want)
		}
	}
}

// Eclipse: thirty candidates of one net do not keep those of others from being chosen.
func TestCandidatesOfManyNetsAreChosenFirst(t *testing.T) {
	var c candidates
	c.init()
	net := func(id peer.ID) string { return string(id[:1]) }
	for i := range 30 {
		c.add(space, peer.ID(fmt.Sprintf("hostile %d", i)), false)
	}
	for _, id := range []peer.ID{"a", "b", "d"} {
		c.add(space, id, false)
	}
	beside := map[string]int{"d": 9}
	chosen, _ := c.choose(4, time.Now(), beside, net, func(id peer.ID) bool { return id == "hostile 7" })
	count := map[string]int{}
	for _, x := range chosen {
		count[net(x.id)]++
	}
	if len(chosen) != 4 || count["a"] != 1 || count["b"] != 1 || count["h"] != 2 {
		t.Fatalf("chosen by net: %v", count)
	}
	if more, _ := c.choose(4, time.Now(), beside, net, func(peer.ID) bool { return false }); len(more) != 0 {
		t.Fatalf("%d more are dialled beside the four", len(more))
	}
}

// One address gets few connections, others get theirs, and in all there are not more
// than maxInbound.
func TestConnectionsAreLimited(t *testing.T) {
	m, err := newResourceManager()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	peers := byte(0)
	open := func(ip string) error {
		c, err := m.OpenConnection(network.DirInbound, false, multiaddr.StringCast("/ip4/"+ip+"/tcp/1"))
		if err != nil {
			return err
		}
		peers++
		return c.SetPeer(toID(gossip.Peer{peers, ip[len(ip)-1]}))
	}
	taken := 0
	for range 2 * maxAddrConns {
		if open("203.0.113.5") == nil {
			taken++
		}
	}
	if taken != maxAddrConns {
		t.Fatalf("one address has %d connections", taken)
	}
	for i := range maxInbound {
		if open(fmt.Sprintf("198.51.%d.%d", i/250, 1+i%250)) == nil {
			taken++
		}
	}
	if taken > maxInbound || taken < maxInbound/2 {
		t.Fatalf("%d connections came in", taken)
	}
}
