package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// leaves are Alice, Bob and Carol when each knows all of
//
//	A0 -> F1@alice     F1 sets b: Cat
//	|  -> F2@bob       F2 sets a: Panda
//	|  -> E1@carol
func leaves(t *testing.T) (alice, bob, carol *replica) {
	t.Helper()
	ctx, rs := context.Background(), swarm(t, 3, p2p.Options{})
	put(t, rs[0], "F", map[string]string{"a": "Fox", "b": "Bear"})
	put(t, rs[0], "E", map[string]string{"a": "Eel"})
	converge(t, rs)
	for _, r := range rs {
		if err := r.Block(); err != nil {
			t.Fatal(err)
		}
	}
	for i, edit := range [][3]string{{"F", "b", "Cat"}, {"F", "a", "Panda"}, {"E", "a", "Emu"}} {
		x := rs[i].space.Session()
		if _, err := x.Get(ctx, "animals", edit[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Put(ctx, "animals", edit[0], node.Fields{edit[1]: texts(edit[2])[0]}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rs {
		if err := r.Unblock(); err != nil {
			t.Fatal(err)
		}
	}
	converge(t, rs)
	return rs[0], rs[1], rs[2]
}

// Figure 10, on real nodes and in the middle of a transaction: Alice's context
// {A0, F1, F2, E1} becomes {C1} while she writes on its basis. Neither what she reads
// nor what her memo stands on changes; and C1 is for others what the leaves were.
func TestFig10AmidATransaction(t *testing.T) {
	t.Parallel() // it waits for disks and links
	ctx := context.Background()
	alice, bob, carol := leaves(t)
	x := alice.space.Session()
	before := shownBy(t, x)
	var c1 memo.ID
	_, err := x.Update(ctx, func(tx *node.Tx) error {
		if n := len(x.Context().Loose); n != 3 {
			t.Errorf("the context has %d loose heads, want those of three people", n)
		}
		f3, err := tx.Get("animals", "F")
		if err != nil {
			return err
		}
		want := map[string]string{"a": "Panda", "b": "Cat"}
		if diff := cmp.Diff(want, shown(f3)); diff != "" {
			t.Errorf("F3 (-want +got):\n%s", diff)
		}
		if err := x.Fold(ctx, causal.Policy{}); err != nil {
			return err
		}
		if qc := x.Context(); qc.Root.IsZero() || len(qc.Loose) != 0 {
			t.Errorf("after the fold the context is %v", qc)
		}
		again, err := tx.Get("animals", "F")
		if err != nil || fmt.Sprint(again) != fmt.Sprint(f3) {
			t.Errorf("the fold changed what the transaction reads, from\n%v\nto\n%v (%v)", f3, again, err)
		}
		c1 = x.Context().Root
		return tx.Delete("animals", "E")
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := causal.Context{Space: alice.space.ID(), Root: c1}.Token(alice.ID())
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*replica{"Alice": alice, "Bob": bob, "Carol": carol} {
		if got := exactly(t, r, tok); got != before {
			t.Errorf("C1 shows %s\n%s\nand {A0, F1, F2, E1} is\n%s", name, got, before)
		}
	}
	var last node.HistoryEntry
	for e, err := range alice.space.History(ctx, "animals", "E", node.HistoryQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if !last.Tombstone || len(last.Causes) != 1 || last.Causes[0].Author != memo.Author(carol.ID()) || len(last.Concurrent) > 0 {
		t.Errorf("what Alice wrote after the fold stands on %v, beside %v; want Carol's E1", last.Causes, last.Concurrent)
	}
}
