package node_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/p2p"
	"lightcone/p2p/gossip"
)

// Figure 11. There is one writer and there are many readers, five of whom consolidate
// the same edits:
//
//	writer: E1 -> E2 -> … -> En --> everybody
//	                          |-> reader 1: root ──╮
//	                          |-> …                ├ one root, one announcement or few
//	                          `-> reader 5: root ──╯
//
// Five made it, and it is one: every block of it has the same digest and the same
// bytes with all five. A maker who hears the root announced says nothing: the extra
// announcements die out. The same with fifty readers in virtual time is a test of
// p2p/gossip.
func TestFig11(t *testing.T) {
	const readers, makers = 7, 5
	rs := swarm(t, 1+readers, p2p.Options{})
	for i := range 60 {
		put(t, rs[0], fmt.Sprintf("row%d", i), map[string]string{"of": strings.Repeat("x", 2*i)})
	}
	converge(t, rs)
	all := rs[1 : 1+makers]
	roots := foldAll(t, all, make([]gossip.RootStats, makers))
	first := blocksOf(t, rs[1], roots[0])
	if len(first) < 30 {
		t.Errorf("the root has %d blocks: too few to prove much", len(first))
	}
	for i, r := range all {
		if diff := cmp.Diff(first, blocksOf(t, r, roots[i])); diff != "" {
			t.Errorf("readers 1 and %d do not have one root:\n%s", i+1, diff)
		}
	}

	// Where all stood still until it was everybody's moment, nobody hears another in time.
	for round := 0; quiet(t, rs) == 0; round++ {
		if round == 10 {
			t.Fatalf("%d makers of one root announced it each, %d times in a row", makers, round)
		}
		was := make([]gossip.RootStats, makers)
		for i, r := range all {
			was[i] = rootStats(t, r)
		}
		put(t, rs[0], "row0", map[string]string{"round": fmt.Sprint(round)})
		converge(t, rs)
		roots = foldAll(t, all, was)
	}
	for i, r := range rs {
		waitFor(t, "all heard of the root, or announced it", func() bool { return rootStats(t, r).Announced+rootStats(t, r).Heard > 0 })
		if s := rootStats(t, r); s.Alarms > 0 || s.Dropped > 0 {
			t.Errorf("replica %d heard of the same cut with another state: %+v", i, s)
		}
	}

	again := rs[1]
	again.stop(t)
	again = startReplica(t, again.Dir(), p2p.Options{})
	var err error
	if again.space, err = again.OpenSpace("default"); err != nil {
		t.Fatal(err)
	}
	if tok, err := again.space.Session().ExactToken(t.Context()); err != nil || tok.Root != roots[0] {
		t.Fatalf("after the restart folded to %s, want %s (%v)", tok.Root, roots[0], err)
	}
	settles(t, again, gossip.RootStats{})
}

// foldAll has the makers fold what they have, all at once, and waits until each
// announced a root, or heard it and said nothing, since it had made what was says.
func foldAll(t *testing.T, makers []*replica, was []gossip.RootStats) []memo.ID {
	t.Helper()
	roots := make([]memo.ID, len(makers))
	var wg sync.WaitGroup
	for i, r := range makers {
		wg.Go(func() {
			tok, err := r.space.Session().ExactToken(context.Background())
			if err != nil {
				t.Error(err)
			}
			roots[i] = tok.Root
		})
	}
	wg.Wait()
	for i, r := range makers {
		settles(t, r, was[i])
	}
	return roots
}

// settles waits until a maker announced its root, or heard it and said nothing.
func settles(t *testing.T, r *replica, was gossip.RootStats) {
	t.Helper()
	waitFor(t, "the root was announced, or heard and not announced", func() bool {
		is := rootStats(t, r)
		return is.Announced+is.Suppressed > was.Announced+was.Suppressed
	})
}

// quiet is how many roots were made and not announced.
func quiet(t *testing.T, rs []*replica) (n int) {
	t.Helper()
	for _, r := range rs {
		n += rootStats(t, r).Suppressed
	}
	return n
}

func blocksOf(t *testing.T, r *replica, root memo.ID) map[memo.ID]string {
	t.Helper()
	blocks, err := r.space.BlocksOf(root)
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

func rootStats(t *testing.T, r *replica) gossip.RootStats {
	t.Helper()
	st, err := r.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Protocol.Roots
}
