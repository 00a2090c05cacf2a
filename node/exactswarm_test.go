package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	causal "lightcone/context"
	"lightcone/memo"
	"lightcone/node"
	"lightcone/p2p"
)

// scribble makes random writes of all types of cells, and deletions of rows.
func scribble(t *testing.T, rng *rand.Rand, r *replica, n int) (last causal.Token) {
	t.Helper()
	ctx, s := context.Background(), r.space
	elements := func() []memo.Value { return texts(fmt.Sprint(rng.IntN(6))) }
	for range n {
		row := fmt.Sprint("row", rng.IntN(50))
		var rec node.Receipt
		var err error
		switch rng.IntN(9) {
		case 0:
			rec, err = s.Delete(ctx, "animals", row)
		case 1, 2:
			rec, err = s.Add(ctx, "animals", row, "count", int64(rng.IntN(9))-4)
		case 3, 4:
			rec, err = s.PutMulti(ctx, "animals", row, node.Fields{"multi": elements()[0]})
		case 5:
			rec, err = s.Change(ctx, "animals", row, "set", elements(), elements())
		default:
			rec, err = s.Put(ctx, "plants", row, node.Fields{fmt.Sprint("f", rng.IntN(4)): memo.Int(rng.Int64())})
		}
		if err != nil {
			t.Fatal(err)
		}
		last = rec.Token
	}
	return last
}

// shownBy is all that a session shows: the digest, and every row as a scan and as a
// read of its own shows it, with the memos behind it.
func shownBy(t *testing.T, x *node.Session) string {
	t.Helper()
	ctx := context.Background()
	var out []string
	for r, err := range x.Scan(ctx, node.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		one, err := x.Get(ctx, r.Topic, r.Key)
		if diff := cmp.Diff(fmt.Sprint(r), fmt.Sprint(one)); err != nil || diff != "" {
			t.Fatalf("%s/%s by a scan and by itself (%v):\n%s", r.Topic, r.Key, err, diff)
		}
		out = append(out, fmt.Sprint(r))
	}
	d, err := x.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x\n%v", d, out)
}

// exactly is what a replica shows under a token that was written down.
func exactly(t *testing.T, r *replica, tok causal.Token) string {
	t.Helper()
	back, err := causal.ParseToken(tok.String())
	if err != nil {
		t.Fatal(err)
	}
	return shownBy(t, r.space.Session(node.From(back), node.Read{Mode: node.Exact, Wait: patience}))
}

// made is a token, and what its maker showed then.
type made struct {
	by    int
	token causal.Token
	shown string
}

// makeToken names all that a replica has now.
func makeToken(t *testing.T, rs []*replica, by int) made {
	t.Helper()
	tok, err := rs[by].space.Session().ExactToken(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return made{by, tok, exactly(t, rs[by], tok)}
}

// makePartly is makeToken in which all but a few of the memos are folded, and those
// are loose.
func makePartly(t *testing.T, rs []*replica, by int) made {
	t.Helper()
	const few = 4
	x := rs[by].space.Session()
	now := shownBy(t, x) // the session has seen it all
	part := causal.Budget{Memos: -few}
	for h := range x.Context().Heads() {
		part.Memos += int(h.Seq)
	}
	if err := x.Fold(context.Background(), causal.Policy{Part: part}); err != nil {
		t.Fatal(err)
	}
	qc := x.Context()
	if qc.Root.IsZero() || len(qc.Loose) == 0 {
		t.Fatalf("of the context %v nothing, or everything, is folded", qc)
	}
	tok, err := qc.Token(rs[by].ID())
	if err != nil {
		t.Fatal(err)
	}
	return made{by, tok, now}
}

// Three nodes write and fold, each at moments of its own: the first often, the second
// now and then, the third in part alone. A fourth is off while the tokens are made. Under each token all of them show the same bytes,
// those that its maker showed when it was made, from blocks that are the same.
func TestExactReadsAreTheSameEverywhere(t *testing.T) {
	for seed := range node.Seeds(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel() // it waits for disks
			rng := rand.New(rand.NewPCG(seed, 5))
			rs := swarm(t, 4, p2p.Options{})
			for _, r := range rs {
				scribble(t, rng, r, 10)
			}
			converge(t, rs)
			off := rs[3]
			off.stop(t)

			var tokens []made
			for step := range 5 {
				for by, r := range rs[:3] {
					wrote := scribble(t, rng, r, 5+rng.IntN(10))
					switch {
					case by == 0 || by == 1 && step%2 == 1:
						tokens = append(tokens, makeToken(t, rs, by))
					case by == 2 && step%2 == 0: // the past of one write, which no root names
						tokens = append(tokens, made{by, wrote, exactly(t, r, wrote)})
					case by == 2:
						tokens = append(tokens, makePartly(t, rs, by))
					}
				}
			}
			tokens = append(tokens, makeToken(t, rs, 2))
			for _, r := range rs[:3] {
				scribble(t, rng, r, 10) // after all of them
			}
			rs[3] = startReplica(t, off.Dir(), p2p.Options{})
			var err error
			if rs[3].space, err = rs[3].OpenSpace("default"); err != nil {
				t.Fatal(err)
			}
			everywhere(t, rs, tokens)
		})
	}
}

// everywhere demands that all replicas show the same under each token.
func everywhere(t *testing.T, rs []*replica, tokens []made) {
	t.Helper()
	for n, m := range tokens {
		for i, r := range rs {
			if got := exactly(t, r, m.token); got != m.shown {
				t.Fatalf("under token %d of %d replica %d shows\n%s\nreplica %d, who made it, showed\n%s", n, len(tokens), i, got, m.by, m.shown)
			}
			if m.token.Root.IsZero() {
				continue
			}
			if diff := cmp.Diff(blocksOf(t, rs[m.by], m.token.Root), blocksOf(t, r, m.token.Root)); diff != "" {
				t.Errorf("the root of token %d has other blocks at replica %d:\n%s", n, i, diff)
			}
		}
	}
	shown := map[string]bool{}
	for _, m := range tokens {
		shown[m.shown] = true
	}
	if len(shown) < len(tokens) {
		t.Errorf("%d tokens show %d states: too little was written between them", len(tokens), len(shown))
	}
}
