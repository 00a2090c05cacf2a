package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// Three nodes of a space that adopts have read under the same tokens, and then delete
// the bodies of all memos that the tokens cover. Under each token they show what they
// showed, also after a restart, and so does one who joins by their state alone: it
// fetches the roots it lacks, for in such a space states stand for memos.
func TestExactReadsWithoutTheBodies(t *testing.T) {
	t.Parallel() // it waits for disks and links
	ctx, rng := context.Background(), rand.New(rand.NewPCG(1, 6))
	rs := make([]*replica, 3)
	for i := range rs {
		rs[i] = startReplicaWith(t, t.TempDir(), node.Options{SegmentSize: 256 << 10}, p2p.Options{})
		var err error
		if i == 0 {
			rs[i].space, err = rs[i].CreateSpace("default", node.Policy{Trust: memo.Adopt})
		} else {
			rs[i].space, err = join(t, rs[0], rs[i])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var tokens []made
	for i, r := range rs {
		for n := range 60 {
			put(t, r, fmt.Sprint("row", n), map[string]string{"text": fmt.Sprintf("%03000d", rng.IntN(1000))})
		}
		scribble(t, rng, r, 40)
		converge(t, rs) // or the memos would come by nobody's state
		tokens = append(tokens, makeToken(t, rs, i))
	}
	everywhere(t, rs, tokens)
	for i, r := range rs {
		if done, err := r.Compact(ctx); err != nil || done.After >= done.Before {
			t.Fatalf("replica %d deleted nothing: %+v (%v)", i, done, err)
		}
	}
	everywhere(t, rs, tokens)

	dir := rs[1].Dir()
	rs[1].stop(t)
	rs[1] = startReplica(t, dir, p2p.Options{})
	var err error
	if rs[1].space, err = rs[1].OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	everywhere(t, rs, tokens)

	late := startReplica(t, t.TempDir(), p2p.Options{})
	if late.space, err = join(t, rs[0], late); err != nil {
		t.Fatal(err)
	}
	converge(t, append(rs, late))
	everywhere(t, append(rs, late), tokens)
}
