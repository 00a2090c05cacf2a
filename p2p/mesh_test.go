package p2p

import (
	"fmt"
	"testing"
	"time"

	"lightcone/p2p/gossip"
)

// Twelve peers, each connected with all. Once their mesh stands, what each says
// reaches all, by gossip alone: there is no recon between these cores. A message
// comes in few copies, and they are counted.
func TestSparseMeshReachesAll(t *testing.T) {
	const peers = 12
	nodes := startServing(t, peers, space)
	for i, a := range nodes {
		for _, b := range nodes[:i] {
			connect(t, a, b)
		}
	}
	admitEachOther(space, nodes...)
	meshed(t, space, nodes...)
	deadline := time.Now().Add(patience)
	for round := 0; !sayAll(nodes, round); round++ { // what is said before the mesh stands may be lost
		if time.Now().After(deadline) {
			t.Fatalf("in each of %d rounds a message was lost", round)
		}
	}
	var copies, messages int64
	for i, a := range nodes {
		got := a.Traffic().Topics
		if heard := int64(len(pick[*gossip.Heard](a.all()))); got.Messages < heard || got.Copies < got.Messages {
			t.Errorf("peer %d heard %d messages and counts %+v", i, heard, got)
		}
		if got.CopyBytes < got.Copies*int64(len(roundText(0, 0))) || got.Bytes < got.CopyBytes {
			t.Errorf("peer %d counts %+v", i, got)
		}
		copies, messages = copies+got.Copies, messages+got.Messages
	}
	if per := float64(copies) / float64(messages); per > meshHigh {
		t.Errorf("a message came in %.2f copies", per)
	}
}

// roundText differs behind what a message's id leaves out, its header.
func roundText(round, peer int) []byte {
	return fmt.Appendf(nil, "of the header: peer %2d, round %2d", peer, round)
}

// sayAll lets each node say something and reports whether all heard all of it. Each
// round waits longer than the one before, for a machine that is busy.
func sayAll(nodes []node, round int) bool {
	for i, a := range nodes {
		a.Do(&gossip.Effects{Publish: []gossip.Publish{{Space: space, Data: roundText(round, i)}}})
	}
	missing := func() bool {
		for i, a := range nodes {
			in := a.all()
			for j := range nodes {
				if i != j && !heard(in, roundText(round, j)) {
					return true
				}
			}
		}
		return false
	}
	for end := time.Now().Add(time.Duration(4*(1+round)) * heartbeat); missing(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// What was published while a peer had no link is not lost for it: recon is due
// as soon as the link stands, so the core must hear of it on both sides, and
// again when the peer left and came back.
func TestCoreHearsOfLinks(t *testing.T) {
	n := startServing(t, 2, space)
	a, b := n[0], n[1]
	connect(t, a, b)
	admitEachOther(space, a, b)
	linked(t, space, a, b)
	b.Block(a.id)
	a.awaitDown(t, b.id)
	b.awaitDown(t, a.id)
	b.Unblock()
	for _, x := range [][2]node{{a, b}, {b, a}} {
		x[0].await(t, "second link", func(in []gossip.Input) bool {
			return count(in, gossip.Linked{Space: space, Peer: x[1].id}) == 2
		})
	}
}
