package node_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lightcone/memo"
	"lightcone/merge"
	"lightcone/node"
	"lightcone/p2p"
)

func texts(ss ...string) (out []memo.Value) {
	for _, s := range ss {
		v, err := memo.Text(s)
		if err != nil {
			panic(err)
		}
		out = append(out, v)
	}
	return out
}

// shown is a row as text: fields, sets, and the values of multis beside the first.
func shown(r node.Row) map[string]string {
	out := map[string]string{}
	for f, v := range r.Fields {
		out[f] = v.String()
	}
	for f, c := range r.Cells {
		if c.Type == memo.Set {
			out[f] = fmt.Sprint(c.Elements)
		}
		for _, v := range c.Values[min(1, len(c.Values)):] {
			out[f] += "|" + v.Value.String()
		}
	}
	return out
}

func mustGet(t testing.TB, s *node.Space, row string) node.Row {
	t.Helper()
	r, err := s.Get(context.Background(), "t", row)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func done(t testing.TB) func(node.Receipt, error) {
	return func(_ node.Receipt, err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
}

// TestSessionsOfOneNodeShareItsNumbers: concurrent sessions write the same cells.
// No increment and no element is lost, however the owner puts them together, also
// when the row is cleared in between and the node is opened again.
func TestSessionsOfOneNodeShareItsNumbers(t *testing.T) {
	for _, relaxed := range []bool{false, true} {
		t.Run(fmt.Sprintf("relaxed=%v", relaxed), func(t *testing.T) {
			dir, ctx := t.TempDir(), context.Background()
			n, err := node.Open(dir, node.Options{Relaxed: relaxed})
			if err != nil {
				t.Fatal(err)
			}
			s, err := n.CreateSpace("default", node.Policy{})
			if err != nil {
				t.Fatal(err)
			}
			const sessions, each = 8, 10
			all := func(from int) {
				var wg sync.WaitGroup
				for i := range sessions {
					wg.Go(func() {
						for j := range each {
							done(t)(s.Add(ctx, "t", "r", "n", int64(1-2*(j%5/4)))) // 4 up, 1 down
							done(t)(s.Change(ctx, "t", "r", "s", []memo.Value{memo.Int(int64(from + i*each + j))}, nil))
						}
					})
				}
				wg.Wait()
			}
			check := func(what string, sum, elements int) {
				t.Helper()
				r := mustGet(t, s, "r")
				if got := r.Fields["n"].Int(); got != int64(sum) {
					t.Errorf("%s: counted %d, want %d", what, got, sum)
				}
				if got := len(r.Cells["s"].Elements); got != elements {
					t.Errorf("%s: %d elements, want %d", what, got, elements)
				}
			}
			const sum, elements = sessions * each * 3 / 5, sessions * each
			all(0)
			check("written", sum, elements)
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if n, err = node.Open(dir, node.Options{Relaxed: relaxed}); err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if s, err = n.OpenSpace("default"); err != nil {
				t.Fatal(err)
			}
			all(elements)
			check("opened again", 2*sum, 2*elements)
			done(t)(s.Delete(ctx, "t", "r"))
			all(0)
			check("cleared", sum, elements)
		})
	}
}

// TestCellsOfReplicas: what replicas do apart adds up when they meet; one more
// write resolves concurrent values.
func TestCellsOfReplicas(t *testing.T) {
	rs := swarm(t, 2, p2p.Options{})
	ctx := context.Background()
	a, b := rs[0].space, rs[1].space
	done(t)(a.Update(ctx, func(tx *node.Tx) error {
		return errors.Join(
			tx.Add("t", "r", "n", 10), tx.Change("t", "r", "s", texts("x", "y"), nil),
			tx.PutMulti("t", "r", node.Fields{"m": memo.Int(0)}),
		)
	}))
	converge(t, rs)
	if err := rs[0].Block(); err != nil {
		t.Fatal(err)
	}
	for i, s := range []*node.Space{a, b} {
		done(t)(s.Update(ctx, func(tx *node.Tx) error {
			return errors.Join(tx.Add("t", "r", "n", int64(1+i)), tx.PutMulti("t", "r", node.Fields{"m": memo.Int(int64(1 + i))}))
		}))
	}
	done(t)(a.Change(ctx, "t", "r", "s", texts("z"), texts("x", "y")))
	done(t)(b.Change(ctx, "t", "r", "s", texts("x"), nil)) // anew, so it stays
	if err := rs[0].Unblock(); err != nil {
		t.Fatal(err)
	}
	converge(t, rs)
	for _, s := range []*node.Space{a, b} {
		r := mustGet(t, s, "r")
		values := r.Cells["m"].Values
		if len(values) != 2 || values[0].Value != r.Fields["m"] || values[0].Stamp.Compare(values[1].Stamp) < 0 {
			t.Errorf("the values of the multi are %v", values)
		}
		if r.Fields["n"] != memo.Int(13) || !slices.Equal(r.Cells["s"].Elements, texts("x", "z")) {
			t.Errorf("the replicas' row is %v", shown(r))
		}
	}
	done(t)(b.PutMulti(ctx, "t", "r", node.Fields{"m": memo.Int(3)}))
	converge(t, rs)
	if got := shown(mustGet(t, a, "r"))["m"]; got != "3" {
		t.Errorf("resolved to %s", got)
	}
}

// TestTxOfCells: a transaction sees its own writes to cells of every type, and
// leaves what it said last.
func TestTxOfCells(t *testing.T) {
	n, err := node.Open(t.TempDir(), node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s, err := n.CreateSpace("default", node.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func(tx *node.Tx) error
		want map[string]string // nil: not found
	}{
		{"write", func(tx *node.Tx) error {
			return errors.Join(
				tx.Add("t", "r", "n", 5), tx.Add("t", "r", "n", -2), tx.Change("t", "r", "s", texts("b", "a"), nil),
				tx.Change("t", "r", "s", texts("c"), texts("a")), tx.PutMulti("t", "r", node.Fields{"m": memo.Int(1)}),
				tx.PutMulti("t", "r", node.Fields{"m": memo.Int(2)}), tx.Put("t", "r", node.Fields{"r": memo.Int(9)}),
			)
		}, map[string]string{"n": "3", "s": "[b c]", "m": "2", "r": "9"}},
		{"nothing", func(tx *node.Tx) error {
			return errors.Join(tx.Add("t", "r", "n", 1), tx.Add("t", "r", "n", -1), tx.Change("t", "r", "s", nil, texts("q")))
		}, map[string]string{"n": "3", "s": "[b c]", "m": "2", "r": "9"}},
		{"delete fields", func(tx *node.Tx) error { return tx.Delete("t", "r", "n", "s", "m") }, map[string]string{"r": "9"}},
		{"write again", func(tx *node.Tx) error {
			return errors.Join(
				tx.Add("t", "r", "n", 7), tx.Change("t", "r", "s", texts("d"), nil), tx.PutMulti("t", "r", node.Fields{"m": memo.Int(4)}),
			)
		}, map[string]string{"n": "7", "s": "[d]", "m": "4", "r": "9"}},
		{
			"one field, two types", func(tx *node.Tx) error { return tx.Put("t", "r", node.Fields{"n": memo.Int(-1)}) },
			map[string]string{"n": "-1", "s": "[d]", "m": "4", "r": "9"},
		},
		{"clear and write", func(tx *node.Tx) error {
			return errors.Join(tx.Add("t", "r", "n", 1), tx.Delete("t", "r"), tx.Add("t", "r", "n", 2), tx.Change("t", "r", "s", texts("e"), nil))
		}, map[string]string{"n": "2", "s": "[e]"}},
		{"delete", func(tx *node.Tx) error { return tx.Delete("t", "r") }, nil},
	} {
		look := func(r node.Row, err error) {
			t.Helper()
			if errors.Is(err, node.ErrNotFound) && step.want == nil {
				return
			}
			if diff := cmp.Diff(step.want, shown(r)); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", step.name, err, diff)
			}
		}
		r, err := s.Update(context.Background(), func(tx *node.Tx) error {
			if err := step.do(tx); err != nil {
				return err
			}
			look(tx.Get("t", "r"))
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if nothing := r.Outcome == node.NotCommitted; nothing != (step.name == "nothing") {
			t.Errorf("%s: outcome %v", step.name, r.Outcome)
		}
		look(s.Get(context.Background(), "t", "r"))
		if step.name == "one field, two types" {
			if got := mustGet(t, s, "r").Cells["n"]; got.Type != memo.Register || !slices.Equal(got.Others, []memo.CellType{memo.Counter}) {
				t.Errorf("the field's cell is %+v", got)
			}
		}
	}
}

// A transaction replaces what it saw, not what another session wrote meanwhile.
func TestTxReplacesWhatItSaw(t *testing.T) {
	n, err := node.Open(t.TempDir(), node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s, err := n.CreateSpace("default", node.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	put := func(v int64) { done(t)(s.PutMulti(ctx, "t", "r", node.Fields{"m": memo.Int(v)})) }
	put(1)
	done(t)(s.Change(ctx, "t", "r", "s", texts("a"), nil))
	done(t)(s.Update(ctx, func(tx *node.Tx) error {
		put(2)
		done(t)(s.Change(ctx, "t", "r", "s", texts("b"), texts("a")))
		done(t)(s.Change(ctx, "t", "r", "s", texts("a"), nil))
		return errors.Join(tx.PutMulti("t", "r", node.Fields{"m": memo.Int(3)}), tx.Change("t", "r", "s", nil, texts("a", "b")))
	}))
	if diff := cmp.Diff(map[string]string{"m": "3|2", "s": "[a b]"}, shown(mustGet(t, s, "r"))); diff != "" {
		t.Error(diff)
	}
}

// A counter that is full refuses, and leaves no record.
func TestFullCounter(t *testing.T) {
	n, err := node.Open(t.TempDir(), node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s, err := n.CreateSpace("default", node.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	done(t)(s.Add(ctx, "t", "r", "n", math.MaxInt64))
	if r, err := s.Add(ctx, "t", "r", "n", 1); !errors.Is(err, merge.ErrCounterFull) || r.Outcome != node.NotCommitted {
		t.Errorf("beyond the largest int64: %v, outcome %v", err, r.Outcome)
	}
	twice := func(tx *node.Tx) error {
		return errors.Join(tx.Add("t", "q", "n", math.MaxInt64), tx.Add("t", "q", "n", 1))
	}
	if _, err := s.Update(ctx, twice); !errors.Is(err, merge.ErrCounterFull) {
		t.Errorf("beyond it in one transaction: %v", err)
	}
	done(t)(s.Delete(ctx, "t", "r"))
	done(t)(s.Add(ctx, "t", "r", "n", 1))
	if got := mustGet(t, s, "r").Fields["n"]; got != memo.Int(1) {
		t.Errorf("after deleting the row it counts %v", got)
	}
}
