package node_test

import (
	"testing"
	"time"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// roots returns what a replica counts of announcements.
func (r *replica) roots(t testing.TB) gossip.RootStats {
	t.Helper()
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st.Protocol.Roots
}

// awaitRoots waits until the counts of a replica are as they should be.
func (r *replica) awaitRoots(t testing.TB, what string, ok func(gossip.RootStats) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(r.roots(t)); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within %v: %+v", what, patience, r.roots(t))
		}
	}
}

// settled tells whether a root of the replica's was announced, or needed not be.
func settled(s gossip.RootStats) bool { return s.Announced+s.Suppressed > 0 }

// TestFig11OneNodeAnnouncesForAll: of three nodes that hold the same, one folds and
// announces the root. The others, which fold afterwards, make the same root and say
// nothing, and nobody's state is doubted. After a restart what was folded is still
// announced, to those that did not hear of it.
func TestFig11OneNodeAnnouncesForAll(t *testing.T) {
	nodes := swarm(t, 3, p2p.Options{})
	res, err := nodes[0].space.Put(t.Context(), "airports", "00M", node.Fields{"runways": memo.Int(1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range nodes {
		if _, err := r.space.Session(node.From(res.Token), node.Read{Wait: patience}).Get(t.Context(), "airports", "00M"); err != nil {
			t.Fatal(err)
		}
	}
	var root memo.ID
	silent := 0
	for i, r := range nodes {
		tok, err := r.space.Session().ExactToken(t.Context())
		if err != nil || i > 0 && tok.Root != root {
			t.Fatalf("folded to %s, want %s (%v)", tok.Root, root, err)
		}
		root = tok.Root
		r.awaitRoots(t, "end of the root's interval", settled)
		silent += r.roots(t).Suppressed
	}
	for _, r := range nodes {
		got := r.roots(t)
		if got.Announced+got.Heard == 0 || got.Alarms != 0 || got.Dropped != 0 {
			t.Errorf("counts %+v", got)
		}
	}
	if silent == 0 {
		t.Error("everybody announced the root")
	}
	a := nodes[0]
	a.stop(t)
	a = startReplica(t, a.Dir(), p2p.Options{})
	if a.space, err = a.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	if tok, err := a.space.Session().ExactToken(t.Context()); err != nil || tok.Root != root {
		t.Fatalf("after the restart folded to %s, want %s (%v)", tok.Root, root, err)
	}
	a.awaitRoots(t, "end of the root's interval after the restart", settled)
}
