package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node"
	"lightcone/p2p"
)

// told is an explanation as text: a line for each field, source and loser, with
// memos named by what names says.
func told(e node.Explanation, names map[memo.ID]string) (out []string) {
	name := func(s merge.Stamp) string {
		if n, ok := names[s.ID]; ok {
			return n
		}
		return s.ID.String()
	}
	for _, f := range e.Fields {
		shown := "nothing"
		if f.Live && f.Type == memo.Set {
			shown = fmt.Sprint(f.Elements)
		} else if f.Live {
			shown = f.Value.String()
		}
		out = append(out, fmt.Sprintf("%s: %s by %s", f.Field, shown, f.Rule))
		from := make([]string, len(f.From))
		for i, s := range f.From {
			from[i] = fmt.Sprintf("  %s %s +%d-%d", name(s.Stamp), s.Value, s.Plus, s.Minus)
		}
		if f.Type == memo.Counter { // by authors, whose keys are random
			slices.Sort(from)
		}
		out = append(out, from...)
		for _, l := range f.Lost {
			what := "field"
			if l.Delta == nil {
				what = "row"
			}
			out = append(out, fmt.Sprintf("  lost %s %s, %s %s", what, name(l.Stamp), l.Order, name(l.To)))
		}
	}
	return out
}

// writeApart lets two replicas do all there is to do to rows, the second last by
// the clock, and meet again. It returns the names of their memos.
func writeApart(t *testing.T, rs []*replica) map[memo.ID]string {
	t.Helper()
	names := map[memo.ID]string{}
	write := func(name string, s *node.Space, f func(tx *node.Tx) error) {
		t.Helper()
		r, err := s.Update(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		names[r.ID] = name
		time.Sleep(2 * time.Millisecond) // a clock's tick: what comes next is later
	}
	a, b := rs[0].space, rs[1].space
	write("a1", a, func(tx *node.Tx) error {
		return errors.Join(
			tx.Add("t", "r", "counter", 10), tx.Change("t", "r", "set", texts("x", "y"), nil), tx.Put("t", "r", node.Fields{"plain": memo.Int(1)}),
			tx.PutMulti("t", "r", node.Fields{"multi": memo.Int(0)}), tx.Add("t", "gone", "counter", 1), tx.Put("t", "gone", node.Fields{"plain": memo.Int(1)}),
			tx.Add("t", "late", "counter", 1),
		)
	})
	converge(t, rs)
	if err := rs[0].Block(); err != nil {
		t.Fatal(err)
	}
	write("a2", a, func(tx *node.Tx) error {
		return errors.Join(
			tx.Add("t", "r", "counter", -3), tx.Change("t", "r", "set", nil, texts("x", "y")), tx.Put("t", "r", node.Fields{"plain": memo.Int(2)}),
			tx.PutMulti("t", "r", node.Fields{"multi": memo.Int(1)}), tx.Delete("t", "late"),
		)
	})
	write("b1", b, func(tx *node.Tx) error {
		return errors.Join(
			tx.Add("t", "r", "counter", 5), tx.Change("t", "r", "set", texts("x"), nil), tx.Put("t", "r", node.Fields{"plain": memo.Int(3)}),
			tx.PutMulti("t", "r", node.Fields{"multi": memo.Int(2)}), tx.Add("t", "gone", "counter", 1), tx.Put("t", "gone", node.Fields{"plain": memo.Int(2)}),
			tx.Add("t", "late", "counter", 1),
		)
	})
	write("a3", a, func(tx *node.Tx) error { return tx.Delete("t", "gone") })
	if err := rs[0].Unblock(); err != nil {
		t.Fatal(err)
	}
	converge(t, rs)
	return names
}

// Two replicas do all there is to do to a row, apart; whoever explains it then
// names the rule of each type, the shares, and what lost to what.
func TestWhyOfEveryType(t *testing.T) {
	rs := swarm(t, 2, p2p.Options{})
	ctx, names := context.Background(), writeApart(t, rs)
	a, b := rs[0].space, rs[1].space
	for i, s := range []*node.Space{a, b} {
		row, err := s.Why(ctx, "t", "r")
		if err != nil {
			t.Fatal(err)
		}
		gone, err := s.Why(ctx, "t", "gone", "counter", "plain")
		if err != nil {
			t.Fatal(err)
		}
		late, err := s.Why(ctx, "t", "late")
		if err != nil {
			t.Fatal(err)
		}
		// Of what a and b did apart, b's came later by the clock. Both replaced what
		// the first write left in multi and set; b's transaction thereby saw it.
		want := map[string][]string{
			"row": {
				"counter: 12 by sum of all authors", "  a2 null +10-3", "  b1 null +5-0",
				"multi: 2 by concurrent values kept", "  b1 2 +0-0", "  a2 1 +0-0", "  lost field a1, before b1",
				"plain: 3 by greatest stamp", "  b1 3 +0-0", "  lost field a1, before b1", "  lost field a2, concurrent b1",
				"set: [x] by add wins", "  b1 x +0-0", "  lost field a1, before b1",
			},
			"gone": {
				"counter: nothing by row tombstone", "  a3 null +0-0", "  lost field a1, before a3", "  lost field b1, concurrent a3",
				"plain: nothing by row tombstone", "  a3 null +0-0", "  lost field a1, before a3", "  lost field b1, concurrent a3",
			},
		}
		want["late"] = []string{"counter: nothing by row tombstone", "  a2 null +0-0", "  lost field a1, before a2", "  lost field b1, concurrent a2"}
		got := map[string][]string{"late": told(late, names), "row": told(row, names), "gone": told(gone, names)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replica %d (-want +got):\n%s", i, diff)
		}
	}
	if _, err := a.Why(ctx, "t", "r", "nosuch"); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("a field that nobody wrote: %v", err)
	}
	if _, err := a.Why(ctx, "t", "nosuch"); !errors.Is(err, node.ErrNotFound) {
		t.Errorf("a row that nobody wrote: %v", err)
	}
	for _, err := range a.History(ctx, "t", "nosuch", node.HistoryQuery{}) {
		if !errors.Is(err, node.ErrNotFound) {
			t.Errorf("the history of a row that nobody wrote: %v", err)
		}
	}
}
