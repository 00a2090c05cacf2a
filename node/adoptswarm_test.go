package node_test

import (
	"context"
	"fmt"
	"testing"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// TestAdoptSwarm: one replica of a space that adopts writes two thousand edits and
// deletes their bodies; a second joins by its state alone, and a third by that of the
// second, while the first is away. All of them write on, and end up equal.
func TestAdoptSwarm(t *testing.T) {
	t.Parallel() // it waits for disks and links
	ctx := context.Background()
	a := startReplicaWith(t, t.TempDir(), node.Options{Durability: node.None, SegmentSize: 256 << 10}, p2p.Options{})
	var err error
	if a.space, err = a.CreateSpace("default", node.Policy{Trust: memo.Adopt}); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		put(t, a, fmt.Sprint("row", i%500), map[string]string{"n": fmt.Sprint(i), "text": fmt.Sprintf("%0300d", i)})
	}
	want, err := a.space.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done, err := a.Compact(ctx)
	if err != nil || done.First == 1 || done.After >= done.Before {
		t.Fatalf("%+v %v", done, err)
	}
	b := joined(t, a)
	if got := converge(t, []*replica{a, b}); got != want {
		t.Errorf("the digest is %x, was %x before the bodies went", got, want)
	}
	if st, err := b.Status(ctx); err != nil || st.Adopted == 0 {
		t.Errorf("it did not adopt: %+v %v", st.Protocol, err)
	}
	if err := a.Block(); err != nil {
		t.Fatal(err)
	}
	put(t, b, "row7", map[string]string{"by": "b"})
	c := joined(t, b)
	converge(t, []*replica{b, c})
	if st, err := c.Status(ctx); err != nil || st.Adopted == 0 {
		t.Errorf("the third did not adopt: %+v %v", st.Protocol, err)
	}
	for e, err := range c.space.History(ctx, "animals", "row7", node.HistoryQuery{Limit: 1}) {
		if err != nil || e.VouchedBy == (node.PeerID{}) {
			t.Errorf("history: %+v %v", e, err)
		}
	}
	writeOn(t, c, "row9")
	put(t, c, "row8", map[string]string{"by": "c"})
	put(t, a, "row7", map[string]string{"by": "a"})
	if err := a.Unblock(); err != nil {
		t.Fatal(err)
	}
	converge(t, []*replica{a, b, c})
}

// writeOn has a replica edit a row of which it holds no memo, and tell its story.
func writeOn(t *testing.T, r *replica, row string) {
	t.Helper()
	ctx, x := context.Background(), r.space.Session()
	seen, err := x.Get(ctx, "animals", row)
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range []node.Fields{{"seen": seen.Fields["n"]}, {"n": seen.Fields["text"]}} {
		if _, err := x.Put(ctx, "animals", row, fields); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for e, err := range r.space.History(ctx, "animals", row, node.HistoryQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.VouchedBy == (node.PeerID{}) {
			held++
		}
	}
	why, err := r.space.Why(ctx, "animals", row)
	if err != nil || held != 2 || len(why.Fields) != 3 {
		t.Errorf("%d memos are held, %+v %v", held, why, err)
	}
}

// joined is a new replica in the space of another.
func joined(t *testing.T, issuer *replica) *replica {
	t.Helper()
	r := startReplica(t, t.TempDir(), p2p.Options{})
	var err error
	if r.space, err = join(t, issuer, r); err != nil {
		t.Fatal(err)
	}
	return r
}
