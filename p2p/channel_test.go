package p2p

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-pubsub/pb"

	"lightcone/p2p/gossip"
)

// timesHeard counts how often a root was heard.
func timesHeard(n node, data []byte) (times int) {
	for _, h := range pick[*gossip.HeardRoot](n.all()) {
		if h.Space == space && bytes.Equal(h.Data, data) {
			times++
		}
	}
	return times
}

// tell announces until each listener has heard one of the announcements, which it
// returns: a mesh takes a moment to form.
func tell(t *testing.T, from node, text string, listeners ...node) []byte {
	t.Helper()
	deadline := time.Now().Add(patience)
	for i := 0; time.Now().Before(deadline); i++ {
		data := fmt.Appendf(nil, "%s, attempt %d", text, i)
		from.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Roots: true, Data: data}}})
		for range 50 {
			if !slices.ContainsFunc(listeners, func(n node) bool { return timesHeard(n, data) == 0 }) {
				return data
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	t.Fatalf("%q was never heard by all", text)
	return nil
}

// Three hosts, each connected with the others, and a stranger, connected with all
// of them, that would let them in.
func TestRootsAreHeardOnceAndNotByStrangers(t *testing.T) {
	n := startServing(t, 4, space)
	a, b, c, stranger := n[0], n[1], n[2], n[3]
	for _, x := range []node{a, b, c} {
		stranger.testCore.admit(space, x.id)
		connect(t, stranger, x)
	}
	connect(t, a, b)
	connect(t, b, c)
	connect(t, c, a)
	admitEachOther(space, a, b, c)
	meshed(t, space, a, b, c)
	data := tell(t, a, "a root", b, c)
	fence := tell(t, a, "one more", b, c) // what came before it is here by now
	for _, x := range []node{b, c} {
		if timesHeard(x, data) != 1 || timesHeard(x, fence) != 1 {
			t.Errorf("heard %d and %d times", timesHeard(x, data), timesHeard(x, fence))
		}
		if got := pick[*gossip.Heard](x.all()); len(got) != 0 {
			t.Errorf("a root came as a memo: %q", got[0].Data)
		}
		if got := x.Traffic().Topics; got.Roots < 2 || got.Roots > got.Messages || got.Copies < got.Roots || got.CopyBytes == 0 {
			t.Errorf("traffic counts %+v", got)
		}
	}
	tell(t, stranger, "from the stranger to itself", startPeerOf(t, stranger))
	if got := pick[*gossip.HeardRoot](stranger.all()); len(got) != 0 {
		t.Errorf("the stranger heard %q", got[0].Data)
	}
	for _, x := range []node{a, b, c} {
		for _, h := range pick[*gossip.HeardRoot](x.all()) {
			if h.Peer == x.id || bytes.Contains(h.Data, []byte("stranger")) {
				t.Errorf("heard %q from %s", h.Data, h.Peer)
			}
		}
	}
}

// What a peer may not send is neither heard nor relayed: c is connected with b
// alone.
func TestRootsOfAFloodAreNotRelayed(t *testing.T) {
	n := startServing(t, 3, space)
	a, b, c := n[0], n[1], n[2]
	connect(t, a, b)
	connect(t, b, c)
	admitEachOther(space, a, b)
	admitEachOther(space, b, c)
	meshed(t, space, a, b)
	meshed(t, space, b, c)
	tell(t, a, "before", b, c)
	long := make([]byte, gossip.MaxAnnouncement+1)
	mesh := a.topics.get(space).roots.mesh
	if err := mesh.Publish(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	const flood = 4 * gossip.RootsBurst
	begun := time.Now()
	for i := range flood {
		if err := mesh.Publish(t.Context(), fmt.Append(nil, "junk ", i)); err != nil {
			t.Fatal(err)
		}
	}
	tell(t, a, "behind", b, c)
	most := gossip.RootsBurst + int(time.Since(begun)/gossip.RootsEvery) + 1
	for _, x := range []node{b, c} {
		if timesHeard(x, long) != 0 {
			t.Error("an announcement above the limit was heard")
		}
		if got := len(pick[*gossip.HeardRoot](x.all())); got > most+5 { // what tell said before
			t.Errorf("%d of a flood were heard, at most %d are let through", got, most)
		}
	}
	if b.Traffic().Dropped == 0 {
		t.Error("what b did not take is not counted")
	}
}

// An announcement is named by all of its content, a run by what follows the hint.
func TestMessagesAreNamedByContent(t *testing.T) {
	id := func(suffix, data string) string {
		name := topicPrefix + space.String() + suffix
		return messageID(&pb.Message{Topic: &name, Data: []byte(data)})
	}
	if id(memosSuffix, "1 hint a the run") != id(memosSuffix, "1 hint b the run") {
		t.Error("a run with another hint has another name")
	}
	if id(rootsSuffix, "1 root a the rest") == id(rootsSuffix, "1 root b the rest") {
		t.Error("two announcements have one name")
	}
}

// Recon starts with a new link of the topic of memos.
func TestLinksOfRootsAreNotTold(t *testing.T) {
	m := meshTracer{&tally{}, newInbox(), "memos", nil}
	if m.Graft("x", "roots"); len(m.links.take()) != 0 {
		t.Error("a link of the topic of roots is told")
	}
	if m.Graft("x", "memos"); len(m.links.take()) != 1 {
		t.Error("a link is not told")
	}
}

// What the core announces above the limit, or faster than gossipsub takes it, is
// dropped and counted.
func TestDroppedAnnouncementsAreCounted(t *testing.T) {
	c := newCore(1)
	c.spaces = append(c.spaces, space)
	a := start(t, c, Options{})
	e := gossip.Effects{Publish: []gossip.Publish{{Space: space, Roots: true, Data: make([]byte, gossip.MaxAnnouncement+1)}}}
	a.Do(&e)
	if got := a.Traffic().Dropped; got != 1 {
		t.Fatalf("%d dropped after one above the limit", got)
	}
	e.Reset()
	for i := range 100 * announceQueue {
		e.Publish = append(e.Publish, gossip.Publish{Space: space, Roots: true, Data: fmt.Append(nil, "root ", i)})
	}
	if a.Do(&e); a.Traffic().Dropped < 2 {
		t.Errorf("%d dropped after a flood", a.Traffic().Dropped)
	}
}
