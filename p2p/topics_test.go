package p2p

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"lightcone/memo"
	"lightcone/p2p/gossip"
)

var space, otherSpace = memo.SpaceID{1}, memo.SpaceID{2}

// startServing starts n nodes that serve the spaces.
func startServing(t *testing.T, n int, spaces ...memo.SpaceID) []node {
	t.Helper()
	nodes := make([]node, n)
	for i := range nodes {
		c := newCore(byte(i + 1))
		c.spaces = spaces
		nodes[i] = start(t, c, Options{})
	}
	return nodes
}

// say publishes until the listener has heard one of the messages: a mesh takes a
// moment to form, and publications before it are lost by design.
func say(t *testing.T, from node, space memo.SpaceID, text string, listener node) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for i := 0; time.Now().Before(deadline); i++ {
		data := fmt.Appendf(nil, "%s, attempt %d", text, i)
		from.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: data}}})
		for range 50 {
			if heard(listener.all(), data) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Fatalf("%q was never heard", text)
}

func admitEachOther(space memo.SpaceID, nodes ...node) {
	for _, a := range nodes {
		var e gossip.Effects
		for _, b := range nodes {
			if a.id != b.id {
				a.testCore.admit(space, b.id)
				e.Admit = append(e.Admit, gossip.Admit{Space: space, Peer: b.id})
			}
		}
		a.Do(&e)
	}
}

// meshed waits until each node has the others on its topic.
func meshed(t *testing.T, space memo.SpaceID, nodes ...node) {
	t.Helper()
	for _, a := range nodes {
		eventually(t, "peers on the topic", func() bool {
			on := a.topics.get(space).memos.mesh.ListPeers()
			return !slices.ContainsFunc(nodes, func(b node) bool {
				return b.id != a.id && !slices.Contains(on, toID(b.id))
			})
		})
	}
}

// linked waits until a and b relay to each other.
func linked(t *testing.T, space memo.SpaceID, a, b node) {
	t.Helper()
	for _, x := range [][2]node{{a, b}, {b, a}} {
		x[0].await(t, "link", func(in []gossip.Input) bool {
			return count(in, gossip.Linked{Space: space, Peer: x[1].id}) > 0
		})
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// A and C are connected with B alone. S is a stranger: connected with all of
// them, it even subscribes to the same topic.
func TestPublishThroughOneHopAndNotToStrangers(t *testing.T) {
	n := startServing(t, 4, space)
	a, b, c, stranger := n[0], n[1], n[2], n[3]
	for _, x := range []node{a, b, c} {
		stranger.testCore.admit(space, x.id) // it would let them in; they do not
		connect(t, stranger, x)
	}
	connect(t, a, b)
	connect(t, b, c)
	admitEachOther(space, a, b)
	admitEachOther(space, b, c)
	meshed(t, space, a, b)
	meshed(t, space, b, c)
	say(t, a, space, "from a", c)
	say(t, c, space, "from c", a)
	b.await(t, "both messages at b", func(in []gossip.Input) bool { return len(pick[*gossip.Heard](in)) >= 2 })

	say(t, stranger, space, "from the stranger to itself", startPeerOf(t, stranger))
	for _, x := range []node{a, b, c} {
		for _, h := range pick[*gossip.Heard](x.all()) {
			if h.Space != space || h.Peer == x.id || strings.Contains(string(h.Data), "stranger") {
				t.Fatalf("heard %s from %s", h.Data, h.Peer)
			}
		}
		if on := x.topics.get(space).memos.mesh.ListPeers(); slices.Contains(on, toID(stranger.id)) {
			t.Fatal("the stranger is on the topic")
		}
	}
	if got := pick[*gossip.Heard](stranger.all()); len(got) != 0 {
		t.Fatalf("the stranger heard %q", got[0].Data)
	}
	for _, st := range streamsTo(stranger, a, b, c) {
		if isTopicProtocol(st.Protocol()) && st.Stat().Direction == network.DirInbound {
			t.Fatalf("a stream of %s reached the stranger", st.Protocol())
		}
	}
}

// Whoever takes in nothing of what is published still carries it: relaying is not
// hearing.
func TestRelaysWhatIsNotHeard(t *testing.T) {
	n := startServing(t, 3, space)
	a, deaf, c := n[0], n[1], n[2]
	deaf.mu.Lock()
	deaf.refuse = func(in gossip.Input) error {
		if _, memos := in.(*gossip.Heard); memos {
			return errors.New("not heard")
		}
		return nil
	}
	deaf.mu.Unlock()
	connect(t, a, deaf)
	connect(t, deaf, c)
	admitEachOther(space, a, deaf)
	admitEachOther(space, deaf, c)
	meshed(t, space, a, deaf)
	meshed(t, space, deaf, c)
	say(t, a, space, "from a", c)
	say(t, c, space, "from c", a)
	if got := pick[*gossip.Heard](deaf.all()); len(got) != 0 {
		t.Fatalf("the one between took in %q", got[0].Data)
	}
}

// startPeerOf starts one more node, admitted by x and admitting it.
func startPeerOf(t *testing.T, x node) node {
	t.Helper()
	c := newCore(99)
	c.spaces = x.spaces
	y := start(t, c, Options{})
	connect(t, y, x)
	admitEachOther(x.spaces[0], x, y)
	return y
}

func streamsTo(x node, others ...node) (all []network.Stream) {
	for _, o := range others {
		for _, c := range x.host.Network().ConnsToPeer(toID(o.id)) {
			all = append(all, c.GetStreams()...)
		}
	}
	return all
}

// Whoever admits last, and however late, the topic works from then on.
func TestAdmittedAfterConnecting(t *testing.T) {
	n := startServing(t, 2, space)
	a, b := n[0], n[1]
	connect(t, a, b)
	a.Do(&gossip.Effects{Admit: []gossip.Admit{{Space: space, Peer: b.id}}})
	a.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: []byte("too early for b")}}})
	eventually(t, "stream of a that waits at b", func() bool {
		b.topics.mu.Lock()
		defer b.topics.mu.Unlock()
		return b.topics.waiting > 0
	})
	if got := pick[*gossip.Heard](b.all()); len(got) != 0 {
		t.Fatalf("b has not admitted a and heard %q", got[0].Data)
	}
	b.Do(&gossip.Effects{Admit: []gossip.Admit{{Space: space, Peer: a.id}}})
	meshed(t, space, a, b)
	linked(t, space, a, b)
	for _, text := range []string{"one", "two"} {
		a.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: []byte(text)}}})
		b.awaitHeard(t, []byte(text))
		b.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: []byte("re: " + text)}}})
		a.awaitHeard(t, []byte("re: "+text))
	}
	if got := len(pick[*gossip.Heard](a.all())); got != 2 {
		t.Fatalf("a heard %d messages, its own among them?", got)
	}
}

// Peers that the core knows need no new proof at the next connection, and a
// space served later works with those already connected.
func TestAdmittedByCoreAndServedLater(t *testing.T) {
	n := startServing(t, 2)
	a, b := n[0], n[1]
	a.testCore.admit(space, b.id)
	b.testCore.admit(space, a.id)
	connect(t, a, b)
	a.Serve(space)
	b.Serve(space)
	linked(t, space, a, b)
	a.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: []byte("hello")}}})
	b.awaitHeard(t, []byte("hello"))
	b.Block(a.id)
	a.awaitDown(t, b.id)
	b.awaitDown(t, a.id)
	b.Unblock()
	a.awaitUp(t, b.id, 2)
	b.awaitUp(t, a.id, 2)
	meshed(t, space, a, b)
	say(t, b, space, "hello again", a)
}

// A peer of one space learns nothing of another.
func TestSpacesAreSeparate(t *testing.T) {
	n := startServing(t, 2, space, otherSpace)
	a, b := n[0], n[1]
	connect(t, a, b)
	b.testCore.admit(otherSpace, a.id)
	admitEachOther(space, a, b)
	linked(t, space, a, b)
	a.Do(&gossip.Effects{Publish: []gossip.Publish{
		{Space: otherSpace, Data: []byte("secret")},
		{Space: space, Data: []byte("shared")},
	}})
	b.awaitHeard(t, []byte("shared"))
	if heard(b.all(), []byte("secret")) {
		t.Fatal("b heard what is not for it")
	}
	for _, st := range streamsTo(b, a) {
		if strings.Contains(string(st.Protocol()), otherSpace.String()) && st.Stat().Direction == network.DirInbound {
			t.Fatalf("a opened %s", st.Protocol())
		}
	}
	protocols, err := b.host.Peerstore().GetProtocols(toID(a.id))
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(protocols, func(p protocolID) bool { return strings.Contains(string(p), otherSpace.String()) }) {
		t.Fatalf("identify tells of the other space: %v", protocols)
	}
}

func TestWaitingStreamsAreBounded(t *testing.T) {
	var ts topics
	ts.init(true)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan *topic)
	for range maxPeerWaiting {
		go func() { done <- ts.await(ctx, space, "x") }()
	}
	eventually(t, "waiters", func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return ts.waiting == maxPeerWaiting
	})
	if ts.await(ctx, space, "x") != nil || ctx.Err() != nil {
		t.Fatal("one more was let wait")
	}
	cancel()
	for range maxPeerWaiting {
		if <-done != nil {
			t.Fatal("admitted without anybody doing so")
		}
	}
	if ts.waiting != 0 || len(ts.queued) != 0 {
		t.Fatalf("%d wait still: %v", ts.waiting, ts.queued)
	}
}

func TestNoGossip(t *testing.T) {
	var n []node
	for i := range 2 {
		c := newCore(byte(i + 1))
		c.spaces = []memo.SpaceID{space}
		n = append(n, start(t, c, Options{NoGossip: true}))
	}
	a, b := n[0], n[1]
	connect(t, a, b)
	admitEachOther(space, a, b)
	a.Do(&gossip.Effects{
		Publish: []gossip.Publish{{Space: space, Data: []byte("into the void")}},
		Open:    []gossip.Open{{Session: 2, Peer: b.id}},
		Send:    []gossip.Send{{Session: 2, Data: []byte("by recon")}},
	})
	b.awaitFrames(t, 1)
	if got := pick[*gossip.Heard](b.all()); len(got) != 0 {
		t.Fatalf("b heard %q", got[0].Data)
	}
	if a.Traffic().Dropped != 0 {
		t.Fatal("what is turned off counts as dropped")
	}
}

func TestDroppedPublicationsAreCounted(t *testing.T) {
	c := newCore(1)
	c.spaces = []memo.SpaceID{space}
	a := start(t, c, Options{})
	a.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: make([]byte, gossip.MaxMessage+1)}}})
	if got := a.Traffic().Dropped; got != 1 {
		t.Fatalf("%d dropped after one publication above the limit", got)
	}
	var flood gossip.Effects
	for i := range 16 * publishQueue {
		flood.Publish = append(flood.Publish, gossip.Publish{Space: space, Data: fmt.Append(nil, "message ", i)})
	}
	a.Do(&flood)
	if got := a.Traffic().Dropped; got < 2 {
		t.Fatalf("%d dropped after a flood", got)
	}
}
