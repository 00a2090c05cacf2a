package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// TestForkOfACopiedDirectory: a directory is copied, and both copies write with one
// key, each to other peers. All honest peers end with what both wrote, one state, and
// the name of the forker, with a proof; they go on writing, also after a restart.
// Either copy learns of it and writes no more.
func TestForkOfACopiedDirectory(t *testing.T) {
	t.Parallel() // it waits for disks and links
	ctx, o := context.Background(), p2p.Options{Listen: []string{"/ip4/127.0.0.1/tcp/0"}}
	honest := swarm(t, 3, o)
	a, b, c := honest[0], honest[1], honest[2]
	dir, copied := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	f := startReplica(t, dir, o)
	var err error
	if f.space, err = join(t, a, f); err != nil {
		t.Fatal(err)
	}
	forker := f.ID()
	put(t, f, "shared", map[string]string{"by": "one"})
	converge(t, append([]*replica{f}, honest...))
	f.stop(t)
	if err := errors.Join(os.CopyFS(copied, os.DirFS(dir)), os.Chmod(filepath.Join(copied, "key"), 0o600)); err != nil {
		t.Fatal(err)
	}
	cut(t, a, b, c)
	writeOnlyTo(t, forker, dir, o, "left", 3, []*replica{b, c}, a)
	if err := errors.Join(b.Unblock(), c.Unblock()); err != nil { // a still refuses them
		t.Fatal(err)
	}
	writeOnlyTo(t, forker, copied, o, "right", 5, []*replica{a}, b, c)

	for _, r := range honest {
		if err := r.Unblock(); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "both branches are everywhere", func() bool {
		for _, r := range honest {
			for _, row := range []string{"shared", "left 2", "right 4"} {
				if _, err := r.space.Get(ctx, "animals", row); err != nil {
					return false
				}
			}
		}
		return true
	})
	proof := named(t, forker, honest...)
	converge(t, honest)
	put(t, c, "others go on", map[string]string{"by": "c"})
	want := converge(t, honest)

	c.stop(t)
	again := startReplica(t, c.Dir(), o)
	if again.space, err = again.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	now := []*replica{a, b, again}
	if got := converge(t, now); got != want {
		t.Error("a restart changed the state")
	}
	if named(t, forker, now...) != proof {
		t.Error("a restart changed the proof")
	}
	put(t, again, "and on", map[string]string{"by": "c"})
	converge(t, now)
	sameRoot(t, now)
	copiesStop(t, forker, now, o, dir, copied)
}

// copiesStop starts either copy: it learns of the fork, and writes no more.
func copiesStop(t *testing.T, forker node.PeerID, now []*replica, o p2p.Options, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		f, err := startReplica(t, dir, o), error(nil)
		if f.space, err = f.OpenSpace("default"); err != nil {
			t.Fatal(err)
		}
		converge(t, append(now, f))
		waitFor(t, "the copy learns of the fork", func() bool { return len(forks(t, f)) == 1 })
		if _, err := f.space.Put(context.Background(), "animals", "more", node.Fields{"by": memo.Null()}); !errors.Is(err, node.ErrOwnFork) {
			t.Errorf("a copy wrote on: %v", err)
		}
		if own := forks(t, f)[0]; !own.Own || own.Author != forker {
			t.Errorf("a copy says %+v", own)
		}
		f.stop(t)
	}
}

// sameRoot fails unless all fold to one root, and serve reads under that of the first.
func sameRoot(t *testing.T, rs []*replica) {
	t.Helper()
	tok, err := rs[0].space.Session().ExactToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		own, err := r.space.Session().ExactToken(t.Context())
		if err != nil || own.Root != tok.Root {
			t.Errorf("replica %d folds to %s, the first to %s (%v)", i, own.Root, tok.Root, err)
		}
		x := r.space.Session(node.From(tok), node.Read{Mode: node.Exact})
		if _, err := x.Get(t.Context(), "animals", "left 2"); err != nil {
			t.Errorf("replica %d, under the root of the first: %v", i, err)
		}
	}
}

// cut parts the first replica from the others.
func cut(t *testing.T, one *replica, others ...*replica) {
	t.Helper()
	for _, o := range others {
		if err := errors.Join(one.Block(o.ID()), o.Block(one.ID())); err != nil {
			t.Fatal(err)
		}
	}
}

// writeOnlyTo starts the replica in dir, writes n rows that reach some and not others,
// who refuse it, and stops it. It could not refuse them before it has begun to dial.
func writeOnlyTo(t *testing.T, forker node.PeerID, dir string, o p2p.Options, name string, n int, without []*replica, to ...*replica) {
	t.Helper()
	for _, r := range without {
		if err := r.Block(forker); err != nil {
			t.Fatal(err)
		}
	}
	f := startReplica(t, dir, o)
	defer f.stop(t)
	var err error
	if f.space, err = f.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	for _, r := range to {
		f.server.Keep(r.ID(), r.server.Addrs())
	}
	for i := range n {
		put(t, f, fmt.Sprintf("%s %d", name, i), map[string]string{"by": name})
	}
	waitFor(t, name+" reaches some", func() bool {
		for _, r := range to {
			if _, err := r.space.Get(context.Background(), "animals", fmt.Sprintf("%s %d", name, n-1)); err != nil {
				return false
			}
		}
		return true
	})
	for _, r := range without {
		if _, err := r.space.Get(context.Background(), "animals", name+" 0"); !errors.Is(err, node.ErrNotFound) {
			t.Fatalf("%s reached those it should not: %v", name, err)
		}
	}
}

func forks(t *testing.T, r *replica) []node.ForkStatus {
	t.Helper()
	st, err := r.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Spaces[0].Forks
}

// named waits until all name the forker with one proof, and returns it.
func named(t *testing.T, forker node.PeerID, rs ...*replica) string {
	t.Helper()
	proof := ""
	waitFor(t, "all name the forker, with one proof", func() bool {
		proofs := map[string]bool{}
		for _, r := range rs {
			fs := forks(t, r)
			if len(fs) != 1 || fs[0].Author != forker || fs[0].Proof.IsZero() || fs[0].Seq == 0 || fs[0].Own || fs[0].Since.IsZero() {
				return false
			}
			proof = fs[0].Proof.String()
			proofs[proof] = true
		}
		return len(proofs) == 1
	})
	return proof
}
